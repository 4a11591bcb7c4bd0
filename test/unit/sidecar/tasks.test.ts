import { describe, expect, it, onTestFinished, vi } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import type { Telemetry } from "../../../shared/protocol/sidecar.ts";
import { aTask, FakeExecutor, fakeProfile, TASK_ID, taskId, unreachable } from "./fakes.ts";
import { ended, failChanges, initialised, never, prepare, start } from "./tasks-setup.ts";

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
    expect(await tasks.create(aTask())).toMatchObject({ created: true, task: { state: "spawning" } });
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
    for (const text of ["lost\n", "kept\n"]) executor.process.write("stdout", text);
    expect(ledger.events(TASK_ID, 2, 10)).toMatchObject([{ kind: "gap" }, { kind: "output", text: "kept" }]);
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
  it.each([
    ["failed", 1],
    ["is lost", null],
  ])("H1 makes the swarm ready before the task after one that %s", async (_, exitCode) => {
    const { tasks, executor } = start({ profile: fakeProfile({ prepare }) });
    executor.answer = initialised(executor);
    await tasks.create(aTask({ taskId: taskId(1) }));
    executor.commands.length = 0;
    await tasks.create(aTask({ taskId: taskId(2) }));
    expect(executor.commands).toEqual([]);
    executor.started[1]?.exit(exitCode);
    await ended(tasks, taskId(2));
    executor.commands.length = 0;
    await tasks.create(aTask({ taskId: taskId(3) }));
    expect(executor.commands.map((argv) => argv.join(" "))).toEqual(["cli status", "cli init", "cli status"]);
  });
});

describe("a task's end", () => {
  it.each([
    ["completed", "done\n", 0, null],
    ["failed", "not much\n", 1, { code: "swarm_failed", message: "It broke." }],
    ["lost", "not much\n", null, null],
  ])("H1 is %s when output and exit code say so", async (state, output, exitCode, error) => {
    const { tasks, executor, changes } = start();
    await tasks.create(aTask());
    executor.process.write("stdout", output);
    executor.process.exit(exitCode);
    expect(await ended(tasks)).toMatchObject({ state, exitCode, error });
    expect(changes.map((task) => task.state)).toEqual(["spawning", "running", state]);
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
    expect(changes.map((task) => task.state)).toEqual(["spawning", "running", "failed"]);
    expect(ledger.events(TASK_ID, 2, 10).map((event) => event.kind)).toEqual(["gap", "state"]);
    await expect(tasks.control(TASK_ID, "stop")).rejects.toMatchObject({ code: "task_ended" });
  });

  it("S6 comes when its time is up, however often stopping it fails at first", async () => {
    const { tasks, executor } = start();
    let attempts = 0;
    const stop = executor.stop.bind(executor);
    executor.stop = async (id) => (++attempts < 3 ? unreachable() : stop(id));
    await tasks.create(aTask({ timeoutMs: 1 }));
    expect(await ended(tasks)).toMatchObject({ state: "failed", error: { code: "timeout" } });
    expect(attempts).toBe(3);
  });

  it("S6 comes when its time is up", async () => {
    const { tasks, executor } = start();
    await tasks.create(aTask({ timeoutMs: 1 }));
    expect(await ended(tasks)).toMatchObject({ state: "failed", error: { code: "timeout" } });
    expect(executor.stopped).toEqual([TASK_ID]);
  });
});

describe("a task's unfinished line", () => {
  const lines = ({ ledger }: ReturnType<typeof start>) =>
    ledger
      .events(TASK_ID, 2, 100)
      .map((event) => (event.kind === "output" ? `${event.text}${event.partial ? "…" : ""}` : event.kind));

  it("H9 is told after a while, each stream's by itself, and no line before its time", async () => {
    const running = start();
    await running.tasks.create(aTask());
    vi.useFakeTimers();
    onTestFinished(() => void vi.useRealTimers());
    const { process } = running.executor;
    process.write("stdout", "Name? ");
    vi.advanceTimersByTime(60);
    process.write("stderr", "noise\nmore");
    expect(lines(running)).toEqual(["noise"]);
    vi.advanceTimersByTime(40);
    expect(lines(running)).toEqual(["noise", "Name? …"]);
    process.write("stderr", " noise\nnext");
    vi.advanceTimersByTime(99);
    expect(lines(running)).toEqual(["noise", "Name? …", "more noise"]);
    vi.advanceTimersByTime(1);
    expect(lines(running).at(-1)).toBe("next…");
  });
});
