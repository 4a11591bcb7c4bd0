import { describe, expect, it, onTestFinished, vi } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import type { CommandResult, Exit } from "../../../sidecar/swarm/executor.ts";
import { Ledger } from "../../../sidecar/swarm/ledger.ts";
import { aTask, fakeProfile, scratchDirectory, silentLog, succeeded, TASK_ID, taskId } from "./fakes.ts";
import { ended, failChanges, never, start } from "./tasks-setup.ts";

describe("after a restart", () => {
  /** A task that was running when the sidecar went away. */
  async function interrupted(before?: (first: ReturnType<typeof start>) => Promise<void>) {
    const directory = scratchDirectory();
    const first = start({ directory });
    await first.tasks.create(aTask());
    first.executor.process.write("stdout", "swarm s-1\nfirst half\n");
    await before?.(first);
    first.close();
    return directory;
  }

  it("H9 reads a task's output on from where it was kept, and nothing of it twice", async () => {
    const directory = await interrupted(async ({ executor }) => {
      executor.process.write("stdout", "one\ntw", 6);
      executor.process.write("stderr", "warning\n", 8);
    });
    const { tasks, executor } = start({ directory });
    const found = vi.fn(executor.found);
    executor.found = found;
    await tasks.recover();
    expect(found.mock.calls[0]?.[0].kept).toEqual({ stdout: 6, stderr: 8 });
  });

  it("H9 goes on watching a task that runs, to its right end", async () => {
    const { tasks, executor } = start({ directory: await interrupted() });
    const exit = Promise.withResolvers<Exit>();
    executor.found = async (spec) => {
      expect(spec.handle).toBe(`handle of ${TASK_ID}`);
      return { status: "running", lostOutput: false, exit: exit.promise };
    };
    await tasks.recover();
    executor.recovered?.("stdout", "done\n");
    exit.resolve({ exitCode: null });
    expect(await ended(tasks)).toMatchObject({ state: "completed", swarmId: "s-1" });
    expect(executor.started).toEqual([]);
  });

  it("H9 gives a task its time, and no more, when the clock was set back meanwhile", async () => {
    const timeoutMs = 60_000;
    const directory = scratchDirectory();
    const first = start({ directory });
    await first.tasks.create(aTask({ timeoutMs }));
    first.close();

    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const monthMs = 30 * 24 * 60 * 60 * 1_000;
    const { tasks, executor } = start({ directory, now: () => Date.now() - monthMs });
    executor.found = async () => ({ status: "running", lostOutput: false, exit: never() });
    await tasks.recover();
    await vi.advanceTimersByTimeAsync(timeoutMs - 1);
    expect(executor.stopped).toEqual([]);
    await vi.advanceTimersByTimeAsync(1);
    expect(executor.stopped).toEqual([TASK_ID]);
  });

  it("H9 marks lost output with a gap", async () => {
    const { tasks, executor, ledger } = start({ directory: await interrupted() });
    executor.found = async () => ({ status: "running", lostOutput: true, exit: never() });
    await tasks.recover();
    expect(ledger.events(TASK_ID, 0, 100).at(-1)).toMatchObject({ kind: "gap" });
    expect(tasks.get(TASK_ID).state).toBe("running");
  });

  it.each([
    ["completed", "done\n"],
    ["lost", "more\n"],
  ])("H9 records as %s what ended meanwhile, by what its output tells", async (state, output) => {
    const { tasks, executor } = start({ directory: await interrupted() });
    executor.found = async () => {
      executor.recovered?.("stdout", output);
      return { status: "ended", lostOutput: false, exit: { exitCode: null } };
    };
    await tasks.recover();
    expect(await ended(tasks)).toMatchObject({ state, exitCode: null });
  });

  it.each([
    ["completed", { code: undefined }],
    ["failed", { code: "swarm_failed" }],
    ["active", { code: undefined }],
  ])("H9 asks the swarm for the end that nobody saw: %s", async (status, { code }) => {
    const list = fakeProfile().list;
    if (!list) throw new Error("the fake has a list");
    const read = (result: CommandResult) => list.read(result).map((swarm) => ({ ...swarm, status }));
    const profile = fakeProfile({ list: { ...list, read } });
    const { tasks, executor } = start({ directory: await interrupted(), profile });
    executor.answer = async () => succeeded("s-0\ns-1\n");
    // Exit code 0 tells as little as none where the closing line may have been lost.
    const exitCode = status === "failed" ? null : 0;
    executor.found = async () => ({ status: "ended", lostOutput: true, exit: { exitCode } });
    await tasks.recover();
    const task = await ended(tasks);
    expect(task.state).toBe(status === "active" ? "lost" : status);
    expect(task.error?.code).toBe(code);
    expect(task.exitCode).toBe(exitCode);
  });

  it("H9 asks for it by the task as well, where the swarm had not said its name", async () => {
    const list = fakeProfile().list;
    if (!list) throw new Error("the fake has a list");
    const read = (result: CommandResult) =>
      list.read(result).map((swarm, i) => ({ ...swarm, status: "completed", taskId: taskId(i) }));
    const { tasks, executor } = start({ profile: fakeProfile({ list: { ...list, read } }) });
    executor.answer = async () => succeeded("s-0\ns-1\n");
    await tasks.create(aTask({ taskId: taskId(1) }));
    executor.process.exit(null);
    expect((await ended(tasks, taskId(1))).state).toBe("completed");
    await tasks.create(aTask({ taskId: taskId(5) }));
    executor.started[1]?.exit(null);
    expect((await ended(tasks, taskId(5))).state).toBe("lost");
  });

  it("H9 believes a failure's exit code, and exit code 0 when no output is missing", async () => {
    for (const exit of [
      { lostOutput: true, exitCode: 3 },
      { lostOutput: false, exitCode: 0 },
    ]) {
      const { tasks, executor } = start({ directory: await interrupted() });
      const { exitCode, lostOutput } = exit;
      executor.found = async () => ({ status: "ended", lostOutput, exit: { exitCode } });
      await tasks.recover();
      expect(await ended(tasks)).toMatchObject({ state: "failed", exitCode });
    }
  });

  it("H9 keeps a stop that was asked for while the runtime was away", async () => {
    const { tasks, executor } = start({ directory: await interrupted(), recoveryRetryMs: 50 });
    let attempts = 0;
    executor.found = async () => {
      if (++attempts === 1) throw new HivegateError("swarm_unavailable");
      return { status: "ended", lostOutput: true, exit: { exitCode: 143 } };
    };
    await tasks.recover();
    await expect(tasks.control(TASK_ID, "stop")).rejects.toMatchObject({
      ...{ code: "timeout", message: expect.stringContaining("not seen yet") },
    });
    expect(await ended(tasks)).toMatchObject({ state: "stopped", error: null });
  });

  it.each([1, 3])("H9 survives a ledger that fails %i times while tasks are recovered", async (times) => {
    const directory = scratchDirectory();
    const before = new Ledger(directory);
    before.begin(aTask(), { method: "process", state: "spawning" }, 1_000);
    before.close();
    const { tasks, executor, ledger } = start({ directory });
    let attempts = 0;
    executor.found = async () => {
      if (++attempts === 1) throw new HivegateError("swarm_unavailable");
      failChanges(ledger, times);
      return { status: "never_started" };
    };
    await tasks.recover();
    expect(await ended(tasks)).toMatchObject({ state: "failed", startedAt: null });
    expect(attempts).toBe(2);
  });

  it("H9 notes lost output late rather than never", async () => {
    const { tasks, executor, ledger } = start({ directory: await interrupted() });
    vi.spyOn(ledger, "addGap").mockImplementationOnce(() => {
      throw new Error("disk full");
    });
    executor.found = async () => ({ status: "ended", lostOutput: true, exit: { exitCode: 1 } });
    await tasks.recover();
    await ended(tasks);
    expect(
      ledger
        .events(TASK_ID, 0, 100)
        .slice(-2)
        .map((event) => event.kind),
    ).toEqual(["gap", "state"]);
  });

  describe("that came while a task was being stopped", () => {
    const stopping = () =>
      interrupted(async ({ executor, tasks }) => {
        const asked = Promise.withResolvers<void>();
        executor.stop = () => {
          asked.resolve();
          return never();
        };
        tasks.control(TASK_ID, "stop").catch(() => {});
        await asked.promise;
      });

    it.each([
      ["stopped", ""],
      ["completed", "done\n"],
    ])("H9 it is %s when that is how it ended meanwhile", async (state, output) => {
      const { tasks, executor } = start({ directory: await stopping() });
      executor.found = async () => {
        executor.recovered?.("stdout", output);
        return { status: "ended", lostOutput: false, exit: { exitCode: null } };
      };
      await tasks.recover();
      expect(await ended(tasks)).toMatchObject({ state, error: null });
      expect(executor.stopped).toEqual([]);
    });

    it("H4 H9 it is stopped where it still runs, were it at the second try", async () => {
      const { tasks, executor } = start({ directory: await stopping() });
      const exit = Promise.withResolvers<Exit>();
      executor.found = async () => ({ status: "running", lostOutput: false, exit: exit.promise });
      let tries = 0;
      executor.stop = async () => {
        if (++tries === 1) throw new HivegateError("swarm_unavailable");
        exit.resolve({ exitCode: 143 });
      };
      await tasks.recover();
      expect(await ended(tasks)).toMatchObject({ state: "stopped", exitCode: 143 });
      expect(tries).toBe(2);
    });

    it("H9 it goes on to be stopped by the next sidecar when this one ends as well", async () => {
      const directory = await stopping();
      const warn = vi.fn();
      const second = start({ directory, log: { ...silentLog, warn } });
      second.executor.found = async () => ({ status: "running", lostOutput: false, exit: never() });
      second.executor.stop = async () => {
        second.tasks.close();
        throw new HivegateError("swarm_unavailable");
      };
      await second.tasks.recover();
      await vi.waitFor(() =>
        expect(warn).toHaveBeenCalledWith(expect.anything(), expect.stringContaining("stop")),
      );
      expect(second.ledger.unfinished()).toMatchObject([{ stopAsked: true }]);
    });
  });

  it("H9 fails a task that never ran, and runs it when it is asked for again", async () => {
    const directory = scratchDirectory();
    const ledger = new Ledger(directory);
    ledger.begin(aTask(), { method: "process", state: "spawning" }, 1_000);
    ledger.close();
    const { tasks, executor } = start({ directory });
    await tasks.recover();
    expect(tasks.get(TASK_ID)).toMatchObject({
      state: "failed",
      error: { code: "swarm_failed", message: expect.stringContaining("Nothing was run") },
    });
    expect(executor.started).toEqual([]);
    expect(await tasks.create(aTask())).toMatchObject({ created: true, task: { state: "running" } });
    expect(executor.started).toHaveLength(1);
  });

  it("H9 never runs a task again that failed before anybody had seen it run", async () => {
    const directory = scratchDirectory();
    const ledger = new Ledger(directory);
    ledger.begin(aTask(), { method: "process", state: "spawning" }, 1_000);
    ledger.remember(TASK_ID, "handle");
    ledger.close();
    const { tasks, executor } = start({ directory });
    executor.found = async () => ({ status: "ended", lostOutput: false, exit: { exitCode: 1 } });
    await tasks.recover();
    expect(await ended(tasks)).toMatchObject({ state: "failed", startedAt: null });
    expect(await tasks.create(aTask())).toMatchObject({ created: false, task: { state: "failed" } });
    expect(executor.started).toEqual([]);
  });

  it("H9 looks again for a task whose runtime is away, until it is back", async () => {
    const { tasks, executor } = start({ directory: await interrupted() });
    let attempts = 0;
    executor.found = async () => {
      if (++attempts < 3) throw new HivegateError("swarm_unavailable");
      return { status: "ended", lostOutput: true, exit: { exitCode: 0 } };
    };
    await tasks.recover();
    expect(tasks.get(TASK_ID).state).toBe("running");
    expect(await ended(tasks)).toMatchObject({ state: "lost", exitCode: 0 });
    expect(attempts).toBe(3);
  });

  it("H9 leaves running tasks alone when it closes: what ends then is for the next start", async () => {
    const directory = scratchDirectory();
    const first = start({ directory });
    await first.tasks.create(aTask());
    first.tasks.close();
    first.executor.process.exit(null);
    await expect(first.tasks.create(aTask({ taskId: taskId(2) }))).rejects.toMatchObject({
      code: "shutting_down",
    });
    first.close();
    const { ledger } = start({ directory });
    expect(ledger.unfinished()).toMatchObject([{ task: { state: "running" } }]);
  });
});
