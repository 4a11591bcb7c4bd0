import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { backoffMs } from "../../../shared/pressure/backoff.ts";
import { RateLimiter } from "../../../shared/pressure/rate-limiter.ts";
import { fullBucket, take } from "../../../shared/pressure/token-bucket.ts";
import { Tries } from "../../../shared/pressure/tries.ts";

describe("the rate limit", () => {
  it("S8 lets a burst through, then so many a second, and says how long to wait", () => {
    const rate = { burst: 2, perSecond: 10 };
    let bucket = fullBucket(rate, 0);
    const allowed = [0, 0, 0, 50, 100, 100].map((nowMs) => {
      const taken = take(bucket, rate, nowMs);
      bucket = taken.bucket;
      return taken.allowed || taken.waitMs;
    });
    expect(allowed).toEqual([true, true, 100, 50, true, 100]);
  });

  it("S8 never lets more through than burst plus rate, whatever the times", () => {
    fc.assert(
      fc.property(fc.array(fc.nat(500), { maxLength: 200 }), (stepsMs) => {
        const rate = { burst: 5, perSecond: 20 };
        let bucket = fullBucket(rate, 0);
        let nowMs = 0;
        let count = 0;
        for (const stepMs of stepsMs) {
          nowMs += stepMs;
          const taken = take(bucket, rate, nowMs);
          bucket = taken.bucket;
          if (taken.allowed) count++;
        }
        expect(count).toBeLessThanOrEqual(rate.burst + (nowMs / 1000) * rate.perSecond + 1e-6);
      }),
    );
  });
});

describe("the rate limits of many", () => {
  it("S8 count each name for itself, and say how long to wait", () => {
    const limiter = new RateLimiter({ burst: 1, perSecond: 10 }, 10);
    limiter.take("a", 0);
    limiter.take("b", 0);
    expect(() => limiter.take("a", 0)).toThrow("Wait 100 ms");
    limiter.take("a", 100);
  });

  it("S6 forget the one longest silent beyond the limit", () => {
    const limiter = new RateLimiter({ burst: 1, perSecond: 1 }, 2);
    for (const name of ["a", "b", "c"]) limiter.take(name, 0);
    limiter.take("a", 0);
    expect(() => limiter.take("c", 0)).toThrow(/Too many/);
  });
});

describe("backoff", () => {
  it("H9 doubles up to its most, with jitter on the upper half", () => {
    const backoff = { firstMs: 100, mostMs: 1_000 };
    expect([0, 1, 2, 3, 4, 50].map((attempt) => backoffMs(backoff, attempt, 0))).toEqual([
      50, 100, 200, 400, 500, 500,
    ]);
    expect(backoffMs(backoff, 1, 0.999)).toBe(200);
  });
});

describe("tries", () => {
  it("S6 come again after a while, whatever became of those before", () => {
    const tries = new Tries(3, 1_000);
    const takenAt = (nowMs: number) =>
      Array.from({ length: 5 }, () => tries.take(nowMs)).filter(Boolean).length;
    expect([takenAt(0), takenAt(999), takenAt(1_000)]).toEqual([3, 0, 3]);
    expect(tries.take(2_000)).toBe(true);
    tries.settle();
    expect([takenAt(2_999), takenAt(3_000)]).toEqual([0, 3]);
  });
});
