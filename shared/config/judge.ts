/** What the reads of both paths say of the newer one: looked at all the time, so it has to be surer than a single comparison. */
import type { PathFigures, PathVerdict } from "../protocol/rollout.ts";
import { COMPARE_RULE, compareErrors, compareTimes } from "./compare.ts";

/** One read. A failed one's duration says nothing. */
export type PathSample = { atMs: number; durationMs: number; failed: boolean };
export type BothPaths = { old: readonly PathSample[]; new: readonly PathSample[] };

export type Judgement = { verdict: PathVerdict; ratio: number | null };

/** A false alarm in 30,000 looks at paths of which one is exactly 20 % slower; there is a look each second. */
const RULE = { ...COMPARE_RULE, deviations: 4 };
const ERRORS_CHANCE = 1e-5;
/** What goes wrong now is looked for among the reads of so long: among all it would have to grow to half of them first. */
const RECENT_MS = 10_000;

/** Of one operation. */
export function judge({ old, new: now }: BothPaths, nowMs: number): Judgement {
  const recent = (samples: readonly PathSample[]) => samples.filter(({ atMs }) => atMs > nowMs - RECENT_MS);
  const all = compareTimes(durationsOf(old), durationsOf(now), RULE);
  const lately = compareTimes(durationsOf(recent(old)), durationsOf(recent(now)), RULE);
  const slower = [lately, all].find(({ verdict }) => verdict === "slower");
  if (slower) return slower;
  const errors = [
    compareErrors(countsOf(recent(old)), countsOf(recent(now)), ERRORS_CHANCE),
    compareErrors(countsOf(old), countsOf(now), ERRORS_CHANCE),
  ];
  return errors.some(({ verdict }) => verdict === "more") ? { ...all, verdict: "more_errors" } : all;
}

/** Of all operations: the worst of those of which there were enough. */
export function worstOf(verdicts: readonly PathVerdict[]): PathVerdict {
  const order: PathVerdict[] = ["slower", "more_errors", "fine"];
  return order.find((verdict) => verdicts.includes(verdict)) ?? "too_few";
}

export function figuresOf(samples: readonly PathSample[]): PathFigures {
  const sorted = durationsOf(samples).sort((one, other) => one - other);
  const quantile = (share: number) => sorted[Math.max(0, Math.ceil(share * sorted.length) - 1)] ?? null;
  return { ...countsOf(samples), p50_ms: quantile(0.5), p95_ms: quantile(0.95) };
}

const durationsOf = (samples: readonly PathSample[]): number[] =>
  samples.flatMap(({ failed, durationMs }) => (failed ? [] : [durationMs]));

const countsOf = (samples: readonly PathSample[]) => ({
  calls: samples.length,
  errors: samples.filter(({ failed }) => failed).length,
});
