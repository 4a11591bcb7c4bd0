import { expect, it } from "vitest";
import { HivegateStream } from "../../shared/client/stream.ts";
import type { ConfigChanged } from "../../shared/protocol/config.ts";
import { anAgent } from "../support/agents.ts";
import { onEveryHost } from "./hosts.ts";

const CHANGE = { added: ["new"], changed: ["other"], removed: [] };
const NO_NAMES = { added: [], changed: [], removed: [] };

onEveryHost("news of the MCP servers' configuration", ({ sidecar, gateway, connect }) => {
  it("C1 S8 come to every stream, in every mode; a token that shows a part of the hive gets no names", async () => {
    sidecar.configure(3, null);
    sidecar.show([anAgent()]);
    const clients = await Promise.all([
      connect({ query: { mode: "high_frequency" } }),
      connect({ query: { mode: "on_demand" } }),
      connect({ query: { encoding: "deflate", filters: JSON.stringify({ agent_types: [] }) } }),
    ]);
    const scoped = await connect({ identity: { scope: { server_types: ["demo"] } } });
    for (const client of [...clients, scoped])
      expect(await client.next("snapshot")).toMatchObject({ config_revision: 3 });
    sidecar.configure(4, CHANGE);
    for (const client of clients)
      expect(await client.next("config_changed")).toMatchObject({ revision: 4, ...CHANGE });
    expect(await scoped.next("config_changed")).toMatchObject({ revision: 4, ...NO_NAMES });
    const late = await connect();
    expect(await late.next("snapshot")).toMatchObject({ config_revision: 4 });
    expect(late.seen.some(({ type }) => type === "config_changed")).toBe(false);
  });

  it("C1 come as one, without names, for what changed while the sidecar could not be reached", async () => {
    sidecar.configure(5, null);
    const client = await connect();
    await client.next("snapshot");
    await sidecar.stop();
    await client.next("hive_status", ({ live }) => !live);
    sidecar.configure(8, null);
    await sidecar.start();
    expect(await client.next("config_changed")).toMatchObject({ revision: 8, ...NO_NAMES });
  });

  it("C1 U2 reach the client library", async () => {
    sidecar.configure(10, null);
    const heard: ConfigChanged[] = [];
    const stream = new HivegateStream({
      ...{ baseUrl: gateway().url, hive: "default", token: await gateway().token({}) },
    });
    stream.on("config_changed", (change) => heard.push(change));
    await expect.poll(() => stream.configRevision, { timeout: 10_000 }).toBe(10);
    sidecar.configure(11, CHANGE);
    await expect.poll(() => heard.length, { timeout: 10_000 }).toBe(1);
    expect(heard).toMatchObject([{ revision: 11, ...CHANGE }]);
    stream.close();
  });
});
