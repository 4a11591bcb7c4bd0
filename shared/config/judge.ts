/** What the reads of both paths say of the newer one: looked at all the time, so it has to be surer than a single comparison. */
import type { PathFigures, PathVerdict } from "../protocol/rollout.ts";
import { COMPARE_RULE, compareErrors, compareTimes } from "./compare.ts";

/** One read. A failed one's duration says nothing. */
export type PathSample = { atMs: number; durationMs: number; failed: boolean };
export type BothPaths = { old: readonly PathSample[]; new: readonly PathSample[] };

export type Judgement = { verdict: PathVerdict; ratio: number | null };

/** A false alarm in 30,000 comparisons with a path that is exactly 20 % slower; each second there are three, of `LAST_READS`. */
const RULE = { ...COMPARE_RULE, deviations: 4 };
const ERRORS_CHANCE = 1e-5;
/**
 * Besides all reads the last ones are looked at: what goes wrong now would have to grow to half of all first. Always those of both
 * paths since the same moment, so that both saw what else was the matter then.
 */
const LAST_READS = [50, 200, Number.POSITIVE_INFINITY];

/** Of one operation. */
export function judge(both: BothPaths): Judgement {
  const times = LAST_READS.map((count) => compareSince(both, momentOf(both, count)));
  const slower = times.find(({ verdict }) => verdict === "slower");
  if (slower) return slower;
  const isFailing = LAST_READS.some((count) => failsSince(both, momentOf(both, count)));
  const all = compareSince(both, Number.NEGATIVE_INFINITY);
  return isFailing ? { ...all, verdict: "more_errors" } : all;
}

/** Since when there were so many reads on either path. */
const momentOf = ({ old, new: now }: BothPaths, count: number): number =>
  Math.min(...[old, now].map((samples) => samples.at(-count)?.atMs ?? Number.NEGATIVE_INFINITY));

function compareSince({ old, new: now }: BothPaths, sinceMs: number): Judgement {
  return compareTimes(durationsOf(since(old, sinceMs)), durationsOf(since(now, sinceMs)), RULE);
}

function failsSince({ old, new: now }: BothPaths, sinceMs: number): boolean {
  const [before, after] = [countsOf(since(old, sinceMs)), countsOf(since(now, sinceMs))];
  return compareErrors(before, after, ERRORS_CHANCE).verdict === "more";
}

const since = (samples: readonly PathSample[], sinceMs: number): readonly PathSample[] =>
  samples.filter(({ atMs }) => atMs >= sinceMs);

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
