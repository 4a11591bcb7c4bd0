import { describe, expect, it } from "vitest";
import { figuresOf, judge, type PathSample, worstOf } from "../../../../shared/config/judge.ts";
import { seededRandom } from "../../../bench/rig/random.ts";

/** `perSecond` reads for `seconds`, of which each takes what `durationMs` says of its moment. */
function reads(perSecond: number, seconds: number, durationMs: (atMs: number) => number): PathSample[] {
  return Array.from({ length: perSecond * seconds }, (_, n) => {
    const atMs = (n * 1_000) / perSecond;
    return { atMs, durationMs: durationMs(atMs), failed: false };
  });
}

const failing = (count: number, failures: number): PathSample[] =>
  Array.from({ length: count }, (_, n) => ({ atMs: n, durationMs: 1, failed: n < failures }));

const varying = (factor: number, random: () => number) => factor * (0.8 + 0.4 * random());

describe("what the reads of both paths say", () => {
  it("C6 finds a path that has just become slow, long before half of all reads are", () => {
    const random = seededRandom(1);
    const old = reads(90, 120, () => varying(1, random));
    const slowAtMs = 114_000;
    const now = reads(10, 120, (atMs) => varying(atMs < slowAtMs ? 1 : 2, random));
    expect(judge({ old, new: now }).verdict).toBe("slower");
  });

  it("C6 finds a path that is a little slower all the time", () => {
    const random = seededRandom(2);
    const old = reads(90, 120, () => varying(1, random));
    expect(judge({ old, new: reads(10, 120, () => varying(1.35, random)) }).verdict).toBe("slower");
    expect(judge({ old, new: reads(10, 120, () => varying(1.15, random)) }).verdict).toBe("fine");
  });

  it("C6 blames neither path for a moment in which the whole machine was slow", () => {
    const random = seededRandom(3);
    for (let endMs = 60_000; endMs <= 120_000; endMs += 500) {
      const busy = (atMs: number) => varying(atMs > endMs - 6_000 && atMs < endMs ? 5 : 1, random);
      expect(judge({ old: reads(90, 120, busy), new: reads(10, 120, busy) }).verdict).toBe("fine");
    }
  });

  it("C6 finds a path that fails more, among few reads too", () => {
    expect(judge({ old: failing(1_000, 0), new: failing(20, 5) }).verdict).toBe("more_errors");
    expect(judge({ old: failing(1_000, 100), new: failing(100, 12) }).verdict).toBe("fine");
    expect(judge({ old: failing(1_000, 500), new: failing(100, 0) }).verdict).toBe("fine");
    expect(judge({ old: [], new: failing(100, 0) })).toEqual({ verdict: "too_few", ratio: null });
  });

  it("C6 says of all operations what is worst, and of none that there are too few", () => {
    expect(worstOf(["fine", "slower", "more_errors"])).toBe("slower");
    expect(worstOf(["fine", "too_few", "more_errors"])).toBe("more_errors");
    expect(worstOf(["too_few", "fine"])).toBe("fine");
    expect(worstOf(["too_few"])).toBe("too_few");
    expect(worstOf([])).toBe("too_few");
  });

  it("C6 gives the figures of reads that did not fail, and counts those that did", () => {
    const samples = [4, 1, 2, 3].map((durationMs) => ({ atMs: 0, durationMs, failed: durationMs === 4 }));
    expect(figuresOf(samples)).toEqual({ calls: 4, errors: 1, p50_ms: 2, p95_ms: 3 });
    expect(figuresOf([])).toEqual({ calls: 0, errors: 0, p50_ms: null, p95_ms: null });
  });
});
