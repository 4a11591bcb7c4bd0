import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { demo, openTcp } from "./clients.ts";

type Tcp = Awaited<ReturnType<typeof openTcp>>;

const Agents = z.object({ agents: z.array(z.looseObject({ agentId: z.string() })) });

async function agentsOf(client: Tcp) {
  const list = Agents.parse(await client.call("agent_list")).agents;
  const figures = Agents.parse(await client.call("agent_metrics")).agents;
  return list.map((agent) => ({ ...agent, ...figures.find(({ agentId }) => agentId === agent.agentId) }));
}

describe("the demo swarm over TCP", () => {
  it("S2 does real work, and shows its agents appear, work, finish and go", async () => {
    const client = await openTcp((await demo({ lingerMs: 200 })).mcpPort);
    expect(await client.answerTo(client.send("initialize", {}))).toMatchObject({
      result: { protocolVersion: "2024-11-05", serverInfo: { name: "hivegate-demo" } },
    });
    const order = { task: "count primes up to 20,000,000", priority: "Low", taskId: "twenty-million" };
    expect(await client.call("task_orchestrate", order)).toMatchObject({ status: "active", workerCount: 1 });

    const working = await vi.waitUntil(async () => {
      const [queen, worker] = await agentsOf(client);
      return worker && worker.cpuPercent !== null ? { queen, worker } : undefined;
    }, 5_000);
    expect(working.queen).toMatchObject({ type: "queen", cpuPercent: null, memoryBytes: null });
    expect(working.worker).toMatchObject({ type: "worker", status: "working", tasksActive: 1 });
    expect(working.worker.cpuPercent).toBeGreaterThan(1);
    expect(working.worker.cpuPercent).toBeLessThan(150);
    expect(working.worker.memoryBytes).toBeGreaterThan(1_000_000);
    expect(working.worker.unitsPerSecond).toBeGreaterThan(0);

    const end = await vi.waitUntil(async () => {
      const status = await client.call("task_status", { taskId: "twenty-million" });
      return status.status === "active" ? undefined : status;
    }, 20_000);
    expect(end).toMatchObject({
      status: "completed",
      progress: 1,
      result: { primes: 1_270_607 },
      error: null,
    });
    await vi.waitUntil(async () => (await agentsOf(client)).length === 0, 5_000);
    const notices = client.messages().filter(({ method }) => method === "notifications/swarm_changed");
    expect(notices.length).toBeGreaterThanOrEqual(2);
  });

  it("S8 wants its token first, and closes on whoever has none", async () => {
    const { mcpPort } = await demo({ token: "päss" });
    const refused = { error: { code: -32000 } };

    const stranger = await openTcp(mcpPort);
    expect(await stranger.answerTo(stranger.send("authenticate", { token: "pass" }))).toMatchObject(refused);
    await stranger.closed();

    const hasty = await openTcp(mcpPort);
    hasty.send("tools/call", { name: "task_orchestrate", arguments: { task: "x" } });
    hasty.send("authenticate", { token: "päss" });
    await hasty.closed();
    expect(hasty.messages()).toMatchObject([refused]);

    const friend = await openTcp(mcpPort);
    friend.socket.write('{"method":"authenticate","params":{"token":"päss"},"id":5}\n');
    await vi.waitUntil(() => friend.lines.length === 1, 5_000);
    expect(friend.messages()).toEqual([{ jsonrpc: "2.0", id: 5, result: { authenticated: true } }]);
    expect(await friend.call("swarm_status")).toEqual({ swarms: [] });
  });

  it("S8 hears nothing that comes behind a line which is not JSON", async () => {
    const { mcpPort } = await demo();
    const page = await openTcp(mcpPort);
    const body = { jsonrpc: "2.0", id: 1, method: "tools/call", params: { name: "task_orchestrate" } };
    page.socket.write(`POST / HTTP/1.1\r\nHost: localhost\r\n\r\n${JSON.stringify(body)}\n`);
    await page.closed();
    expect(page.messages()).toMatchObject([{ id: null, error: { code: -32700 } }]);
  });

  it("S6 reads lines in any pieces, and closes on one that is too long", async () => {
    const { mcpPort } = await demo();
    const client = await openTcp(mcpPort);
    client.socket.setNoDelay(true);
    const both = '{"jsonrpc":"2.0","id":"a","method":"ping"}\n\n{"jsonrpc":"1.0"}\n';
    for (const byte of Buffer.from(both)) client.socket.write(Uint8Array.of(byte));
    expect(await client.answerTo("a")).toMatchObject({ result: {} });
    await vi.waitUntil(() => client.messages().some(({ error }) => error?.code === -32600), 5_000);
    expect(client.state.closed).toBe(false);

    client.socket.write("x".repeat(1024 * 1024 + 1));
    await client.closed();
    expect(client.lines.at(-1)).toMatch(/"error":"a line is longer/);
  });
});
