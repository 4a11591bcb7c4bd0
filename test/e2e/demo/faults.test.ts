import { describe, expect, it, vi } from "vitest";
import { demo, openTcp } from "./clients.ts";

describe("the faults of the demo swarm", () => {
  async function faulty() {
    const { mcpPort } = await demo({ faults: true });
    const client = await openTcp(mcpPort);
    const fault = (order: object) => client.call("demo_fault", order);
    return { mcpPort, client, fault };
  }

  it("do not exist unless asked for", async () => {
    const client = await openTcp((await demo()).mcpPort);
    const id = client.send("tools/call", { name: "demo_fault", arguments: { fault: "hang" } });
    expect(await client.answerTo(id)).toMatchObject({ error: { code: -32601 } });
  });

  it("hang: tool calls get no answer until it is over, all else does", async () => {
    const { client, fault } = await faulty();
    await fault({ fault: "hang" });
    const hung = client.send("tools/call", { name: "agent_list" });
    await client.answerTo(client.send("ping"));
    await fault({ fault: "none" });
    expect(await client.call("agent_list")).toEqual({ agents: [] });
    expect(client.messages().some(({ id }) => id === hung)).toBe(false);
  });

  it("slow: an answer takes its time", async () => {
    const { client, fault } = await faulty();
    await fault({ fault: "slow", ms: 300 });
    const begunMs = performance.now();
    expect(await client.call("agent_list")).toEqual({ agents: [] });
    expect(performance.now() - begunMs).toBeGreaterThan(290);
  });

  it("garbage: answers come in halves between lines that are no JSON, still in order", async () => {
    const { client, fault } = await faulty();
    await fault({ fault: "garbage" });
    const chunksBefore = client.chunks.length;
    const linesBefore = client.lines.length;
    const ids = [client.send("ping"), client.send("tools/list"), client.send("ping")];
    for (const id of ids) await client.answerTo(id);
    expect(client.chunks.length - chunksBefore).toBeGreaterThanOrEqual(4);
    await vi.waitUntil(() => client.lines.length - linesBefore === 9, 5_000);
    const order = client.messages().map(({ id }) => id);
    expect(order.slice(-3)).toEqual(ids);
  });

  it("drop: the next call closes the connection, once", async () => {
    const { mcpPort, client, fault } = await faulty();
    await fault({ fault: "drop" });
    client.send("tools/call", { name: "agent_list" });
    await client.closed();
    expect(await (await openTcp(mcpPort)).call("agent_list")).toEqual({ agents: [] });
  });

  it("refuse: new connections are sent away, old ones live on", async () => {
    const { mcpPort, fault } = await faulty();
    await fault({ fault: "refuse" });
    const refused = await openTcp(mcpPort);
    await refused.closed();
    expect(refused.messages()).toEqual([{ error: expect.any(String) }]);
    await fault({ fault: "none" });
    expect(await (await openTcp(mcpPort)).call("agent_list")).toEqual({ agents: [] });
  });
});
