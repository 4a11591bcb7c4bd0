import { describe, expect, it, vi } from "vitest";
import { aTask, fakeProfile, succeeded, TASK_ID, taskId, unreachable } from "./fakes.ts";
import { ended, failChanges, never, start } from "./tasks-setup.ts";

describe("controlling a task", () => {
  it("H4 stops it by its processes when the swarm's CLI has no stop", async () => {
    const { tasks, executor } = start();
    await tasks.create(aTask());
    expect(await tasks.control(TASK_ID, "stop")).toMatchObject({ state: "stopped", error: null });
    expect(executor.stopped).toEqual([TASK_ID]);
    await expect(tasks.control(TASK_ID, "stop")).rejects.toMatchObject({ code: "task_ended" });
  });

  const stop = {
    argv: (cli: readonly string[], swarmId: string) => [...cli, "stop", swarmId],
    succeeded: (result: { exitCode: number | null }) => result.exitCode === 0,
  };
  const controls = { stop, pause: null, resume: null };

  it("H4 stops it by the swarm's CLI where that can, and leaves a process that ends alone", async () => {
    const { tasks, executor } = start({ profile: fakeProfile({ controls }), stopGraceMs: 5_000 });
    await tasks.create(aTask());
    executor.process.write("stdout", "swarm s-1\n");
    executor.answer = async () => {
      executor.process.exit(3);
      return succeeded("");
    };
    expect(await tasks.control(TASK_ID, "stop")).toMatchObject({ state: "stopped", exitCode: 3 });
    expect(executor.commands).toEqual([["cli", "stop", "s-1"]]);
    expect(executor.stopped).toEqual([]);
  });

  it.each([
    ["fails", 1],
    ["does not end the process", 0],
  ])("H4 ends its processes when the swarm's own stop %s", async (_, exitCode) => {
    const { tasks, executor } = start({ profile: fakeProfile({ controls }) });
    await tasks.create(aTask());
    executor.process.write("stdout", "swarm s-1\n");
    executor.answer = async () => ({ ...succeeded(""), exitCode });
    expect(await tasks.control(TASK_ID, "stop")).toMatchObject({ state: "stopped" });
    expect(executor.stopped).toEqual([TASK_ID]);
  });

  it("H4 takes an exit with 0 for a success only where its swarm needs more for one", async () => {
    const byExitCode = fakeProfile({
      outcome: (exitCode) => ({ state: exitCode === 0 ? "completed" : "failed", reason: null }),
    });
    for (const [profile, output, state] of [
      [byExitCode, "done\n", "stopped"],
      [fakeProfile(), "", "stopped"],
      [fakeProfile(), "done\n", "completed"],
    ] as const) {
      const { tasks, executor } = start({ profile });
      await tasks.create(aTask());
      executor.stop = async () => {
        executor.process.write("stdout", output);
        executor.process.exit(0);
      };
      expect(await tasks.control(TASK_ID, "stop")).toMatchObject({ state, error: null });
    }
  });

  it("H4 says why it could not be stopped; the task then goes on to its own end", async () => {
    const { tasks, executor } = start();
    await tasks.create(aTask());
    executor.stop = unreachable;
    await expect(tasks.control(TASK_ID, "stop")).rejects.toMatchObject({ code: "swarm_unavailable" });
    executor.process.write("stdout", "done\n");
    executor.process.exit(0);
    expect(await ended(tasks)).toMatchObject({ state: "completed" });
  });

  it("H4 waits with the answer until the end of a process that has ended is recorded", async () => {
    const { tasks, executor, ledger } = start({ recoveryRetryMs: 50, stopGraceMs: 5_000 });
    await tasks.create(aTask());
    failChanges(ledger, 1);
    executor.process.exit(1);
    await vi.waitFor(() => expect(ledger.change).toHaveBeenCalled());
    expect(await tasks.control(TASK_ID, "stop")).toMatchObject({ state: "failed", exitCode: 1 });
    expect(executor.stopped).toEqual([]);
  });

  it("H4 says that a swarm without pause and resume has none", async () => {
    const { tasks, executor } = start();
    await tasks.create(aTask());
    await expect(tasks.control(TASK_ID, "pause")).rejects.toMatchObject({ code: "not_supported" });
    await expect(tasks.control(TASK_ID, "resume")).rejects.toMatchObject({ code: "not_supported" });
    expect(executor.commands).toEqual([]);
  });

  it("H4 pauses by the swarm's CLI, and never claims a success that was none", async () => {
    const pause = { ...stop, argv: (_: readonly string[], swarmId: string) => ["pause", swarmId] };
    const profile = fakeProfile({ controls: { ...controls, pause } });
    const { tasks, executor } = start({ profile });
    await tasks.create(aTask());
    await expect(tasks.control(TASK_ID, "pause")).rejects.toMatchObject({ code: "swarm_unavailable" });
    executor.process.write("stdout", "swarm s-1\n");
    expect(await tasks.control(TASK_ID, "pause")).toMatchObject({
      ...{ state: "running", pausedAt: expect.any(Number) },
    });
    executor.answer = async () => ({ ...succeeded(""), exitCode: 1 });
    await expect(tasks.control(TASK_ID, "pause")).rejects.toMatchObject({ code: "swarm_failed" });
  });

  it("H4 tells since when it is paused, until it goes on or ends", async () => {
    const profile = fakeProfile({ controls: { ...controls, pause: stop, resume: stop } });
    const { tasks, executor, changes } = start({ profile });
    await tasks.create(aTask());
    executor.process.write("stdout", "swarm s-1\n");
    for (const control of ["pause", "resume", "pause"] as const) await tasks.control(TASK_ID, control);
    executor.process.exit(1);
    expect(await ended(tasks)).toMatchObject({ state: "failed", pausedAt: null });
    const paused = changes.map(({ pausedAt }) => pausedAt !== null);
    expect(paused.slice(-4)).toEqual([true, false, true, false]);
  });

  it("H4 knows no task that was never created", async () => {
    const { tasks } = start();
    await expect(tasks.control(TASK_ID, "stop")).rejects.toMatchObject({ code: "unknown_task" });
    expect(() => tasks.get(TASK_ID)).toThrow(expect.objectContaining({ code: "unknown_task" }));
  });
});

describe("asking for swarms", () => {
  it("H4 runs one command for all who ask at the same time, and another for the next", async () => {
    const { tasks, executor } = start();
    executor.answer = async () => succeeded("s-1\ns-2\n");
    const answers = await Promise.all(Array.from({ length: 20 }, () => tasks.swarms()));
    expect(executor.commands).toHaveLength(1);
    expect(answers[19]?.swarms.map((swarm) => swarm.swarmId)).toEqual(["s-1", "s-2"]);
    expect(answers[19]?.telemetry).toEqual({ status: "telemetry_unavailable" });
    await tasks.swarms();
    expect(executor.commands).toHaveLength(2);
  });

  it("H4 gives one swarm's status with its tasks alone", async () => {
    const { tasks, executor } = start();
    executor.answer = async () => succeeded("s-1\ns-2\n");
    await tasks.create(aTask());
    await tasks.create(aTask({ taskId: taskId(2) }));
    executor.started[0]?.write("stdout", "swarm s-1\n");
    const status = await tasks.status(["s-1"]);
    expect(status.swarms.map((swarm) => swarm.swarmId)).toEqual(["s-1"]);
    expect(status.tasks.map((task) => task.taskId)).toEqual([TASK_ID]);
    expect((await tasks.status()).tasks).toHaveLength(2);
  });

  it("H4 asks MCP once for all who ask at the same time, and waits no longer for one that hangs", async () => {
    const swarmStatus = vi.fn(() => never<never>());
    const { tasks } = start({ telemetry: { taskStatus: unreachable, swarmStatus } });
    const answers = await Promise.all(Array.from({ length: 20 }, () => tasks.swarms()));
    expect(swarmStatus).toHaveBeenCalledTimes(1);
    expect(answers[19]?.telemetry).toEqual({ status: "telemetry_unavailable" });
  });

  it.each([
    ["timeout", { ended: "timeout" as const, exitCode: null }],
    ["swarm_failed", { ended: "output_limit" as const, exitCode: null }],
  ])("H4 answers %s when the command was ended: %o", async (code, ending) => {
    const { tasks, executor } = start();
    executor.answer = async () => ({ ...succeeded("s-1\n"), ...ending });
    await expect(tasks.swarms()).rejects.toMatchObject({ code });
  });

  it("H4 takes output that cannot be read for a failure of the swarm", async () => {
    const list = {
      argv: () => ["list"],
      read: () => {
        throw new SyntaxError("no JSON");
      },
    };
    const { tasks } = start({ profile: fakeProfile({ list }) });
    await expect(tasks.swarms()).rejects.toMatchObject({ code: "swarm_failed" });
  });
});
