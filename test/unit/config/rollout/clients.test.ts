import fc from "fast-check";
import { describe, expect, it } from "vitest";
import {
  advance,
  backOut,
  bucketOf,
  effectivePercent,
  isInRollout,
  NO_ROLLOUT,
  ROLLOUT_PERCENTS,
  setPercent,
  startSchedule,
  stepEndsAtMs,
} from "../../../../shared/config/rollout.ts";
import { RolloutChange } from "../../../../shared/protocol/rollout.ts";

describe("which clients are in", () => {
  it("C6 puts all kinds of names into the hundred buckets alike", () => {
    const kinds = [
      (n: number) => `user:${n}`,
      (n: number) => `${n}@example.org`,
      (n: number) => `https://issuer.example/|${n.toString(16).padStart(12, "0")}`,
    ];
    for (const nameOf of kinds) {
      const counts = new Array<number>(100).fill(0);
      for (let n = 0; n < 100_000; n++) {
        const bucket = bucketOf(nameOf(n));
        counts[bucket] = (counts[bucket] ?? 0) + 1;
      }
      // Chi-squared with 99 degrees of freedom is above 181 once in a million times.
      const chiSquared = counts.reduce((sum, count) => sum + (count - 1_000) ** 2 / 1_000, 0);
      expect(chiSquared).toBeLessThan(181);
    }
  });

  it("C6 keeps who was in, whenever the share grows, and leaves nobody out at 100 %", () => {
    fc.assert(
      fc.property(fc.string(), (client) => {
        const isIn = ROLLOUT_PERCENTS.map((percent) => isInRollout(client, percent));
        expect(isIn).toEqual(isIn.toSorted((one, other) => Number(one) - Number(other)));
        expect([isIn.at(0), isIn.at(-1)]).toEqual([false, true]);
      }),
    );
  });

  it("C6 gives a client the same bucket in every version: it is written down here", () => {
    expect(["", "a", "b", "user:ann", "key:ci"].map(bucketOf)).toEqual(BUCKETS);
  });
});

const BUCKETS = [23, 15, 74, 85, 32];

describe("how far the rollout is", () => {
  const steps = [
    { percent: 10 as const, forMs: 1_000 },
    { percent: 50 as const, forMs: 2_000 },
    { percent: 100 as const, forMs: 1 },
  ];

  it("C6 goes on with its schedule after the time of a step, if all is fine, and stays at its end", () => {
    const first = startSchedule(steps, 0);
    expect([effectivePercent(first), stepEndsAtMs(first)]).toEqual([10, 1_000]);
    expect(advance(first, true, 999)).toBe(first);
    expect(advance(first, false, 5_000)).toBe(first);
    const second = advance(first, true, 5_000);
    expect([effectivePercent(second), stepEndsAtMs(second)]).toEqual([50, 7_000]);
    const last = advance(second, true, 7_000);
    expect([effectivePercent(last), stepEndsAtMs(last)]).toEqual([100, null]);
    expect(advance(last, true, 1e9)).toBe(last);
  });

  it("C6 stays backed out for the first reason until somebody sets it again", () => {
    const state = backOut(startSchedule(steps, 0), "slower", 500);
    expect(effectivePercent(state)).toBe(0);
    expect(backOut(state, "different", 600)).toBe(state);
    expect(advance(state, true, 1e9)).toBe(state);
    expect(effectivePercent(setPercent(10, 700))).toBe(10);
    expect(setPercent(10, 700).backedOut).toBeNull();
    expect(effectivePercent(NO_ROLLOUT)).toBe(0);
  });

  it("C6 takes the four percentages and schedules that grow, and nothing else", () => {
    const isTaken = (change: unknown) => RolloutChange.safeParse(change).success;
    for (const percent of ROLLOUT_PERCENTS) expect(isTaken({ percent })).toBe(true);
    expect(isTaken({ schedule: steps })).toBe(true);
    expect(isTaken({ back_out: true })).toBe(true);
    const refused = [
      { percent: 30 },
      { percent: 10, schedule: steps },
      { schedule: [] },
      { schedule: steps.toReversed() },
      { schedule: [{ percent: 10, forMs: 0 }] },
      { back_out: false },
      {},
      null,
    ];
    for (const change of refused) expect(isTaken(change)).toBe(false);
  });
});
