import { expect, it } from "vitest";
import { anAgent } from "../support/agents.ts";
import type { Client } from "./client.ts";
import { onEveryHost } from "./hosts.ts";

const agents = Array.from({ length: 40 }, (_, i) => anAgent({ agent_id: `a${i}` }));
const changed = (status: string) => agents.map((agent, i) => (i === 7 ? { ...agent, status } : agent));

onEveryHost("a client that comes back", ({ sidecar, connect }) => {
  const snapshot = (client: Client) => client.next("snapshot", ({ epoch }) => epoch === sidecar.epoch);
  const position = ({ epoch, offset }: { epoch: string | null; offset: number }) => ({
    epoch: epoch ?? "",
    offset: String(offset),
  });

  it("S1 S5 gets what it missed, and no more", async () => {
    sidecar.show(agents);
    const first = await connect();
    const at = position(await snapshot(first));
    first.close();
    await first.closed;
    sidecar.show(changed("while away"));
    const again = await connect({ query: at });
    expect(await again.next("resumed")).toMatchObject({ recovered: true, epoch: sidecar.epoch });
    const update = await again.next("agent_update");
    expect(update.from).toBe(Number(at.offset));
    expect(update.payload.agents).toEqual([{ agent_id: "a7", status: "while away" }]);
    expect(again.seen.map(({ type }) => type)).not.toContain("snapshot");
  });

  it("S1 gets the whole picture when the sidecar has begun another epoch", async () => {
    sidecar.show(agents);
    const first = await connect();
    const at = position(await snapshot(first));
    sidecar.restart();
    sidecar.show(changed("after the restart"));
    // Who stayed is given the new picture too.
    const { payload } = await snapshot(first);
    expect(payload.agents[7]?.status).toBe("after the restart");
    const again = await connect({ query: at });
    expect(await again.next("resumed")).toMatchObject({ recovered: false, epoch: sidecar.epoch });
    expect((await snapshot(again)).payload.agents).toHaveLength(agents.length);
  });

  it("S1 S8 gets the whole picture when it sees through other filters than before", async () => {
    sidecar.show(agents);
    const narrow = JSON.stringify({ agent_types: ["queen"] });
    const first = await connect({ query: { filters: narrow } });
    const seen = await snapshot(first);
    first.close();
    await first.closed;
    const at = { ...position(seen), view: seen.view ?? "" };
    const same = await connect({ query: { ...at, filters: narrow } });
    expect(await same.next("resumed")).toMatchObject({ recovered: true });
    const other = await connect({ query: at });
    expect(await other.next("resumed")).toMatchObject({ recovered: false });
    expect((await snapshot(other)).payload.agents).toHaveLength(agents.length);
  });

  it("S1 can ask for it on an open socket as well", async () => {
    sidecar.show(agents);
    const client = await connect({ query: { mode: "on_demand" } });
    const watcher = await connect();
    const { epoch, offset } = await snapshot(client);
    await snapshot(watcher);
    sidecar.show(changed("since then"));
    await watcher.next("agent_update");
    expect(await client.ask({ type: "resume", epoch, offset })).toMatchObject({
      ...{ type: "resumed", recovered: true },
    });
    const { payload } = await client.next("agent_update");
    expect(payload.agents).toEqual([{ agent_id: "a7", status: "since then" }]);
    const lost = await client.ask({ type: "resume", epoch: "another", offset });
    expect(lost).toMatchObject({ type: "resumed", recovered: false });
    await snapshot(client);
  });

  it("S5 gets large frames compressed if it wants, and small ones as they are", async () => {
    sidecar.show(agents);
    const client = await connect({ query: { encoding: "deflate" } });
    const { payload } = await snapshot(client);
    expect(payload.agents).toHaveLength(agents.length);
    const { compressed } = client;
    expect(compressed).toBeGreaterThan(0);
    sidecar.show(changed("a small change"));
    await client.next("agent_update");
    expect(client.compressed).toBe(compressed);
    const plain = await connect();
    await snapshot(plain);
    expect(plain.compressed).toBe(0);
  });
});
