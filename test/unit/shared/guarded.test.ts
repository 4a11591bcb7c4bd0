import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { BREAKER_RULES } from "../../../shared/pressure/breaker.ts";
import { Guard } from "../../../shared/pressure/guarded.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const UNREACHABLE = new HivegateError("mcp_unavailable");
const REFUSED = new HivegateError("mcp_failed");
const NOT_SENT = new HivegateError("overloaded");

const isFailure = (error: unknown) => (error === NOT_SENT ? null : error === UNREACHABLE);

/** A guard whose state is stored at each change, as its owner would. */
function guarded(stored: string[] = []) {
  const clock = new ManualClock();
  const start = (saved: unknown) =>
    new Guard({
      rules: BREAKER_RULES,
      clock,
      random: () => 0.5,
      saved,
      changed: (state) => stored.push(JSON.stringify(state)),
    });
  const phases = () => stored.map((state) => JSON.parse(state).phase);
  return { clock, guard: start(null), start, stored, phases };
}

const fails = (guard: Guard, error: unknown) =>
  expect(guard.run(() => Promise.reject(error), isFailure)).rejects.toBe(error);
const succeeds = (guard: Guard) =>
  expect(guard.run(() => Promise.resolve("well"), isFailure)).resolves.toBe("well");
const isNotMade = (guard: Guard) =>
  expect(guard.run(() => Promise.reject(new Error("it was made")), isFailure)).rejects.toMatchObject({
    code: "circuit_open",
  });

async function open(guard: Guard) {
  for (let i = 0; i < 5; i++) await fails(guard, UNREACHABLE);
}

describe("a guard", () => {
  it("S4 makes no call while the circuit is open, then one at a time until it is closed", async () => {
    const { guard, clock, phases } = guarded();
    await open(guard);
    await isNotMade(guard);
    expect(guard.circuit.retry_at).toBe(clock.now() + guard.retryInMs);

    clock.advance(guard.retryInMs);
    const probe = Promise.withResolvers<string>();
    const answer = guard.run(() => probe.promise, isFailure);
    await isNotMade(guard);
    probe.resolve("well");
    await expect(answer).resolves.toBe("well");
    await succeeds(guard);
    expect(guard.circuit).toEqual({ state: "closed", since: clock.now(), retry_at: null });
    expect(phases()).toEqual(["open", "half_open", "closed"]);
  });

  it("S4 takes an error for an answer when its owner says so", async () => {
    const { guard, clock, phases } = guarded();
    for (let i = 0; i < 20; i++) await fails(guard, REFUSED);
    await open(guard);
    clock.advance(guard.retryInMs);
    await fails(guard, REFUSED);
    await fails(guard, REFUSED);
    expect(phases()).toEqual(["open", "half_open", "closed"]);
  });

  it("S4 learns nothing from a call that never reached the service", async () => {
    const { guard, clock } = guarded();
    await open(guard);
    clock.advance(guard.retryInMs);
    for (let i = 0; i < 5; i++) await fails(guard, NOT_SENT);
    expect(guard.circuit.state).toBe("half_open");
  });

  it("S4 counts a call that throws before it is under way, and an error that nobody can judge", async () => {
    const { guard } = guarded();
    const broken = () => {
      throw UNREACHABLE;
    };
    await expect(guard.run(broken, isFailure)).rejects.toBe(UNREACHABLE);
    for (let i = 0; i < 4; i++) {
      await expect(guard.run(() => Promise.reject(REFUSED), broken)).rejects.toBe(UNREACHABLE);
    }
    expect(guard.circuit.state).toBe("open");
  });

  it("S4 goes on after a restart where it was", async () => {
    const { guard, start, stored, clock } = guarded();
    await open(guard);
    const again = start(JSON.parse(stored.at(-1) ?? ""));
    expect(again.circuit).toEqual(guard.circuit);
    await isNotMade(again);
    clock.advance(again.retryInMs);
    await succeeds(again);
    await succeeds(again);
    expect(again.circuit.state).toBe("closed");
  });
});
