import { describe, expect, it, vi } from "vitest";
import { type Clock, platformClock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { McpRunner } from "../../../sidecar/swarm/fallback/mcp-runner.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { failing, type Script, scripted, upstreamOf } from "../swarm/fallback/scripted.ts";
import { aTask, fakeProfile, scratchDirectory, silentLog, TASK_ID, taskId, unreachable } from "./fakes.ts";
import { ended, never, type Options, start as startTasks } from "./tasks-setup.ts";

/** Tasks whose commands cannot start anything, beside a server that takes them. */
function start(script: Script = {}, options: Options & { kind?: "demo" | "ruv-swarm"; clock?: Clock } = {}) {
  const { kind = "demo", clock = platformClock, ...rest } = options;
  const state = { status: "active" };
  const server = scripted(
    kind,
    {
      task_orchestrate: () => ({ taskId: TASK_ID, swarmId: "swarm-1" }),
      task_status: ({ taskId: id }) => ({
        id,
        taskId: id,
        swarmId: "swarm-1",
        ...state,
        result: { primes: 3 },
      }),
      agent_list: () => ({ agents: [{ id: "agent-1" }] }),
      task_stop: () => Object.assign(state, { status: "stopped" }),
      ...script,
    },
    kind,
  );
  const mcp = new McpRunner({ upstreams: () => [upstreamOf(server)], clock, log: silentLog });
  const started = startTasks({ ...rest, mcp });
  started.executor.beforeStart = unreachable;
  return { ...started, server, state };
}

const command = { argv: () => ["control"], succeeded: () => true };
const withControls = fakeProfile({ controls: { stop: command, pause: command, resume: command } });

const given = (tools: string[]) => tools.filter((tool) => tool === "task_orchestrate");

describe("a task that docker cannot start", () => {
  it("H3 is done by MCP, marked as such with a note, and ends as the server says", async () => {
    const { tasks, state, changes, executor } = start();
    const { task, created } = await tasks.create(aTask());
    expect(task).toMatchObject({
      ...{ state: "running", method: "mcp-fallback", swarmId: "swarm-1" },
      note: "Not run by the swarm's commands: MCP server demo has it, by swarm swarm-1.",
    });
    expect(created).toBe(true);
    state.status = "completed";
    expect(await ended(tasks)).toMatchObject({ state: "completed", exitCode: null, error: null });
    expect(changes.at(-1)).toMatchObject({ method: "mcp-fallback", note: task.note });
    expect(executor.started).toEqual([]);
  });

  it("H2 H3 is not waited for beyond the start: a server that tells nothing costs the telemetry alone", async () => {
    const silent = { taskStatus: () => never<never>(), swarmStatus: () => never<never>() };
    const { tasks } = start({}, { telemetry: silent, telemetryTimeoutMs: 50 });
    const beganMs = performance.now();
    const { telemetry } = await tasks.create(aTask());
    expect(telemetry).toEqual({ status: "telemetry_unavailable" });
    expect(performance.now() - beganMs).toBeLessThan(1_000);
  });

  it("H3 asked for at the same time and again, goes to MCP once", async () => {
    const { tasks, server } = start();
    const all = await Promise.all([tasks.create(aTask()), tasks.create(aTask()), tasks.create(aTask())]);
    expect(all.map(({ task }) => task.method)).toEqual(Array(3).fill("mcp-fallback"));
    await tasks.create(aTask());
    expect(given(server.tools())).toHaveLength(1);
  });

  it("H3 fails with one error that names both causes when MCP refuses it, and may be asked for again", async () => {
    const { tasks, server } = start({ task_orchestrate: failing("mcp_failed") });
    const refused = tasks.create(aTask());
    await expect(refused).rejects.toMatchObject({ code: "swarm_unavailable" });
    await expect(refused).rejects.toThrow(
      /^process: .+ MCP: .+ Nothing was run: the same request may be sent again\.$/,
    );
    expect(tasks.get(TASK_ID)).toMatchObject({ state: "failed", method: "process" });
    expect(tasks.get(TASK_ID).note).toBeUndefined();
    await expect(tasks.create(aTask())).rejects.toThrow(HivegateError);
    expect(given(server.tools())).toHaveLength(2);
  });

  it("H9 whose answer was lost is lost, and the same request does not give it again", async () => {
    const { tasks, server } = start({ task_orchestrate: failing("timeout") }, { kind: "ruv-swarm" });
    const { task } = await tasks.create(aTask());
    expect(task.method).toBe("mcp-fallback");
    const end = await ended(tasks);
    expect(end).toMatchObject({ state: "lost", error: { code: "mcp_unavailable" } });
    expect(await tasks.create(aTask())).toMatchObject({ created: false, task: { state: "lost" } });
    expect(given(server.tools())).toHaveLength(1);
  });

  it("H9 is followed again after a restart, and never given or run anew", async () => {
    const directory = scratchDirectory();
    const first = start({}, { directory });
    await first.tasks.create(aTask());
    first.close();

    const second = start({}, { directory });
    second.executor.beforeStart = async () => {};
    await second.tasks.recover();
    expect(await second.tasks.create(aTask())).toMatchObject({
      created: false,
      task: { state: "running", method: "mcp-fallback", note: expect.stringContaining("by swarm swarm-1") },
    });
    second.state.status = "completed";
    expect((await ended(second.tasks)).state).toBe("completed");
    expect([given(second.server.tools()), second.executor.started]).toEqual([[], []]);
  });

  it("H9 is known to be with MCP although the sidecar ended before the server answered", async () => {
    const directory = scratchDirectory();
    const first = start({ task_orchestrate: () => never() }, { directory });
    void first.tasks.create(aTask());
    await vi.waitUntil(() => given(first.server.tools()).length === 1);
    first.close();

    const second = start({}, { directory });
    await second.tasks.recover();
    expect(second.tasks.get(TASK_ID)).toMatchObject({
      ...{ state: "running", method: "mcp-fallback" },
      note: "Not run by the swarm's commands: MCP server demo was given it before the sidecar ended.",
    });
    second.state.status = "completed";
    expect((await ended(second.tasks)).state).toBe("completed");
    expect(given(second.server.tools())).toEqual([]);
  });

  it("H9 is not asked about by a sidecar that ended while it was given", async () => {
    const clock = new ManualClock();
    const answer = Promise.withResolvers<object>();
    const { tasks, server, close } = start({ task_orchestrate: () => answer.promise }, { clock });
    const creating = tasks.create(aTask());
    await vi.waitUntil(() => given(server.tools()).length === 1);
    tasks.close();
    answer.resolve({ taskId: TASK_ID, swarmId: "swarm-1" });
    await creating;
    expect(clock.waiting).toBe(0);
    close();
  });

  it("H4 is stopped by the server, and not by a command that knows nothing of it", async () => {
    const { tasks, server, executor } = start({}, { profile: withControls });
    await tasks.create(aTask());
    await tasks.control(TASK_ID, "stop");
    expect((await ended(tasks)).state).toBe("stopped");
    expect(server.tools()).toContain("task_stop");
    expect(executor.commands).toEqual([]);
  });

  it("H4 is not said to be stopped, paused or resumed where the server has no means to", async () => {
    const { tasks, executor } = start(
      { task_orchestrate: () => ({ taskId: "task-9" }) },
      { kind: "ruv-swarm", profile: withControls },
    );
    await tasks.create(aTask());
    for (const control of ["stop", "pause", "resume"] as const) {
      await expect(tasks.control(TASK_ID, control)).rejects.toMatchObject({ code: "not_supported" });
    }
    expect(tasks.get(TASK_ID).state).toBe("running");
    expect(executor.commands).toEqual([]);
  });

  it("H3 is asked about no more when its time is over, were it that nobody can stop it", async () => {
    const clock = new ManualClock();
    const { tasks } = start({}, { kind: "ruv-swarm", clock });
    await tasks.create(aTask({ timeoutMs: 20 }));
    expect(await ended(tasks)).toMatchObject({ state: "lost", error: { code: "timeout" } });
    expect(clock.waiting).toBe(0);
  });

  it("H9 goes to docker again when docker is back", async () => {
    const { tasks, executor, server } = start();
    await tasks.create(aTask());
    executor.beforeStart = async () => {};
    const { task } = await tasks.create(aTask({ taskId: taskId(2) }));
    expect(task.method).toBe("process");
    expect(given(server.tools())).toHaveLength(1);
  });
});

describe("with MCP first", () => {
  const hybrid = { dockerPrimary: false, dockerFallback: true, mcpFallback: true };

  it("H8 docker is asked only when no server takes the task", async () => {
    const { tasks, executor } = start({}, { hybrid });
    executor.beforeStart = async () => {};
    expect((await tasks.create(aTask())).task.method).toBe("mcp-fallback");
    expect(executor.started).toEqual([]);

    const other = start({ task_orchestrate: failing("mcp_failed") }, { hybrid });
    other.executor.beforeStart = async () => {};
    const { task } = await other.tasks.create(aTask());
    expect([task.method, task.note]).toEqual(["process", undefined]);
    expect(other.executor.started).toHaveLength(1);
  });
});

describe("the state of the swarm", () => {
  const topology = {
    agent_list: () => ({ agents: [] }),
    agent_metrics: failing("mcp_failed"),
    swarm_topology: () => ({
      swarms: ["a", "b"].map((swarmId) => ({ swarmId, status: "active", agentCount: 1 })),
    }),
  };

  it("H4 is told by MCP, marked as such, when docker does not tell", async () => {
    const { tasks, executor } = start(topology);
    executor.answer = unreachable;
    expect(await tasks.swarms()).toMatchObject({
      method: "mcp-fallback",
      swarms: [{ swarmId: "a" }, { swarmId: "b" }],
    });
    expect(await tasks.status(["b"])).toMatchObject({ method: "mcp-fallback", swarms: [{ swarmId: "b" }] });
    // What docker says is authoritative there.
    await expect(tasks.swarmsByCommand()).rejects.toMatchObject({ code: "swarm_unavailable" });
  });

  it("H4 is one clear error when nobody tells", async () => {
    const { tasks, executor } = start();
    executor.answer = unreachable;
    await expect(tasks.status()).rejects.toMatchObject({
      code: "swarm_unavailable",
      message: expect.stringMatching(/^process: .+ MCP: .+/),
    });
  });
});
