import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { Agent, UNKNOWN_PERFORMANCE } from "../../../shared/swarm/agent.ts";
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
    neural_info: null,
    created_at: 1_000,
    last_active: 2_000,
  };
  const swarm = {
    swarmId: "swarm-1",
    topology: "star",
    status: "active",
    coordinator: "swarm-1-queen",
    agentCount: 2,
  };

  it("S3 an agent has what the server says of it, and null where it says nothing", async () => {
    const call = serverWith({ agent_list: { agents: [entry] }, agent_metrics: { agents: [figures] } });
    const report = await demoProfile.read("main", call);
    expect(report).toEqual({ agents: [agent], swarms: [], leftOut: 0 });
    expect(Agent.parse(report.agents[0])).toEqual(agent);
  });

  it.each([
    ["fails", {}],
    ["does not know the agent", { agent_metrics: { agents: [] } }],
    ["knows nothing of it", { agent_metrics: { agents: [{ agentId: entry.agentId, cpuPercent: null }] } }],
  ])("S3 where agent_metrics %s, the figures are null", async (_what, metrics) => {
    const call = serverWith({ agent_list: { agents: [entry] }, ...metrics });
    const { agents } = await demoProfile.read("main", call);
    expect(agents).toEqual([{ ...agent, performance: UNKNOWN_PERFORMANCE }]);
  });

  it("S6 entries that do not fit are left out and counted; the others are shown", async () => {
    const strange = [null, "agent", {}, { ...entry, agentId: "" }, { ...entry, status: 7 }];
    const call = serverWith({
      agent_list: { agents: [...strange, entry] },
      agent_metrics: { agents: [figures] },
    });
    expect(await demoProfile.read("main", call)).toEqual({ agents: [agent], swarms: [], leftOut: 5 });
  });

  it("S2 the queen coordinates her swarm", async () => {
    const call = serverWith({
      agent_list: { agents: [] },
      swarm_topology: { swarms: [swarm, { swarmId: "" }] },
    });
    expect(await demoProfile.read("main", call)).toMatchObject({
      swarms: [
        {
          ...{ swarm_id: "swarm-1", server: "main", server_source: "demo", topology: "star" },
          ...{ status: "active", coordinator: "swarm-1-queen", agents: 2, max_agents: null },
        },
      ],
    });
  });

  it("T8 no list at all is mcp_failed", async () => {
    const call = serverWith({ agent_list: "no agents today", agent_metrics: { agents: [] } });
    await expect(demoProfile.read("main", call)).rejects.toMatchObject({ code: "mcp_failed" });
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
