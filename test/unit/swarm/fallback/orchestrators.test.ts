import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../../shared/errors.ts";
import type { McpProfileName } from "../../../../sidecar/mcp/server-config.ts";
import { isNotGiven } from "../../../../sidecar/swarm/fallback/orchestrator.ts";
import { caught, failing, REQUEST, type Script, scripted, upstreamOf } from "./scripted.ts";

function give(profile: McpProfileName, script: Script) {
  const server = scripted(profile, script);
  const { orchestrator, call } = upstreamOf(server);
  const commits: [string | null, number][] = [];
  const given = orchestrator.give(REQUEST, call, (id) => commits.push([id, server.calls.length]));
  given.catch(() => {});
  return { ...server, orchestrator, call, commits, given };
}

/** claude-flow 3.43.0, as far as these tools go: what it keeps, and what it answers. */
function claudeFlow3(agents: object[], overrides: Script = {}) {
  const task = { taskId: "task-1-a", status: "pending", result: null };
  return give("claude-flow@3", {
    agent_list: () => ({ agents, total: agents.length }),
    agent_spawn: () => ({ success: true, agentId: "agent-new", agentType: "coder", status: "registered" }),
    task_create: () => ({ ...task, assignedTo: [] }),
    task_assign: ({ agentIds }) => ({ taskId: task.taskId, assignedTo: agentIds, status: "in_progress" }),
    task_status: () => task,
    task_cancel: () => Object.assign(task, { status: "cancelled" }),
    ...overrides,
  });
}

describe("the demo swarm", () => {
  const answer = { taskId: REQUEST.taskId, swarmId: "swarm-1", status: "active", workerCount: 2 };

  it("H3 is given the task by task_orchestrate, with our id, which is written down before", async () => {
    const { given, calls, commits } = give("demo", { task_orchestrate: () => answer });
    expect(await given).toEqual({ swarmId: "swarm-1", how: "by swarm swarm-1" });
    const { taskId, task, priority } = REQUEST;
    expect(calls).toEqual([["task_orchestrate", { taskId, task, priority, strategy: "balanced" }]]);
    expect(commits).toEqual([[taskId, 0]]);
  });

  it("H4 is told to stop the swarm that does the task", async () => {
    const { orchestrator, call, calls } = give("demo", {
      task_status: () => ({ ...answer, result: null }),
      task_stop: () => ({ swarmId: "swarm-1", status: "stopped" }),
    });
    await orchestrator.stop?.(REQUEST.taskId, call);
    expect(calls.at(-1)).toEqual(["task_stop", { swarmId: "swarm-1" }]);
  });

  it.each([
    ["active", "running"],
    ["completed", "completed"],
    ["failed", "failed"],
    ["stopped", "stopped"],
  ])("H3 a task that is %s is %s", async (status, state) => {
    const script = { task_status: () => ({ ...answer, status, error: "why", result: { primes: 3 } }) };
    const { orchestrator, call } = give("demo", script);
    expect(await orchestrator.status?.("id", call)).toEqual({ state, reason: "why", result: { primes: 3 } });
  });
});

/** As 1.0.20 answered, shortened. */
const ruvSwarm = (swarms: number, agents: number, overrides: Script = {}) =>
  give("ruv-swarm", {
    agent_list: () => ({
      total_agents: agents,
      agents: Array(agents).fill({ id: "agent-1", status: "idle" }),
    }),
    swarm_status: () => ({ active_swarms: swarms, swarms: [] }),
    swarm_init: () => ({ id: "swarm-1", message: "Successfully initialized mesh swarm with 5 max agents" }),
    agent_spawn: () => ({ agent: { id: "agent-1", status: "idle" } }),
    task_orchestrate: () => ({ taskId: "task-9", status: "orchestrated", assigned_agents: ["agent-1"] }),
    ...overrides,
  });

describe("ruv-swarm", () => {
  it("H3 is given the task by task_orchestrate with a strategy that it takes, and named by its answer", async () => {
    const { given, calls, commits } = ruvSwarm(1, 1);
    expect(await given).toEqual({ swarmId: null, how: "as task-9" });
    expect(calls.slice(1)).toEqual([
      ["task_orchestrate", { task: REQUEST.task, priority: "high", strategy: "adaptive" }],
    ]);
    expect(commits).toEqual([
      [null, 1],
      ["task-9", 2],
    ]);
  });

  it.each([
    [0, 0, ["agent_list", "swarm_status", "swarm_init", "agent_spawn", "task_orchestrate"]],
    [1, 0, ["agent_list", "swarm_status", "agent_spawn", "task_orchestrate"]],
    [1, 1, ["agent_list", "task_orchestrate"]],
  ])(
    "H3 with %i swarms and %i agents is given what it lacks, for without it refuses",
    async (swarms, agents, tools) => {
      const one = ruvSwarm(swarms, agents);
      await one.given;
      expect(one.tools()).toEqual(tools);
    },
  );

  it("H3 that has had no swarm yet, and stumbles over being asked for them, gets its first one", async () => {
    const { given, tools } = ruvSwarm(0, 0, { swarm_status: failing("mcp_failed") });
    await given;
    expect(tools()).toContain("swarm_init");
  });

  it.each([
    ["orchestrated", "running"],
    ["in_progress", "running"],
    ["completed", "completed"],
    ["failed", "failed"],
  ])("H3 a task that is %s is %s", async (status, state) => {
    const task_status = () => ({ id: "task-9", status, assignedAgents: ["agent-1"], progress: 1 });
    const { orchestrator, call } = ruvSwarm(1, 1, { task_status });
    expect(await orchestrator.status?.("task-9", call)).toEqual({ state, reason: null, result: null });
  });

  it("H4 has no means to stop a task", () => {
    expect(ruvSwarm(1, 1).orchestrator.stop).toBeNull();
  });
});

describe("claude-flow 2", () => {
  /** As 2.7.47 answered. */
  const answer = { success: true, taskId: "task_1_a", status: "pending", persisted: true };

  it("H3 is given the task by task_orchestrate, and tells nothing more", async () => {
    const { given, calls, commits, orchestrator } = give("claude-flow@2", { task_orchestrate: () => answer });
    expect(await given).toEqual({ swarmId: null, how: "as task_1_a, and will not say what becomes of it" });
    expect(calls).toEqual([
      ["task_orchestrate", { task: REQUEST.task, priority: "high", strategy: "balanced" }],
    ]);
    expect(commits).toEqual([
      [null, 0],
      ["task_1_a", 1],
    ]);
    expect([orchestrator.status, orchestrator.stop]).toEqual([null, null]);
  });
});

it.each<[McpProfileName, unknown]>(
  (["demo", "ruv-swarm", "claude-flow@2"] as const).flatMap((profile) =>
    [{ success: true }, "Task orchestrated", { success: true, taskId: "" }].map(
      (answer): [McpProfileName, unknown] => [profile, answer],
    ),
  ),
)("H3 H9 of %s an answer without a task's id is no refusal: %o", async (profile, answer) => {
  const agents = () => ({ agents: [{ id: "agent-1" }] });
  const { given } = give(profile, { task_orchestrate: () => answer, agent_list: agents });
  const thrown = await caught(given);
  expect([thrown.code, isNotGiven(thrown)]).toEqual(["mcp_failed", false]);
});

describe("claude-flow 3", () => {
  const busy = { agentId: "agent-1", agentType: "coder", status: "active" };
  const idle = { agentId: "agent-2", agentType: "tester", status: "idle" };

  it("H3 makes the task and assigns it to an agent with nothing to do", async () => {
    const { given, calls, commits } = claudeFlow3([busy, idle]);
    expect(await given).toEqual({
      swarmId: null,
      how: "as task-1-a, assigned to agent-2, which has to report its end",
    });
    expect(calls).toEqual([
      ["agent_list", {}],
      ["task_create", { type: "feature", description: REQUEST.task, priority: "high" }],
      ["task_assign", { taskId: "task-1-a", agentIds: ["agent-2"] }],
    ]);
    expect(commits).toEqual([
      [null, 1],
      ["task-1-a", 2],
    ]);
  });

  it("H3 spawns an agent only where there is none", async () => {
    const none = claudeFlow3([]);
    await none.given;
    expect(none.calls[1]).toEqual(["agent_spawn", { agentType: "coder" }]);
    expect(none.calls.at(-1)).toEqual(["task_assign", { taskId: "task-1-a", agentIds: ["agent-new"] }]);
    const one = claudeFlow3([busy]);
    await one.given;
    expect(one.tools()).not.toContain("agent_spawn");
  });

  it("H9 says of a task to which it gave no id neither that it was given nor that it was not", async () => {
    const { given, tools } = claudeFlow3([idle], { task_create: () => "Task created" });
    expect(isNotGiven(await caught(given))).toBe(false);
    expect(tools().at(-1)).toBe("task_create");
  });

  it("H3 takes a task back that nobody could be assigned to, and says that it was not given", async () => {
    const { given, tools } = claudeFlow3([idle], { task_assign: () => ({ error: "Task not found" }) });
    expect(isNotGiven(await caught(given))).toBe(true);
    expect(tools().at(-1)).toBe("task_cancel");
  });

  it.each(["mcp_failed", "circuit_open", "timeout"] as const)(
    "H9 does not say so when taking it back fails with %s",
    async (code) => {
      const { given } = claudeFlow3([idle], { task_assign: failing("timeout"), task_cancel: failing(code) });
      expect(isNotGiven(await caught(given))).toBe(false);
    },
  );

  it("H3 is not committed to anything while it looks for an agent", async () => {
    const { given, commits } = claudeFlow3([], { agent_spawn: () => ({ success: false }) });
    expect((await caught(given)).code).toBe("mcp_failed");
    expect(commits).toEqual([]);
  });

  it("H4 cancels a task, which then is stopped", async () => {
    const { orchestrator, call } = claudeFlow3([idle]);
    expect(await orchestrator.status?.("task-1-a", call)).toMatchObject({ state: "running" });
    await orchestrator.stop?.("task-1-a", call);
    expect(await orchestrator.status?.("task-1-a", call)).toMatchObject({ state: "stopped" });
  });

  it("H3 that it does not know a task, in a result like any other, is a refusal", async () => {
    const script = { task_status: () => ({ taskId: "t", status: "not_found", error: "Task not found" }) };
    const { orchestrator, call } = claudeFlow3([idle], script);
    const asked = orchestrator.status?.("t", call) ?? Promise.resolve();
    expect(await caught(asked)).toBeInstanceOf(HivegateError);
    expect((await caught(asked)).code).toBe("mcp_failed");
  });
});

it("H3 a server that only lists agents takes no tasks", () => {
  expect(scripted("generic", {}).upstream).toBeUndefined();
});
