import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  BREAKER_RULES,
  BreakerState,
  circuitOf,
  type Outcome,
  type Permit,
} from "../../../shared/pressure/breaker.ts";
import { Bench } from "./breaker-bench.ts";

const RULES = { ...BREAKER_RULES, windowMs: 2_000, firstMs: 100, mostMs: 3_000, probeTimeoutMs: 2_000 };

const rules = fc.record({
  probes: fc.integer({ min: 1, max: 3 }),
  successesToClose: fc.integer({ min: 1, max: 4 }),
  failuresInARow: fc.integer({ min: 1, max: 6 }),
});

const timestamp = fc.oneof(fc.maxSafeNat(), fc.integer({ min: 1_699_999_990_000, max: 1_700_000_010_000 }));
const common = {
  sinceMs: timestamp,
  lastPermit: fc.maxSafeNat(),
  probes: fc.array(fc.record({ permit: fc.maxSafeNat(), untilMs: timestamp }), { maxLength: 5 }),
};
const doublings = fc.nat(30);
const bucket = fc.record({ startMs: timestamp, succeeded: fc.maxSafeNat(), failed: fc.maxSafeNat() });
/** Anything that fits the schema. */
const saved: fc.Arbitrary<BreakerState> = fc.oneof(
  fc.record({
    phase: fc.constant("closed" as const),
    failuresInARow: fc.maxSafeNat(),
    window: fc.array(bucket, { maxLength: 20, size: "max" }),
    ...common,
  }),
  fc.record({ phase: fc.constant("open" as const), retryAtMs: timestamp, doublings, ...common }),
  fc.record({
    phase: fc.constant("half_open" as const),
    successes: fc.maxSafeNat(),
    doublings,
    permitsBefore: fc.maxSafeNat(),
    ...common,
  }),
);

const outcome = fc.constantFrom<Outcome>("success", "failure", "failure", "none");
/** `report` is of the call that was admitted as the `which`th of those in flight. */
const step = fc.oneof(
  { weight: 6, arbitrary: fc.constant({ do: "admit" } as const) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant("report" as const), which: fc.nat(20), outcome }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant("wait" as const), ms: fc.nat(1_500) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("jump" as const), ms: fc.integer() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant("restart" as const), ms: fc.nat(5_000) }) },
);
type Step = typeof step extends fc.Arbitrary<infer T> ? T : never;
const steps = fc.array(step, { maxLength: 120, size: "max" });

/** A breaker and the calls through it that have not reported yet. */
class World extends Bench {
  calling: { permit: Permit; isProbe: boolean; isGivenUp: boolean; startedMs: number }[] = [];

  take(step: Step): void {
    if (step.do === "admit") this.#admit();
    else if (step.do === "report") this.#report(step.which, step.outcome);
    else if (step.do === "restart") this.#restart(step.ms);
    else this.nowMs = Math.max(0, this.nowMs + step.ms);
  }

  get probesInFlight(): number {
    return this.calling.filter((call) => call.isProbe && !call.isGivenUp).length;
  }

  /** All calls succeed from now on, but those in flight are lost. */
  recover(stepMs: number): void {
    this.calling = [];
    this.nowMs += stepMs;
    for (let i = 0; i < this.rules.successesToClose && this.isFailing; i++) {
      const permit = this.admit();
      if (permit) this.report(permit, "success");
    }
  }

  get isFailing(): boolean {
    return circuitOf(this.state).state !== "closed";
  }

  #admit(): void {
    this.#giveUp();
    const permit = this.admit();
    if (!permit) return;
    this.calling.push({ permit, isProbe: this.isFailing, isGivenUp: false, startedMs: this.nowMs });
  }

  #report(which: number, outcome: Outcome): void {
    this.#giveUp();
    const [call] = this.calling.splice(which % Math.max(1, this.calling.length), 1);
    if (call) this.report(call.permit, outcome);
  }

  #restart(afterMs: number): void {
    this.calling = [];
    this.restart(afterMs);
  }

  /** A call that takes too long, by the clock as it is seen, is given up by its caller, and may still report. */
  #giveUp(): void {
    for (const call of this.calling) {
      call.startedMs = Math.min(call.startedMs, this.nowMs);
      call.isGivenUp ||= this.nowMs - call.startedMs >= this.rules.probeTimeoutMs;
    }
  }
}

describe("the breaker, from any saved state and with any clock", () => {
  it("S4 never has more probes in flight than its rule", () => {
    fc.assert(
      fc.property(rules, saved, steps, (some, state, steps) => {
        expect(BreakerState.parse(state)).toEqual(state);
        const world = new World({ ...RULES, ...some }, state);
        for (const step of steps) {
          world.take(step);
          expect(world.probesInFlight).toBeLessThanOrEqual(some.probes);
        }
      }),
    );
  });

  it("S4 recovers by itself once calls succeed, within its longest wait and a probe's time", () => {
    fc.assert(
      fc.property(rules, saved, steps, (some, state, steps) => {
        const world = new World({ ...RULES, ...some }, state);
        for (const step of steps) world.take(step);
        const stepMs = 50;
        const mostMs = RULES.mostMs + RULES.probeTimeoutMs + 2 * stepMs;
        for (let spentMs = 0; spentMs < mostMs; spentMs += stepMs) world.recover(stepMs);
        expect(world.isFailing).toBe(false);
      }),
    );
  });

  it("S4 behaves the same when its state goes through JSON at every step, and stays small", () => {
    fc.assert(
      fc.property(rules, saved, steps, (some, state, steps) => {
        const [kept, sent] = [
          new World({ ...RULES, ...some }, state),
          new World({ ...RULES, ...some }, state),
        ];
        for (const step of steps) {
          kept.take(step);
          sent.take(step);
          const json = JSON.stringify(sent.state);
          expect(json.length).toBeLessThan(1_000);
          sent.state = BreakerState.parse(JSON.parse(json));
          expect(sent.state).toEqual(kept.state);
          expect(sent.calling).toEqual(kept.calling);
        }
      }),
    );
  });
});

describe("a closed breaker, whatever its calls", () => {
  it("S4 opens at the very failure at which one of its rules is reached", () => {
    const calls = fc.array(fc.record({ ok: fc.boolean(), afterMs: fc.nat(1_000) }), {
      maxLength: 27,
      size: "max",
    });
    fc.assert(
      fc.property(rules, fc.double({ min: 0.1, max: 1, noNaN: true }), calls, (some, failureRate, calls) => {
        const bench = new Bench({ ...BREAKER_RULES, ...some, failureRate });
        const oks: boolean[] = [];
        for (const { ok, afterMs } of calls) {
          bench.nowMs += afterMs;
          oks.push(ok);
          const state = bench.calls(ok ? "+" : "-");
          const shouldOpen =
            !ok &&
            (oks.length - 1 - oks.lastIndexOf(true) >= some.failuresInARow ||
              (oks.length >= BREAKER_RULES.leastOutcomes &&
                oks.filter((each) => !each).length / oks.length >= failureRate));
          expect(state).toBe(shouldOpen ? "open" : "closed");
          if (shouldOpen) return;
        }
      }),
    );
  });
});
