import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { WebSocket } from "ws";
import { connectSocket, type SocketClient } from "../support/socket-client.ts";
import { type System, startSystem } from "../support/system.ts";

let system: System;
let client: SocketClient;

beforeAll(async () => {
  system = await startSystem({ demo: { lingerMs: 600_000 } });
  const { gateway } = system;
  client = await connectSocket(gateway.url, "/v1/hives/default/stream?mode=on_demand", await gateway.token());
  client.send({ type: "create_task", task: "count primes below 1000" });
  await client.next("task_created");
});

afterAll(async () => {
  client.close();
  await system.stop();
});

describe("asking the swarm's host", () => {
  it("H5 for agents: what the swarm's own commands say, beside what MCP says", async () => {
    client.send({ type: "request_agents", requestId: "1" });
    const answer = await client.next("multi_agent_update");
    expect(answer).toMatchObject({
      requestId: "1",
      source: "process",
      mcp_telemetry: { mcp_status: "available" },
    });
    const [swarm] = answer.swarms;
    const agents = answer.mcp_telemetry.telemetry?.agents ?? [];
    expect(agents.length).toBeGreaterThan(1);
    expect(new Set(agents.map(({ swarm_id }) => swarm_id))).toEqual(new Set([swarm?.swarmId]));
  });

  it("H6 for what there is: its health, and every MCP server with its capabilities", async () => {
    client.send({ type: "request_discovery" });
    const answer = await client.next("discovery");
    expect(answer).toMatchObject({
      docker: { docker_health: "healthy" },
      mcp: { servers: [{ server: "demo", status: "available", capabilities: { tools: expect.anything() } }] },
    });
    expect(answer.client_id).toMatch(/^[0-9a-f-]{36}$/);
    expect(answer.mcp.servers[0]?.latency_ms).toBeLessThan(100);
  });

  it("S2 for topology and performance", async () => {
    client.send({ type: "request_topology" });
    const topology = await client.next("topology_update");
    expect(topology.swarms).toMatchObject([{ server: "demo", server_source: "demo" }]);
    client.send({ type: "request_performance" });
    const performance = await client.next("performance_analysis");
    expect(performance.agents.length).toBeGreaterThan(1);
    expect(performance.container).toBeNull();
  });

  it("S8 not more often than a client may", async () => {
    for (let i = 0; i < 6; i++) client.send({ type: "request_topology" });
    expect(await client.next("error")).toMatchObject({ code: "rate_limited" });
  });
});

describe("a VisionFlow client", () => {
  it("S9 is served at its own address, in its own words", async () => {
    const url = `${system.gateway.url.replace("http", "ws")}/api/multi-mcp/ws`;
    const headers = { authorization: `Bearer ${await system.gateway.token()}` };
    const socket = new WebSocket(url, { headers });
    const messages: Record<string, unknown>[] = [];
    socket.on("message", (data) => messages.push(JSON.parse(String(data))));
    const say = (action: string, data?: unknown) => socket.send(JSON.stringify({ action, data }));
    const next = (type: string) =>
      expect.poll(() => messages.find((message) => message.type === type), { timeout: 10_000 });
    await new Promise((resolve) => socket.once("open", resolve));

    await next("multi_agent_update").toMatchObject({
      agents: expect.arrayContaining([
        expect.objectContaining({ server_source: "demo", metadata: expect.anything() }),
      ]),
    });
    say("configure", { subscription_filters: { agent_types: [] }, performance_mode: "low_frequency" });
    await next("config_updated").toMatchObject({ performance_mode: "low_frequency" });
    say("request_discovery");
    await next("discovery").toMatchObject({ docker: { docker_health: "healthy" } });
    say("request_topology");
    await next("topology_update").toMatchObject({ swarm_id: expect.any(String) });
    say("request_performance");
    await next("performance_analysis").toMatchObject({ bottlenecks: [] });
    say("dance");
    await next("error").toMatchObject({ message: "Unknown message format" });
    socket.close();
  });
});
