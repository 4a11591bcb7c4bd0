import { describe, expect, it, vi } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { aTask, scratchDirectory, TASK_ID, taskId, unreachable } from "./fakes.ts";
import { ended, failChanges, start } from "./tasks-setup.ts";

const ONE = { limits: { runningTasks: 1 }, telemetryTimeoutMs: 1 };

describe("a task that has to wait for its turn", () => {
  it("H1 is answered at once, and runs when there is room", async () => {
    const { tasks, executor, changes } = start(ONE);
    await tasks.create(aTask({ taskId: taskId(1) }));
    const answer = await tasks.create(aTask());
    expect(answer).toMatchObject({
      created: true,
      task: { state: "queued", spawningAt: null },
      telemetry: { status: "telemetry_unavailable" },
    });
    expect(executor.started).toHaveLength(1);
    executor.started[0]?.exit(0);
    await vi.waitFor(() => expect(tasks.get(TASK_ID).state).toBe("running"));
    const { createdAt, spawningAt, startedAt } = tasks.get(TASK_ID);
    expect(spawningAt).toBeGreaterThanOrEqual(createdAt);
    expect(startedAt).toBeGreaterThanOrEqual(spawningAt ?? Number.POSITIVE_INFINITY);
    const own = changes.filter((task) => task.taskId === TASK_ID).map(({ state }) => state);
    expect(own).toEqual(["queued", "spawning", "running"]);
    expect(executor.started[1]?.argv).toEqual(["cli", "spawn", "Medium", aTask().task]);
  });

  it("H9 is found by an equal request, which does not count as another", async () => {
    const { tasks } = start({ ...ONE, limits: { runningTasks: 1, queuedTasks: 1 } });
    await tasks.create(aTask({ taskId: taskId(1) }));
    await tasks.create(aTask());
    expect(await tasks.create(aTask())).toMatchObject({ created: false, task: { state: "queued" } });
    await expect(tasks.create(aTask({ taskId: taskId(2) }))).rejects.toMatchObject({ code: "overloaded" });
    expect(() => tasks.get(taskId(2))).toThrow(expect.objectContaining({ code: "unknown_task" }));
  });

  it("H4 is stopped without ever being run, also when it is asked for again", async () => {
    const { tasks, executor } = start(ONE);
    await tasks.create(aTask({ taskId: taskId(1) }));
    await tasks.create(aTask());
    expect(await tasks.control(TASK_ID, "stop")).toMatchObject({ state: "stopped", spawningAt: null });
    expect(await tasks.create(aTask())).toMatchObject({ created: false, task: { state: "stopped" } });
    executor.started[0]?.exit(0);
    await ended(tasks, taskId(1));
    expect(executor.started).toHaveLength(1);
    await expect(tasks.control(TASK_ID, "stop")).rejects.toMatchObject({ code: "task_ended" });
  });

  it("H4 can be neither paused nor resumed", async () => {
    const { tasks } = start(ONE);
    await tasks.create(aTask({ taskId: taskId(1) }));
    await tasks.create(aTask());
    await expect(tasks.control(TASK_ID, "pause")).rejects.toMatchObject({ code: "not_supported" });
  });

  it("H9 waits on over a restart of the sidecar, in its place, and runs once", async () => {
    const directory = scratchDirectory();
    const before = start({ ...ONE, directory });
    await before.tasks.create(aTask({ taskId: taskId(1) }));
    await before.tasks.create(aTask({ taskId: taskId(2), priority: "Low" }));
    await before.tasks.create(aTask({ taskId: taskId(3), verbose: true, timeoutMs: 5_000 }));
    before.close();

    const { tasks, executor } = start({ ...ONE, directory });
    executor.found = async () => ({ status: "ended", lostOutput: false, exit: { exitCode: 1 } });
    await tasks.recover();
    await vi.waitFor(() => expect(executor.started.map((each) => each.taskId)).toEqual([taskId(3)]));
    expect(tasks.get(taskId(3))).toMatchObject({ timeoutMs: 5_000 });
    expect(tasks.get(taskId(2)).state).toBe("queued");
    executor.started[0]?.exit(0);
    await vi.waitFor(() => expect(executor.started.map((each) => each.taskId)).toContain(taskId(2)));
  });

  it("H9 makes way for the next when it could not be started", async () => {
    const { tasks, executor } = start(ONE);
    await tasks.create(aTask({ taskId: taskId(1) }));
    for (const n of [2, 3]) await tasks.create(aTask({ taskId: taskId(n) }));
    let starts = 0;
    executor.beforeStart = async () => {
      if (++starts === 1) throw new Error("the container is away");
    };
    executor.started[0]?.exit(0);
    await vi.waitFor(() => expect(tasks.get(taskId(3)).state).toBe("running"));
    expect(tasks.get(taskId(2))).toMatchObject({ state: "failed" });
  });

  it("H9 waits on in its place while nobody can start it, and runs when the swarm is back", async () => {
    const { tasks, executor } = start(ONE);
    for (const n of [1, 2, 3]) await tasks.create(aTask({ taskId: taskId(n) }));
    executor.beforeStart = unreachable;
    const away = vi.spyOn(executor, "canStart").mockResolvedValue(false);
    executor.started[0]?.exit(0);
    await vi.waitFor(() => expect(away.mock.calls.length).toBeGreaterThan(2));
    expect([2, 3].map((n) => tasks.get(taskId(n)).state)).toEqual(["queued", "queued"]);
    expect(await tasks.control(taskId(3), "stop")).toMatchObject({ state: "stopped" });

    executor.beforeStart = async () => {};
    away.mockResolvedValue(true);
    await vi.waitFor(() => expect(tasks.get(taskId(2)).state).toBe("running"));
    expect(executor.started).toHaveLength(2);
  });

  it("H9 waits again when the swarm went as its turn came, and fails when it still cannot be started later", async () => {
    const { tasks, executor, changes } = start(ONE);
    for (const n of [1, 2]) await tasks.create(aTask({ taskId: taskId(n) }));
    let starts = 0;
    executor.beforeStart = async () => {
      if (++starts === 1) throw new HivegateError("swarm_unavailable");
    };
    executor.started[0]?.exit(0);
    await vi.waitFor(() => expect(tasks.get(taskId(2)).state).toBe("running"));
    const states = changes.filter((task) => task.taskId === taskId(2)).map(({ state }) => state);
    expect(states).toEqual(["queued", "spawning", "queued", "spawning", "running"]);

    await tasks.create(aTask({ taskId: taskId(3) }));
    executor.beforeStart = unreachable;
    executor.started[1]?.exit(0);
    expect(await ended(tasks, taskId(3))).toMatchObject({ state: "failed", spawningAt: expect.any(Number) });
    expect(changes.filter(({ taskId: id, state }) => id === taskId(3) && state === "spawning")).toHaveLength(
      3,
    );
  });

  it("H4 H9 can be stopped, and found, while a start comes to nothing", async () => {
    const { tasks, executor } = start({ ...ONE, recoveryRetryMs: 60_000 });
    for (const n of [1, 2]) await tasks.create(aTask({ taskId: taskId(n) }));
    const starting = Promise.withResolvers<void>();
    executor.beforeStart = () => starting.promise;
    executor.started[0]?.exit(0);
    await vi.waitFor(() => expect(tasks.get(taskId(2)).state).toBe("spawning"));
    const found = tasks.create(aTask({ taskId: taskId(2) }));
    const stopped = tasks.control(taskId(2), "stop");
    starting.reject(new HivegateError("swarm_unavailable"));
    expect((await found).created).toBe(false);
    expect(await stopped).toMatchObject({ state: "stopped" });
    expect(executor.started).toHaveLength(1);
  });

  it("H9 fails once the swarm has been away for an hour of its waiting, and may be asked for again", async () => {
    let nowMs = 1_000_000;
    const { tasks, executor } = start({ ...ONE, now: () => nowMs });
    for (const n of [1, 2]) await tasks.create(aTask({ taskId: taskId(n) }));
    const away = vi.spyOn(executor, "canStart").mockResolvedValue(false);
    const looks = async (count: number) => {
      const before = away.mock.calls.length;
      await vi.waitFor(() => expect(away.mock.calls.length).toBeGreaterThanOrEqual(before + count));
    };
    nowMs += LIMITS.queuedTaskMs;
    executor.started[0]?.exit(0);
    await looks(2);
    nowMs += LIMITS.queuedTaskMs - 1;
    await looks(2);
    expect(tasks.get(taskId(2)).state).toBe("queued");
    nowMs += 1;
    const end = await ended(tasks, taskId(2));
    expect(end).toMatchObject({ state: "failed", error: { code: "swarm_unavailable" } });
    expect(end.error?.message).toContain("Nothing was run");
    expect(await tasks.create(aTask({ taskId: taskId(2) }))).toMatchObject({ created: true });
  });

  it("H9 keeps its place while the ledger cannot note that its turn has come", async () => {
    const { tasks, executor, ledger } = start(ONE);
    await tasks.create(aTask({ taskId: taskId(1) }));
    await tasks.create(aTask());
    vi.spyOn(ledger, "spawn").mockImplementationOnce(() => {
      throw new Error("disk full");
    });
    executor.started[0]?.exit(0);
    await vi.waitFor(() => expect(tasks.get(TASK_ID).state).toBe("running"));
    expect(executor.started).toHaveLength(2);
    expect(ledger.spawn).toHaveBeenCalledTimes(2);
  });

  it("H4 goes on waiting when its stop could not be noted", async () => {
    const { tasks, ledger, executor } = start(ONE);
    await tasks.create(aTask({ taskId: taskId(1) }));
    await tasks.create(aTask());
    failChanges(ledger, 1);
    await expect(tasks.control(TASK_ID, "stop")).rejects.toMatchObject({
      ...{ code: "swarm_unavailable", message: expect.stringContaining("still waits") },
    });
    expect(await tasks.control(TASK_ID, "stop")).toMatchObject({ state: "stopped" });
    expect(executor.started).toHaveLength(1);
  });
});

describe("one client", () => {
  it("S6 runs so many tasks at once, whatever the others do", async () => {
    const { tasks } = start({ limits: { tasksPerClient: 1 }, telemetryTimeoutMs: 1 });
    await tasks.create(aTask({ taskId: taskId(1) }));
    expect((await tasks.create(aTask({ taskId: taskId(2) }))).task.state).toBe("queued");
    expect((await tasks.create(aTask({ taskId: taskId(3), client: "other" }))).task.state).toBe("running");
  });

  it("S6 is told to wait when it starts tasks too fast, and nothing of that task is kept", async () => {
    const { tasks } = start({ limits: { clientTaskBurst: 1 }, telemetryTimeoutMs: 1 });
    await tasks.create(aTask({ taskId: taskId(1) }));
    await expect(tasks.create(aTask())).rejects.toMatchObject({ code: "rate_limited" });
    expect(tasks.list()).toHaveLength(1);
    expect(await tasks.create(aTask({ taskId: taskId(1) }))).toMatchObject({ created: false });
  });
});
