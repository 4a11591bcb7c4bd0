import { describe, expect, it, onTestFinished, vi } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Telemetry } from "../../../shared/protocol/sidecar.ts";
import type { Task } from "../../../shared/swarm/task.ts";
import type { CommandResult, Exit } from "../../../sidecar/swarm/executor.ts";
import { Ledger } from "../../../sidecar/swarm/ledger.ts";
import type { Profile } from "../../../sidecar/swarm/profiles/profile.ts";
import { Tasks, type TasksOptions } from "../../../sidecar/swarm/tasks.ts";
import {
  aTask,
  FakeExecutor,
  fakeProfile,
  scratchDirectory,
  silentLog,
  succeeded,
  TASK_ID,
  taskId,
  unreachable,
} from "./fakes.ts";

type Options = Partial<TasksOptions> & { directory?: string; profile?: Profile };

function start({ directory = scratchDirectory(), ...overrides }: Options = {}) {
  const executor = new FakeExecutor();
  const ledger = new Ledger(directory);
  const changes: Task[] = [];
  const options: TasksOptions = {
    ledger,
    executor,
    profile: fakeProfile(),
    cli: ["cli"],
    telemetry: { taskStatus: unreachable, swarmStatus: unreachable },
    telemetryTimeoutMs: 20,
    commandTimeoutMs: 1_000,
    onChange: (task) => changes.push(task),
    now: Date.now,
    log: silentLog,
    stopGraceMs: 20,
    recoveryRetryMs: 5,
    ...overrides,
  };
  const tasks = new Tasks(options);
  let open = true;
  const close = () => {
    if (!open) return;
    open = false;
    tasks.close();
    ledger.close();
  };
  onTestFinished(close);
  return { tasks, executor, ledger, changes, close };
}

const ended = (tasks: Tasks, id = TASK_ID): Promise<Task> =>
  vi.waitFor(() => {
    const task = tasks.get(id);
    if (task.endedAt === null) throw new Error(`the task is ${task.state}`);
    return task;
  });

/** The ledger's next changes fail, as on a full disk. */
function failChanges(ledger: Ledger, times: number): void {
  const change = vi.spyOn(ledger, "change");
  for (let n = 0; n < times; n++) {
    change.mockImplementationOnce(() => {
      throw new Error("disk full");
    });
  }
}

const never = <T>(): Promise<T> => new Promise(() => {});

const prepare = {
  check: ["status"],
  isReady: (result: CommandResult) => result.stdout === "ready",
  argv: ["init"],
};

/** A swarm that is ready once `init` was run. */
const initialised = (executor: FakeExecutor) => async () =>
  succeeded(executor.commands.some((argv) => argv.includes("init")) ? "ready" : "");

describe("creating a task", () => {
  it("H1 runs the profile's command and answers once it runs", async () => {
    const { tasks, executor } = start();
    const answer = await tasks.create(aTask());
    expect(answer).toMatchObject({ created: true, task: { state: "running", method: "process" } });
    expect(executor.process.argv).toEqual(["cli", "spawn", "Medium", aTask().task]);
  });

  it("H1 answers with the swarm's id when the swarm tells it in time", async () => {
    const { tasks, executor } = start({ telemetryTimeoutMs: 5_000 });
    const answer = tasks.create(aTask());
    await vi.waitFor(() => executor.process);
    executor.process.write("stdout", "starting\nswa");
    executor.process.write("stdout", "rm s-1\n");
    expect((await answer).task.swarmId).toBe("s-1");
  });

  it("H2 answers with what MCP says of the task", async () => {
    const telemetry: Telemetry = { status: "available", server: "demo", data: { progress: 0.5 } };
    const source = { taskStatus: async () => telemetry, swarmStatus: unreachable };
    const { tasks, executor } = start({ telemetry: source, telemetryTimeoutMs: 5_000 });
    executor.says = "swarm s-1\n";
    expect((await tasks.create(aTask())).telemetry).toEqual(telemetry);
  });

  it.each([
    ["late", () => never<Telemetry>()],
    ["failing", unreachable],
  ])(
    "H2 answers without telemetry when MCP is %s, and starts the task before asking",
    async (_, taskStatus) => {
      const executor = new FakeExecutor();
      executor.says = "swarm s-1\n";
      const asked = vi.fn(() => {
        expect(executor.started).toHaveLength(1);
        return taskStatus();
      });
      const { tasks } = start({ executor, telemetry: { taskStatus: asked, swarmStatus: unreachable } });
      expect((await tasks.create(aTask())).telemetry).toEqual({ status: "telemetry_unavailable" });
      expect(asked).toHaveBeenCalledOnce();
    },
  );

  it("H9 runs simultaneous equal requests once, and all of them wait for the start", async () => {
    const { tasks, executor } = start();
    const mayStart = Promise.withResolvers<void>();
    executor.beforeStart = () => mayStart.promise;
    const answers = [tasks.create(aTask()), tasks.create(aTask()), tasks.create(aTask())];
    mayStart.resolve();
    const settled = await Promise.all(answers);
    expect(settled.map((answer) => answer.created)).toEqual([true, false, false]);
    expect(settled.map((answer) => answer.task.state)).toEqual(["running", "running", "running"]);
    expect(executor.started).toHaveLength(1);
  });

  it("H9 gives an ended task back instead of running it again", async () => {
    const { tasks, executor } = start();
    await tasks.create(aTask());
    executor.process.write("stdout", "done\n");
    executor.process.exit(0);
    await ended(tasks);
    expect(await tasks.create(aTask())).toMatchObject({ created: false, task: { state: "completed" } });
    expect(executor.started).toHaveLength(1);
  });

  it("H1 fails a task that could not be started, says that nothing was run, and starts it when asked again", async () => {
    const { tasks, executor } = start();
    executor.beforeStart = async () => {
      throw new HivegateError("swarm_unavailable", "The container is not running. Start it.");
    };
    const refusal = {
      code: "swarm_unavailable",
      message: "The container is not running. Start it. Nothing was run: the same request may be sent again.",
    };
    const together = await Promise.allSettled([tasks.create(aTask()), tasks.create(aTask())]);
    for (const { status, reason } of together.map((each) => ({ reason: null, ...each }))) {
      expect(status).toBe("rejected");
      expect(reason).toMatchObject(refusal);
    }
    expect(tasks.get(TASK_ID)).toMatchObject({ state: "failed", startedAt: null, error: refusal });
    executor.beforeStart = async () => {};
    expect(await tasks.create(aTask())).toMatchObject({
      created: true,
      task: { state: "running", error: null },
    });
    expect(executor.started).toHaveLength(1);
    expect((await tasks.create(aTask())).created).toBe(false);
  });

  it("H9 notes that a task runs as soon as the ledger can be written", async () => {
    const { tasks, executor, ledger } = start({ recoveryRetryMs: 100 });
    failChanges(ledger, 1);
    expect(await tasks.create(aTask())).toMatchObject({ created: true, task: { state: "starting" } });
    await vi.waitFor(() => expect(tasks.get(TASK_ID)).toMatchObject({ state: "running", error: null }));
    executor.process.write("stdout", "done\n");
    executor.process.exit(0);
    expect(await ended(tasks)).toMatchObject({ state: "completed" });
  });

  it("H9 refuses a task alike while the note that it could not be started waits, then starts it", async () => {
    const { tasks, executor, ledger } = start({ recoveryRetryMs: 100 });
    executor.beforeStart = unreachable;
    failChanges(ledger, 1);
    for (const _ of ["first", "second"]) {
      await expect(tasks.create(aTask())).rejects.toMatchObject({ code: "swarm_unavailable" });
    }
    await ended(tasks);
    executor.beforeStart = async () => {};
    expect(await tasks.create(aTask())).toMatchObject({ created: true, task: { state: "running" } });
  });

  it("S6 says where output is missing that could not be stored", async () => {
    const { tasks, executor, ledger } = start();
    await tasks.create(aTask());
    vi.spyOn(ledger, "addOutput").mockImplementationOnce(() => {
      throw new Error("disk full");
    });
    for (const text of ["lost", "kept"]) executor.process.write("stdout", text);
    expect(ledger.events(TASK_ID, 2, 10)).toMatchObject([{ kind: "gap" }, { kind: "output", text: "kept" }]);
  });

  it("S6 refuses a task over the limit without a trace, so that it may be asked for again", async () => {
    const { tasks, executor } = start({ telemetryTimeoutMs: 1 });
    for (let n = 0; n < LIMITS.runningTasks; n++) await tasks.create(aTask({ taskId: taskId(n) }));
    await expect(tasks.create(aTask())).rejects.toMatchObject({ code: "overloaded" });
    expect(await tasks.create(aTask({ taskId: taskId(0) }))).toMatchObject({ created: false });
    executor.started[0]?.exit(0);
    await ended(tasks, taskId(0));
    expect(await tasks.create(aTask())).toMatchObject({ created: true });
  });

  it("H1 makes the swarm ready once, however many tasks come first", async () => {
    const { tasks, executor } = start({ profile: fakeProfile({ prepare }) });
    executor.answer = initialised(executor);
    await Promise.all([1, 2, 3].map((n) => tasks.create(aTask({ taskId: taskId(n) }))));
    expect(executor.commands.map((argv) => argv.join(" "))).toEqual(["cli status", "cli init", "cli status"]);
    expect(executor.started).toHaveLength(3);
  });

  it("H1 tries again to make the swarm ready after that failed", async () => {
    const { tasks, executor } = start({ profile: fakeProfile({ prepare }) });
    // Exit code 0 alone proves nothing.
    await expect(tasks.create(aTask())).rejects.toMatchObject({ code: "swarm_failed" });
    executor.answer = initialised(executor);
    expect(await tasks.create(aTask({ taskId: taskId(2) }))).toMatchObject({ created: true });
  });
});

describe("a swarm that is not ready any more", () => {
  it("H1 is made ready before the task after one that failed", async () => {
    const { tasks, executor } = start({ profile: fakeProfile({ prepare }) });
    executor.answer = initialised(executor);
    await tasks.create(aTask({ taskId: taskId(1) }));
    executor.commands.length = 0;
    await tasks.create(aTask({ taskId: taskId(2) }));
    expect(executor.commands).toEqual([]);
    executor.started[1]?.exit(1);
    expect(await ended(tasks, taskId(2))).toMatchObject({ state: "failed" });
    await tasks.create(aTask({ taskId: taskId(3) }));
    expect(executor.commands.map((argv) => argv.join(" "))).toEqual(["cli status", "cli init", "cli status"]);
  });
});

describe("a task's end", () => {
  it.each([
    ["completed", "done\n", 0, null],
    ["failed", "not much\n", 1, { code: "swarm_failed", message: "It broke." }],
    ["unknown", "not much\n", null, null],
  ])("H1 is %s when output and exit code say so", async (state, output, exitCode, error) => {
    const { tasks, executor, changes } = start();
    await tasks.create(aTask());
    executor.process.write("stdout", output);
    executor.process.exit(exitCode);
    expect(await ended(tasks)).toMatchObject({ state, exitCode, error });
    expect(changes.map((task) => task.state)).toEqual(["starting", "running", state]);
  });

  it("H9 is recorded as soon as the ledger can be written, with what was lost until then", async () => {
    const { tasks, executor, ledger, changes } = start();
    await tasks.create(aTask());
    failChanges(ledger, 3);
    const gap = vi.spyOn(ledger, "addOutput").mockImplementation(() => {
      throw new Error("disk full");
    });
    executor.process.write("stdout", "lost");
    gap.mockRestore();
    executor.process.exit(1);
    expect(await ended(tasks)).toMatchObject({ state: "failed", exitCode: 1 });
    expect(changes.map((task) => task.state)).toEqual(["starting", "running", "failed"]);
    expect(ledger.events(TASK_ID, 2, 10).map((event) => event.kind)).toEqual(["gap", "state"]);
    await expect(tasks.control(TASK_ID, "stop")).rejects.toMatchObject({ code: "task_ended" });
  });

  it("S6 comes when its time is up, however often stopping it fails at first", async () => {
    const { tasks, executor } = start({ taskRunMs: 1 });
    let attempts = 0;
    const stop = executor.stop.bind(executor);
    executor.stop = async (id) => (++attempts < 3 ? unreachable() : stop(id));
    await tasks.create(aTask());
    expect(await ended(tasks)).toMatchObject({ state: "failed", error: { code: "timeout" } });
    expect(attempts).toBe(3);
  });

  it("S6 comes when its time is up", async () => {
    const { tasks, executor } = start({ taskRunMs: 1 });
    await tasks.create(aTask());
    expect(await ended(tasks)).toMatchObject({ state: "failed", error: { code: "timeout" } });
    expect(executor.stopped).toEqual([TASK_ID]);
  });
});

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
    expect(await tasks.control(TASK_ID, "pause")).toMatchObject({ state: "running" });
    executor.answer = async () => ({ ...succeeded(""), exitCode: 1 });
    await expect(tasks.control(TASK_ID, "pause")).rejects.toMatchObject({ code: "swarm_failed" });
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
    const status = await tasks.status("s-1");
    expect(status.swarms.map((swarm) => swarm.swarmId)).toEqual(["s-1"]);
    expect(status.tasks.map((task) => task.taskId)).toEqual([TASK_ID]);
    expect((await tasks.status()).tasks).toHaveLength(2);
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

  it("H9 marks lost output with a gap", async () => {
    const { tasks, executor, ledger } = start({ directory: await interrupted() });
    executor.found = async () => ({ status: "running", lostOutput: true, exit: never() });
    await tasks.recover();
    expect(ledger.events(TASK_ID, 0, 100).at(-1)).toMatchObject({ kind: "gap" });
    expect(tasks.get(TASK_ID).state).toBe("running");
  });

  it.each([
    ["completed", "done\n"],
    ["unknown", "more\n"],
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
    expect(task.state).toBe(status === "active" ? "unknown" : status);
    expect(task.error?.code).toBe(code);
    expect(task.exitCode).toBe(exitCode);
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
    await tasks.control(TASK_ID, "stop");
    expect(await ended(tasks)).toMatchObject({ state: "stopped", error: null });
  });

  it.each([1, 3])("H9 survives a ledger that fails %i times while tasks are recovered", async (times) => {
    const directory = scratchDirectory();
    const before = new Ledger(directory);
    before.begin(aTask(), "process", 1_000);
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

  it("H9 remembers that a task had been asked to stop", async () => {
    const directory = await interrupted(async ({ executor, tasks }) => {
      const stopping = Promise.withResolvers<void>();
      executor.stop = () => {
        stopping.resolve();
        return never();
      };
      tasks.control(TASK_ID, "stop").catch(() => {});
      await stopping.promise;
    });
    const { tasks, executor } = start({ directory });
    executor.found = async () => ({ status: "ended", lostOutput: false, exit: { exitCode: null } });
    await tasks.recover();
    expect(await ended(tasks)).toMatchObject({ state: "stopped" });
  });

  it("H9 fails a task that never ran, and runs it when it is asked for again", async () => {
    const directory = scratchDirectory();
    const ledger = new Ledger(directory);
    ledger.begin(aTask(), "process", 1_000);
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
    ledger.begin(aTask(), "process", 1_000);
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
    expect(await ended(tasks)).toMatchObject({ state: "unknown", exitCode: 0 });
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
