import { expect, it } from "vitest";
import { WebSocket } from "ws";
import type { AgentsAnswer, DiscoveryAnswer, LatestAnswer, Swarm } from "../../shared/protocol/sidecar.ts";
import { anAgent } from "../support/agents.ts";
import { onEveryHost } from "./hosts.ts";

const worker = anAgent({ agent_id: "w", performance: { ...anAgent().performance, cpu_usage: 50 } });
const telemetry = {
  agents: [worker],
  swarms: [
    {
      ...{ swarm_id: "swarm-1", server: "demo", server_source: "demo", topology: "mesh", status: "active" },
      ...{ coordinator: "w", agents: 1, max_agents: null },
    },
  ],
};
const mcp_telemetry = { mcp_status: "available", telemetry } as const;
const swarm: Swarm = {
  ...{ swarmId: "swarm-1", status: "active", topology: "mesh", workerCount: 1, taskId: null, detail: {} },
};
const AGENTS: AgentsAnswer = { docker: { swarms: [swarm], method: "docker-exec" }, mcp_telemetry };
const LATEST: LatestAnswer = { mcp_telemetry, container: null };
const DISCOVERY: DiscoveryAnswer = {
  docker: { docker_health: "healthy", container_status: { running: true } },
  mcp: {
    servers: [
      {
        ...{ server: "demo", pool: "demo", server_source: "demo", status: "available", latency_ms: 1 },
        capabilities: { tools: {} },
      },
    ],
  },
};
const NOBODY: DiscoveryAnswer = {
  docker: { docker_health: "critical", container_status: {} },
  mcp: { servers: [] },
};

onEveryHost("what a client has looked up", ({ sidecar, connect, gateway }) => {
  const answers = () => {
    sidecar.answer("GET /v1/agents", AGENTS);
    sidecar.answer("GET /v1/latest", LATEST);
    sidecar.answer("GET /v1/discovery", DISCOVERY);
  };

  it("H5 the agents: what the swarm's commands say beside what MCP says, or the one without the other", async () => {
    answers();
    const client = await connect({ kind: "relay" });
    expect(await client.ask({ type: "request_agents" })).toMatchObject({
      ...{ type: "multi_agent_update", source: "docker", swarms: [{ swarmId: "swarm-1" }], mcp_telemetry },
      timestamp: expect.any(Number),
    });
    const error = { code: "swarm_unavailable", message: "The container is not running." } as const;
    sidecar.answer("GET /v1/agents", { docker: { error }, mcp_telemetry } satisfies AgentsAnswer);
    expect(await client.ask({ type: "request_agents" })).toMatchObject({
      ...{ type: "error", source: "docker", ...error, mcp_telemetry },
    });
  });

  it("H6 what there is, unless nothing is well", async () => {
    answers();
    const client = await connect({ kind: "relay" });
    const found = await client.ask({ type: "request_discovery" });
    expect(found).toMatchObject({ type: "discovery", ...DISCOVERY });
    sidecar.answer("GET /v1/discovery", NOBODY);
    expect(await client.ask({ type: "request_discovery" })).toMatchObject({
      ...{ type: "error", code: "swarm_unavailable", message: "No healthy services available" },
    });
  });

  it("S2 topology and performance, and S8 nothing outside a token's scope", async () => {
    answers();
    const client = await connect();
    expect(await client.ask({ type: "request_topology" })).toMatchObject({ swarms: [{ topology: "mesh" }] });
    expect(await client.ask({ type: "request_performance" })).toMatchObject({ agents: [{ agent_id: "w" }] });
    const other = await connect({ identity: { scope: { swarm_ids: ["swarm-2"] } } });
    expect(await other.ask({ type: "request_topology" })).toMatchObject({ swarms: [] });
    expect(await other.ask({ type: "request_performance" })).toMatchObject({ agents: [] });
  });

  it("S8 not more often than a client may", async () => {
    answers();
    const client = await connect();
    const asked = await Promise.all(
      Array.from({ length: 8 }, () => client.ask({ type: "request_topology" })),
    );
    expect(asked.some((answer) => answer.type === "error" && answer.code === "rate_limited")).toBe(true);
    expect(sidecar.countOf("/v1/latest")).toBeLessThan(8);
  });

  it("S9 in VisionFlow's own words, at its own address", async () => {
    answers();
    sidecar.show([worker], telemetry.swarms);
    const messages: Record<string, unknown>[] = [];
    const socket = new WebSocket(`${gateway().url.replace("http", "ws")}/api/multi-mcp/ws`, {
      headers: { authorization: `Bearer ${await gateway().token()}` },
    });
    socket.on("message", (data) => messages.push(JSON.parse(String(data))));
    await new Promise((resolve) => socket.once("open", resolve));
    const say = (action: string, data?: unknown) => socket.send(JSON.stringify({ action, data }));
    const next = (what: Record<string, unknown>) =>
      expect
        .poll(() => messages.splice(0, messages.length), { timeout: 10_000 })
        .toContainEqual(expect.objectContaining(what));

    await next({
      type: "multi_agent_update",
      agents: [
        expect.objectContaining({
          ...{ agent_id: "w", created_at: 0, metadata: expect.objectContaining({ server: "demo" }) },
          // It counts a processor as one where we write percent.
          performance: expect.objectContaining({ cpu_usage: 0.5 }),
        }),
      ],
    });
    say("configure", { subscription_filters: { agent_types: [] }, performance_mode: "high_frequency" });
    await next({ type: "config_updated", performance_mode: "high_frequency" });
    sidecar.show([], telemetry.swarms);
    await next({ type: "multi_agent_update", removed_agents: ["w"] });
    say("request_discovery");
    await next({ type: "discovery", docker: DISCOVERY.docker });
    say("request_agents");
    await next({ type: "multi_agent_update", source: "docker" });
    say("request_topology", { swarm_id: "swarm-1" });
    await next({ type: "topology_update", swarm_id: "swarm-1" });
    say("request_performance");
    await next({ type: "performance_analysis", mcp_status: "available" });
    say("dance");
    await next({ type: "error", message: "Unknown message format" });
    socket.close();
  });
});
