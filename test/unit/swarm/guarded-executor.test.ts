import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { dockerUnavailable } from "../../../sidecar/swarm/docker/docker-error.ts";
import { GuardedExecutor } from "../../../sidecar/swarm/docker/guarded-executor.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { FakeExecutor, silentLog, succeeded, TASK_ID } from "../sidecar/fakes.ts";

const refused = dockerUnavailable({ code: "ECONNREFUSED" });
const NAME = "docker:c";

/** Lets everything run that does not wait for the clock. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

function guarded(saved = new Map<string, unknown>(), clock = new ManualClock()) {
  const inner = new FakeExecutor();
  let isUp = true;
  let looks = 0;
  let saves = 0;
  inner.health = async () => {
    looks++;
    return { running: isUp, details: {} };
  };
  const executor = new GuardedExecutor({
    ...{ executor: inner, name: NAME, clock, random: () => 0.5, log: silentLog },
    breakers: {
      load: (name) => saved.get(name) ?? null,
      save: (name, state) => {
        saves++;
        saved.set(name, state);
      },
    },
  });
  const fails = (error: HivegateError) => {
    isUp = false;
    inner.answer = () => Promise.reject(error);
  };
  const recovers = () => {
    isUp = true;
    inner.answer = async () => succeeded("");
  };
  const run = () =>
    executor.run(["cli", "list"], { timeoutMs: 1_000 }).then(
      () => "ran",
      (thrown: HivegateError) => thrown.code,
    );
  const advance = async (byMs: number) => {
    clock.advance(byMs);
    await settled();
  };
  return {
    executor,
    inner,
    clock,
    saved,
    fails,
    recovers,
    run,
    advance,
    looks: () => looks,
    saves: () => saves,
  };
}

describe("Docker's circuit breaker", () => {
  it.each([
    ["no daemon", { code: "ENOENT" }],
    ["a daemon that hangs", { code: "ABORT_ERR" }],
    ["no such container", { statusCode: 404 }],
    ["a container that is stopped or paused", { statusCode: 409 }],
  ])("S4 %s costs one request its time, and the next ones none", async (_, thrown) => {
    const { executor, inner, fails, run } = guarded();
    expect(await executor.canStart()).toBe(true);
    fails(dockerUnavailable(thrown));
    expect(await run()).toBe("swarm_unavailable");
    expect([await run(), await run()]).toEqual(["circuit_open", "circuit_open"]);
    inner.canStart = async () => true;
    expect(await executor.canStart()).toBe(false);
    expect(inner.commands).toHaveLength(1);
    expect(executor.circuit.state).toBe("open");
    await executor.close();
  });

  it("S4 what it says while it is open still says what is wrong", async () => {
    const { executor, fails, run } = guarded();
    fails(dockerUnavailable({ statusCode: 404 }));
    await run();
    await expect(executor.run([], { timeoutMs: 1 })).rejects.toThrow(
      "The swarm's container does not exist. Create it, or correct its name. It is tried again by itself.",
    );
    await executor.close();
  });

  it("S4 neither tasks nor stops wait for it", async () => {
    const { executor, inner, fails, run } = guarded();
    fails(refused);
    await run();
    const callbacks = { output: () => {}, remember: () => {} };
    await expect(executor.start({ taskId: TASK_ID, argv: [] }, callbacks)).rejects.toMatchObject({
      code: "circuit_open",
    });
    await expect(executor.stop(TASK_ID, { graceMs: 1 })).rejects.toMatchObject({ code: "circuit_open" });
    expect([inner.started, inner.stopped]).toEqual([[], []]);
    await executor.close();
  });

  it.each([
    new HivegateError("swarm_failed"),
    new HivegateError("overloaded"),
    new HivegateError("container_not_allowed"),
    dockerUnavailable({ statusCode: 500 }),
  ])("S4 does not open when a command of the swarm fails: $message", async (error) => {
    const { executor, fails, run } = guarded();
    fails(error);
    for (let n = 0; n < 10; n++) await run();
    expect(executor.circuit.state).toBe("closed");
    await executor.close();
  });

  it("S4 finds out by itself, again and again but not often, and closes when the container is back", async () => {
    const { executor, fails, recovers, run, advance, looks, saves, inner } = guarded();
    fails(refused);
    await run();
    expect(looks()).toBe(0);
    for (let n = 0; n < 60; n++) await advance(1_000);
    expect(looks()).toBeGreaterThan(30);
    expect(looks()).toBeLessThan(70);
    expect(saves()).toBe(1);
    expect(await run()).toBe("circuit_open");
    recovers();
    for (let n = 0; n < 2; n++) await advance(1_000);
    expect(executor.circuit.state).toBe("closed");
    expect(await run()).toBe("ran");
    expect(inner.commands).toHaveLength(2);
    const looked = looks();
    await advance(60_000);
    expect(looks()).toBe(looked);
    await executor.close();
  });

  it("S4 outlives a restart, and is looked after then as well", async () => {
    const first = guarded();
    first.fails(refused);
    await first.run();
    await first.executor.close();
    expect(first.clock.waiting).toBe(0);

    const second = guarded(first.saved, first.clock);
    expect(second.executor.circuit.state).toBe("open");
    expect(await second.run()).toBe("circuit_open");
    await second.advance(5_000);
    expect(second.executor.circuit.state).toBe("closed");
    await second.executor.close();

    const third = guarded(first.saved, first.clock);
    expect(third.executor.circuit.state).toBe("closed");
    await third.executor.close();
  });

  it("H9 a task is looked for after a restart although it is open", async () => {
    const { executor, fails, run } = guarded();
    fails(refused);
    await run();
    const found = await executor.recover({ taskId: TASK_ID, handle: null }, () => {});
    expect(found).toEqual({ status: "never_started" });
    await executor.close();
  });
});
