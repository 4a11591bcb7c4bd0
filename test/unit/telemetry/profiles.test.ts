import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { Agent, UNKNOWN_PERFORMANCE } from "../../../shared/swarm/agent.ts";
import { claudeFlowProfile } from "../../../sidecar/telemetry/claude-flow-profile.ts";
import { demoProfile } from "../../../sidecar/telemetry/demo-profile.ts";
import type { CallTool } from "../../../sidecar/telemetry/profile.ts";
import { taskStatus } from "../../../sidecar/telemetry/profiles.ts";

/** A server whose tools answer with these data; a tool that is not there fails. */
const serverWith =
  (answers: Record<string, unknown>): CallTool =>
  async (tool) => {
    if (!(tool in answers)) throw new HivegateError("mcp_failed");
    return answers[tool];
  };

describe("the demo swarm's agents", () => {
  const entry = {
    agentId: "swarm-1-worker-1",
    swarmId: "swarm-1",
    name: "worker 1",
    type: "worker",
    status: "working",
    currentTask: "count primes below 100",
    progress: 0.25,
    createdAt: 1_000,
    lastActive: 2_000,
  };
  const figures = {
    agentId: "swarm-1-worker-1",
    cpuPercent: 97.5,
    memoryBytes: 4_000_000,
    unitsDone: 3,
    unitsPerSecond: 1.5,
    tasksActive: 1,
    tasksCompleted: 0,
    tasksFailed: 0,
  };
  const agent = {
    agent_id: "swarm-1-worker-1",
    swarm_id: "swarm-1",
    server: "main",
    server_source: "demo",
    name: "worker 1",
    agent_type: "worker",
    status: "working",
    capabilities: [],
    current_task: "count primes below 100",
    progress: 0.25,
    performance: {
      ...UNKNOWN_PERFORMANCE,
      cpu_usage: 97.5,
      memory_usage: 4_000_000,
      throughput: 1.5,
      tasks_active: 1,
      tasks_completed: 0,
      tasks_failed: 0,
    },
    created_at: 1_000,
    last_active: 2_000,
  };

  it("S3 an agent has what the server says of it, and null where it says nothing", async () => {
    const call = serverWith({ agent_list: { agents: [entry] }, agent_metrics: { agents: [figures] } });
    const report = await demoProfile.readAgents("main", call);
    expect(report).toEqual({ agents: [agent], leftOut: 0 });
    expect(Agent.parse(report.agents[0])).toEqual(agent);
  });

  it.each([
    ["fails", {}],
    ["does not know the agent", { agent_metrics: { agents: [] } }],
    ["knows nothing of it", { agent_metrics: { agents: [{ agentId: entry.agentId, cpuPercent: null }] } }],
  ])("S3 where agent_metrics %s, the figures are null", async (_what, metrics) => {
    const call = serverWith({ agent_list: { agents: [entry] }, ...metrics });
    const { agents } = await demoProfile.readAgents("main", call);
    expect(agents).toEqual([{ ...agent, performance: UNKNOWN_PERFORMANCE }]);
  });

  it("S6 entries that do not fit are left out and counted; the others are shown", async () => {
    const strange = [null, "agent", {}, { ...entry, agentId: "" }, { ...entry, status: 7 }];
    const call = serverWith({
      agent_list: { agents: [...strange, entry] },
      agent_metrics: { agents: [figures] },
    });
    expect(await demoProfile.readAgents("main", call)).toEqual({ agents: [agent], leftOut: 5 });
  });

  it("T8 no list at all is mcp_failed", async () => {
    const call = serverWith({ agent_list: "no agents today", agent_metrics: { agents: [] } });
    await expect(demoProfile.readAgents("main", call)).rejects.toMatchObject({ code: "mcp_failed" });
  });
});

describe("claude-flow's agents", () => {
  // As claude-flow 3.43.0 answers.
  const worker = {
    agentId: "hive-worker-1795250382356-2vs5",
    agentType: "worker",
    status: "idle",
    health: 1,
    taskCount: 0,
    createdAt: "2026-11-21T08:39:42.356Z",
    domain: "hive-mind",
  };
  const coder = {
    agentId: "agent-1795250382153-hozygb",
    agentType: "coder",
    status: "active",
    health: 1,
    taskCount: 1,
    createdAt: "2026-11-21T08:39:42.154Z",
  };
  const list = { agents: [worker, coder], total: 2, filters: {} };
  const hive = {
    hiveId: "hive-1795250382349",
    status: "active",
    initialized: true,
    workers: [{ id: worker.agentId, type: "worker", status: "idle", currentTask: null, tasksCompleted: 0 }],
  };

  it("S3 the hive's workers belong to the hive, other agents to no swarm that is known", async () => {
    const call = serverWith({ agent_list: list, "hive-mind_status": hive });
    const { agents, leftOut } = await claudeFlowProfile.readAgents("main", call);
    expect(leftOut).toBe(0);
    expect(agents.map((agent) => Agent.parse(agent))).toEqual([
      {
        agent_id: worker.agentId,
        swarm_id: "hive-1795250382349",
        server: "main",
        server_source: "claude_flow",
        name: null,
        agent_type: "worker",
        status: "idle",
        capabilities: [],
        current_task: null,
        progress: null,
        performance: { ...UNKNOWN_PERFORMANCE, health_score: 1, tasks_completed: 0 },
        created_at: 1795250382356,
        last_active: null,
      },
      expect.objectContaining({ agent_id: coder.agentId, swarm_id: null, status: "active" }),
    ]);
  });

  it.each([
    ["fails", {}],
    ["tells of a hive that is not there", { "hive-mind_status": { ...hive, initialized: false } }],
  ])("S3 where hive-mind_status %s, no swarm is made up", async (_what, status) => {
    const call = serverWith({ agent_list: list, ...status });
    const { agents } = await claudeFlowProfile.readAgents("main", call);
    expect(agents.map((agent) => agent.swarm_id)).toEqual([null, null]);
  });
});

describe("what a server says of a task", () => {
  const asking = (data: unknown) =>
    taskStatus({ call: async () => data }, "6f2ef6a1-3f7e-4d4c-9a53-0b8d8c9f2a10");

  it("H2 comes through in the server's own words", async () => {
    const data = { taskId: "task-1", status: "in_progress", progress: 40 };
    expect(await asking(data)).toEqual(data);
  });

  it("H2 a task that the server does not know is a failure, not telemetry", async () => {
    // As claude-flow 3.43.0 answers.
    const data = { taskId: "task-1", status: "not_found", error: "Task not found" };
    await expect(asking(data)).rejects.toMatchObject({ code: "mcp_failed" });
  });
});
