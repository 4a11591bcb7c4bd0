import { describe, expect, it } from "vitest";
import { platformClock } from "../../../../shared/clock.ts";
import { HivegateError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { McpRunner } from "../../../../sidecar/swarm/fallback/mcp-runner.ts";
import type { Upstream } from "../../../../sidecar/swarm/fallback/upstreams.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { silentLog, TASK_ID } from "../../sidecar/fakes.ts";
import { caught, failing, heard, REQUEST, type Script, scripted, upstreamOf } from "./scripted.ts";

const runnerOf = (...upstreams: Upstream[]) =>
  new McpRunner({ upstreams: () => upstreams, clock: platformClock, log: silentLog });

const done = { status: "completed", result: "r".repeat(LIMITS.taskEventBytes) };

const demo = (script: Script = {}, name = "demo") =>
  scripted(
    "demo",
    {
      task_orchestrate: ({ taskId }) => ({ taskId, swarmId: "swarm-1" }),
      task_status: ({ taskId }) => ({ taskId, swarmId: "swarm-1", ...done }),
      ...script,
    },
    name,
  );

const ruvSwarm = (script: Script) =>
  scripted("ruv-swarm", { agent_list: () => ({ agents: [{ id: "agent-1" }] }), ...script }, "ruv");

describe("McpRunner", () => {
  it("H3 gives the task once, says who has it, and follows it to its end", async () => {
    const server = demo();
    const { said, handles, callbacks } = heard();
    const { exit } = await runnerOf(upstreamOf(server)).start(REQUEST, callbacks);
    expect(said).toEqual([
      "remembered",
      {
        note: "Not run by the swarm's commands: MCP server demo has it, by swarm swarm-1.",
        swarmId: "swarm-1",
      },
    ]);
    expect(handles).toEqual([`mcp:{"server":"demo","id":"${TASK_ID}"}`]);
    expect(await exit).toEqual({ exitCode: null, end: { state: "completed", error: null } });
    expect(server.tools()).toEqual(["task_orchestrate", "task_status"]);
    expect(String(said.at(-1)).length).toBeLessThan(LIMITS.taskEventBytes / 3);
  });

  it("H9 has written down that it gives the task when the server hears of it", async () => {
    const { said, callbacks } = heard();
    const server = ruvSwarm({
      task_orchestrate: () => {
        said.push("given");
        return { taskId: "task-9" };
      },
    });
    await runnerOf(upstreamOf(server)).start(REQUEST, callbacks);
    expect(said.slice(0, 3)).toEqual(["remembered", "given", "remembered"]);
  });

  it.each(["mcp_failed", "circuit_open", "overloaded"] as const)(
    "H3 a server that certainly has no such task (%s) gives no task",
    async (code) => {
      const { said, callbacks } = heard();
      const server = demo({ task_orchestrate: failing(code) });
      expect((await caught(runnerOf(upstreamOf(server)).start(REQUEST, callbacks))).code).toBe(code);
      expect(said).toEqual(["remembered"]);
    },
  );

  describe.each(["timeout", "mcp_unavailable", "shutting_down"] as const)("no answer: %s", (code) => {
    it("H9 a server that takes our id is asked what became of the task, and not given it again", async () => {
      const server = demo({ task_orchestrate: failing(code) });
      const { said, callbacks } = heard();
      const { exit } = await runnerOf(upstreamOf(server)).start(REQUEST, callbacks);
      expect(said.at(-1)).toMatchObject({ note: expect.stringContaining("did not answer"), swarmId: null });
      expect((await exit).end?.state).toBe("completed");
      expect(server.tools().filter((tool) => tool === "task_orchestrate")).toHaveLength(1);
    });

    it("H9 of another server the task is lost, and another server is not given it either", async () => {
      const [first, second] = [ruvSwarm({ task_orchestrate: failing(code) }), demo()];
      const runner = runnerOf(upstreamOf(first), upstreamOf(second));
      const { exit } = await runner.start(REQUEST, heard().callbacks);
      expect((await exit).end).toMatchObject({
        state: "lost",
        error: {
          message: expect.stringContaining("did not answer with an id. What became of it is not known."),
        },
      });
      expect(second.calls).toEqual([]);
    });
  });

  it("H9 a task that was taken without an id is lost, and another server is not given it", async () => {
    const [first, second] = [ruvSwarm({ task_orchestrate: () => ({ id: "task-7" }) }), demo()];
    const { said, callbacks } = heard();
    const { exit } = await runnerOf(upstreamOf(first), upstreamOf(second)).start(REQUEST, callbacks);
    expect(said.at(-1)).toMatchObject({ note: expect.stringContaining("did not answer with an id") });
    expect((await exit).end).toMatchObject({ state: "lost" });
    expect(second.calls).toEqual([]);
  });

  it("H3 gives the task to a server that answers, and names what the last one failed by when none does", async () => {
    const [away, well] = [demo({}, "away"), demo({}, "well")];
    away.state.answersPings = false;
    const runner = runnerOf(upstreamOf(away), upstreamOf(well));
    await runner.start(REQUEST, heard().callbacks);
    expect([away.calls.length, well.calls.length]).toEqual([0, 1]);
    well.state.answersPings = false;
    const { said, callbacks } = heard();
    expect((await caught(runner.start(REQUEST, callbacks))).code).toBe("mcp_unavailable");
    expect(said).toEqual([]);
  });

  it("H3 asks the next server when one refuses, and none when nothing can be written down", async () => {
    const [refusing, taking] = [
      demo({ task_orchestrate: failing("mcp_failed") }, "refusing"),
      demo({}, "taking"),
    ];
    const { said, handles, callbacks } = heard();
    await runnerOf(upstreamOf(refusing), upstreamOf(taking)).start(REQUEST, callbacks);
    expect(said.at(-1)).toMatchObject({ note: expect.stringContaining("MCP server taking has it") });
    expect(handles.map((handle) => handle.includes("taking"))).toEqual([false, true]);

    const [first, second] = [demo({}, "first"), demo({}, "second")];
    const full = () => {
      throw new Error("disk full");
    };
    const started = runnerOf(upstreamOf(first), upstreamOf(second)).start(REQUEST, {
      ...callbacks,
      rememberDurably: full,
    });
    await expect(started).rejects.toThrow("disk full");
    expect([first.calls, second.calls]).toEqual([[], []]);
  });

  it("H3 prefers the pool that was configured first, and lets its servers take turns", async () => {
    const server = (name: string, pool: string) => {
      const one = demo({}, name);
      return { ...one, upstream: { ...upstreamOf(one), pool } };
    };
    const [a, b, other] = [server("a", "main"), server("b", "main"), server("other", "more")];
    const runner = runnerOf(a.upstream, other.upstream, b.upstream);
    const give = async (times: number) => {
      for (let n = 0; n < times; n++) await runner.start(REQUEST, heard().callbacks);
    };
    await give(4);
    const given = () =>
      [a, b, other].map(({ tools }) => tools().filter((tool) => tool === "task_orchestrate").length);
    expect(given()).toEqual([2, 2, 0]);
    for (const { state } of [a, b]) state.answersPings = false;
    await give(1);
    expect(given()).toEqual([2, 2, 1]);
  });

  it("H9 a task is followed again after a restart, by what was written down", async () => {
    const { handles, callbacks } = heard();
    const server = ruvSwarm({ task_orchestrate: () => ({ taskId: "task-9" }) });
    await runnerOf(upstreamOf(server)).start(REQUEST, callbacks);

    const later = ruvSwarm({ task_status: ({ taskId }) => ({ id: taskId, status: "failed" }) });
    const handle = handles.at(-1) ?? null;
    const recovery = await runnerOf(upstreamOf(later)).recover(
      { taskId: TASK_ID, handle },
      heard().callbacks,
    );
    expect(recovery).toMatchObject({ status: "running", lostOutput: false });
    if (recovery.status !== "running") return;
    expect((await recovery.exit).end?.state).toBe("failed");
    expect(later.calls).toEqual([["task_status", { taskId: "task-9" }]]);

    // Killed between the note and the answer.
    const intent = await runnerOf(upstreamOf(later)).recover(
      { taskId: TASK_ID, handle: handles[0] ?? null },
      heard().callbacks,
    );
    if (intent.status !== "running") throw new Error(intent.status);
    expect((await intent.exit).end?.state).toBe("lost");
    expect(later.calls).toHaveLength(1);
  });

  it.each([
    ["a server that is no longer configured", [], "no longer configured"],
    ["a server that cannot tell", [scripted("claude-flow@2", {}, "old")], "does not tell how they are"],
  ])("H3 with %s it is lost at once, and says why", async (_, servers, words) => {
    const handle = 'mcp:{"server":"old","id":"task-1"}';
    const runner = runnerOf(...servers.map(upstreamOf));
    const recovery = await runner.recover({ taskId: TASK_ID, handle }, heard().callbacks);
    if (recovery.status !== "running") throw new Error(recovery.status);
    const { end } = await recovery.exit;
    expect(end).toMatchObject({ state: "lost", error: { message: expect.stringContaining(words) } });
  });

  /** A task that the server `demo` has, and servers that come and go meanwhile. */
  async function underWay() {
    let status = "active";
    const server = upstreamOf(
      demo({ task_status: ({ taskId }) => ({ taskId, swarmId: "swarm-1", status, result: null }) }),
    );
    const clock = new ManualClock();
    let upstreams = [server];
    const runner = new McpRunner({ upstreams: () => upstreams, clock, log: silentLog });
    const { exit } = await runner.start(REQUEST, heard().callbacks);
    /** So many times it is looked how the task is. */
    const looks = async (times: number) => {
      for (let n = 0; n < times; n++) {
        clock.advanceToNext(Infinity);
        await new Promise((resolve) => setImmediate(resolve));
      }
    };
    const serversAre = (...now: Upstream[]) => {
      upstreams = now;
    };
    const completes = () => {
      status = "completed";
    };
    return { runner, server, exit, looks, serversAre, completes };
  }

  it("C1 H9 a task whose server is away for a moment is followed to its end", async () => {
    const { runner, server, exit, looks, serversAre, completes } = await underWay();
    serversAre();
    await looks(2);
    expect((await caught(runner.stop(TASK_ID))).code).toBe("mcp_unavailable");
    serversAre(server);
    await looks(1);
    serversAre();
    await looks(2);
    serversAre(server);
    completes();
    await looks(1);
    expect(await exit).toMatchObject({ end: { state: "completed" } });
    expect(runner.has(TASK_ID)).toBe(false);
  });

  it.each<[string, Upstream[], string]>([
    ["was taken away", [], "no longer configured"],
    [
      "tells of tasks no more",
      [upstreamOf(scripted("claude-flow@2", {}, "demo"))],
      "does not tell how they are",
    ],
    [
      "was replaced by one that knows nothing of it",
      [upstreamOf(demo({ task_status: failing("mcp_failed") }))],
      "does not know the task",
    ],
  ])("C1 H9 a task whose server %s is lost, and says why", async (_, servers, words) => {
    const { runner, exit, looks, serversAre } = await underWay();
    serversAre(...servers);
    await looks(3);
    const { end } = await exit;
    expect(end).toMatchObject({ state: "lost", error: { message: expect.stringContaining(words) } });
    expect(runner.has(TASK_ID)).toBe(false);
  });

  it("H4 stops a task where the server can, and is told of the end at once", async () => {
    let status = "active";
    const server = demo({
      task_status: ({ taskId }) => ({ taskId, swarmId: "swarm-1", status, result: null }),
      task_stop: () => {
        status = "stopped";
        return {};
      },
    });
    const runner = runnerOf(upstreamOf(server));
    const { exit } = await runner.start(REQUEST, heard().callbacks);
    expect(runner.has(TASK_ID)).toBe(true);
    await runner.stop(TASK_ID);
    expect((await exit).end?.state).toBe("stopped");
    expect(runner.has(TASK_ID)).toBe(false);
  });

  it("H4 says that a task cannot be stopped where the server has no means to", async () => {
    const runner = runnerOf(upstreamOf(ruvSwarm({ task_orchestrate: () => ({ taskId: "task-9" }) })));
    await runner.start(REQUEST, heard().callbacks);
    expect((await caught(runner.stop(TASK_ID))).code).toBe("not_supported");
    runner.letGo(TASK_ID);
    expect(runner.has(TASK_ID)).toBe(false);
  });

  it("H4 tells of the swarms as far as the server does", async () => {
    const topology = { swarmId: "swarm-1", topology: "star", status: "active", agentCount: 3 };
    const server = demo({
      agent_list: () => ({ agents: [] }),
      swarm_topology: () => ({ swarms: [topology] }),
      agent_metrics: failing("mcp_failed"),
    });
    expect(await runnerOf(upstreamOf(server)).swarms()).toMatchObject([
      { swarmId: "swarm-1", status: "active", topology: "star", workerCount: null, taskId: null },
    ]);
    expect(await caught(runnerOf(upstreamOf(ruvSwarm({}))).swarms())).toBeInstanceOf(HivegateError);
  });
});
