import { describe, expect, it, vi } from "vitest";
import { demo, hiveMind, LONG_TASK, spawned } from "./clients.ts";

const WAIT = { timeout: 20_000, interval: 50 };

describe("hive-mind", () => {
  it("H1 spawns a swarm, follows it and tells its result", async () => {
    const { env } = await demo();
    const { exitCode, events } = await hiveMind(
      env,
      ...["spawn", "--format", "json", "--priority", "High", "--", "count primes below 5000000"],
    ).ended;
    expect(exitCode).toBe(0);
    const { swarmId } = events[0];
    expect(events[0]).toEqual({
      event: "spawned",
      swarmId,
      taskId: expect.any(String),
      workers: 4,
      timestamp: expect.any(Number),
    });
    for (const event of events.slice(1, -1))
      expect(event).toMatchObject({ event: "progress", unitsTotal: 400 });
    const progress = events.slice(1, -1).map((event) => event.progress);
    expect(progress).toEqual([...new Set(progress)].sort((a, b) => a - b));
    expect(events.at(-1)).toEqual({
      event: "completed",
      swarmId,
      result: { below: 5_000_000, primes: 348_513 },
      durationMs: expect.any(Number),
    });

    const sessions = await hiveMind(env, "sessions", "--format", "json").ended;
    expect(sessions.events).toMatchObject([
      { sessions: [{ swarmId, status: "completed", topology: "star", workerCount: 4, progress: 1 }] },
    ]);
  });

  it("H9 finds the swarm again that its task has started", async () => {
    const { env } = await demo();
    const again = { ...env, HIVEGATE_TASK_ID: "9a0b0c0d-0000-4000-8000-000000000001" };
    const first = hiveMind(again, "spawn", "--format", "json", LONG_TASK);
    const swarmId = await spawned(first);
    const second = hiveMind(again, "spawn", "--format", "json", LONG_TASK);
    expect(await spawned(second)).toBe(swarmId);
    expect(JSON.parse(second.lines[0] ?? "")).toMatchObject({ taskId: again.HIVEGATE_TASK_ID });
    expect((await hiveMind(env, "status", "--format", "json").ended).events[0].swarms).toHaveLength(1);

    const stop = await hiveMind(env, "stop", swarmId, "--format", "json").ended;
    expect(stop).toMatchObject({ exitCode: 0, events: [{ success: true, swarmId }] });
    for (const run of [first, second]) {
      const { exitCode, events } = await run.ended;
      expect(exitCode).toBe(3);
      expect(events.at(-1)).toEqual({ event: "stopped", swarmId });
    }
    const tooLate = await hiveMind(env, "stop", swarmId, "--format", "json").ended;
    expect(tooLate).toMatchObject({ exitCode: 1, events: [{ success: false }] });
  });

  it("H4 lets a swarm rest, in which it does nothing, and go on", async () => {
    const { env } = await demo();
    const run = hiveMind(env, "spawn", "--format", "json", LONG_TASK);
    const swarmId = await spawned(run);
    const control = async (name: string) =>
      (await hiveMind(env, name, "--format", "json", "--", swarmId).ended).events[0];
    const unitsDone = async () =>
      (await hiveMind(env, "status", "--format", "json").ended).events[0].swarms[0].progress;

    await vi.waitFor(async () => expect(await unitsDone()).toBeGreaterThan(0), WAIT);
    expect(await control("pause")).toEqual({ success: true, swarmId, status: "paused" });
    // What is begun is ended first, so that two looks in a row have to be equal.
    let rested = -1;
    await vi.waitFor(async () => {
      const before = rested;
      rested = await unitsDone();
      expect(rested).toBe(before);
    }, WAIT);
    expect(await control("resume")).toEqual({ success: true, swarmId, status: "active" });
    await vi.waitFor(async () => expect(await unitsDone()).toBeGreaterThan(rested), WAIT);
    await control("pause");
    expect(await control("stop")).toMatchObject({ success: true, status: "stopped" });
    expect((await run.ended).exitCode).toBe(3);
  });

  it.each(["SIGTERM", "SIGINT"] as const)("H4 stops its swarm on %s before it goes", async (signal) => {
    const { env } = await demo();
    const run = hiveMind(env, "spawn", "--format", "json", LONG_TASK);
    const swarmId = await spawned(run);
    run.child.kill(signal);
    expect(await run.ended).toMatchObject({ exitCode: 3 });
    const { events } = await hiveMind(env, "status", swarmId, "--format", "json").ended;
    expect(events).toMatchObject([{ swarms: [{ swarmId, status: "stopped" }] }]);
  });

  it("H1 fails when the daemon dies under it", async () => {
    const { env, pid } = await demo();
    const run = hiveMind(env, "spawn", "--format", "json", LONG_TASK);
    const swarmId = await spawned(run);
    process.kill(pid, "SIGKILL");
    const { exitCode, events } = await run.ended;
    expect(exitCode).toBe(1);
    expect(events.at(-1)).toEqual({
      event: "failed",
      swarmId,
      reason: "the connection to the swarm's daemon was lost",
    });
  });

  it("H4 never claims a success that was none", async () => {
    const { env } = await demo({ token: "secret" });
    const outcome = (settings: Record<string, string>, ...args: string[]) =>
      hiveMind(settings, ...args).ended;
    expect(await outcome(env, "init")).toMatchObject({
      exitCode: 0,
      lines: ["The swarm's daemon is ready."],
    });
    expect(await outcome(env, "status", "swarm-x")).toMatchObject({ exitCode: 1, lines: [] });
    expect(await outcome(env, "freeze", "swarm-x")).toMatchObject({ exitCode: 2, lines: [] });
    expect(await outcome({ ...env, DEMO_TOKEN: "wrong" }, "init")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^demo: the swarm's daemon refused: .*\n$/),
    });
    expect(await outcome({ ...env, DEMO_MCP_PORT: "1" }, "sessions")).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^demo: .*cannot be reached.*\n$/),
    });
    const tooMuch = await outcome(env, "spawn", "--format", "json", "count primes below 1000000000");
    expect(tooMuch).toMatchObject({ exitCode: 1, events: [{ event: "failed", swarmId: null }] });
  });
});
