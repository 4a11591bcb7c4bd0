/**
 * Whether a path got worse, told from samples of both, and told only when it is sure: what follows from it is that
 * everybody is taken back. Medians, because times have heavy tails: one pause of a second among a thousand reads is no
 * reason. Their intervals come from ranks alone, so nothing is assumed about how times are spread.
 */

export type CompareRule = {
  /** Slower means: the median grew by more than this factor. */
  ratio: number;
  /** And by more than this. A request over HTTP costs ten times as much; below it clocks and caches are compared. */
  floorMs: number;
  /** Fewer on either side say nothing. */
  samples: number;
  /** How sure, in standard deviations of a normal distribution. */
  deviations: number;
};

/**
 * 3.29: one alarm in 2,000 comparisons of a path that is slower by exactly `ratio`, hardly ever one of paths that are equal.
 * One that is 40 % slower is found 99 times in 100 with 1,200 samples where times vary much (95 % of them below 2.3 medians).
 */
export const COMPARE_RULE: CompareRule = { ratio: 1.2, floorMs: 0.05, samples: 30, deviations: 3.29 };

export type TimesCompared = {
  verdict: "too_few" | "fine" | "slower";
  /** Of the medians, after to before; null: too few, or nothing that could be measured before. */
  ratio: number | null;
};

/** Durations of one operation, in milliseconds, in any order. */
export function compareTimes(
  before: readonly number[],
  after: readonly number[],
  rule: CompareRule = COMPARE_RULE,
): TimesCompared {
  if (Math.min(before.length, after.length) < Math.max(rule.samples, rule.deviations ** 2))
    return { verdict: "too_few", ratio: null };
  const [old, now] = [medianOf(before, rule.deviations), medianOf(after, rule.deviations)];
  const isSlower = isSurelyAbove(now, old, rule.ratio, 0) && isSurelyAbove(now, old, 1, rule.floorMs);
  return { verdict: isSlower ? "slower" : "fine", ratio: old.value > 0 ? now.value / old.value : null };
}

type Counts = { calls: number; errors: number };

export type ErrorsCompared = {
  /** `too_few`: even if all calls after had failed, it might be chance. */
  verdict: "too_few" | "fine" | "more";
};

/** The same chance of a false alarm as of times. */
const ERRORS_CHANCE = 0.0005;

/** Fisher's exact test: right for three calls as for thousands. */
export function compareErrors(before: Counts, after: Counts, chance = ERRORS_CHANCE): ErrorsCompared {
  if (chanceOfErrors(before, { ...after, errors: after.calls }) >= chance) return { verdict: "too_few" };
  return { verdict: chanceOfErrors(before, after) < chance ? "more" : "fine" };
}

/** How likely so many errors or more are after, if errors fell on calls of both alike. */
export function chanceOfErrors(before: Counts, after: Counts): number {
  const calls = before.calls + after.calls;
  const errors = before.errors + after.errors;
  const all = lnChoose(calls, after.calls);
  let chance = 0;
  for (let count = after.errors; count <= Math.min(errors, after.calls); count++)
    chance += Math.exp(lnChoose(errors, count) + lnChoose(calls - errors, after.calls - count) - all);
  return Math.min(1, chance);
}

type Median = { value: number; low: number; high: number };

/** With the ranks between which the true one is: how many samples are below it is a matter of tossed coins. */
function medianOf(samples: readonly number[], deviations: number): Median {
  const sorted = Float64Array.from(samples).sort();
  const at = (rank: number) => sorted[Math.min(sorted.length - 1, Math.max(0, rank))] ?? 0;
  const last = sorted.length - 1;
  const low = Math.floor((sorted.length - deviations * Math.sqrt(sorted.length)) / 2) - 1;
  const value = (at(Math.floor(last / 2)) + at(Math.ceil(last / 2))) / 2;
  return { value, low: at(low), high: at(last - low) };
}

/**
 * Whether `now` is above `old * factor + offset`, by more than the doubt in both. The two doubts are independent, so they add
 * up as sides of a right angle (Zou and Donner's interval of a difference, from the intervals of its parts).
 */
function isSurelyAbove(now: Median, old: Median, factor: number, offset: number): boolean {
  const doubt = Math.hypot(now.value - now.low, factor * (old.high - old.value));
  return now.value - factor * old.value - offset > doubt;
}

const lnChoose = (n: number, k: number): number =>
  k < 0 || k > n ? Number.NEGATIVE_INFINITY : lnFactorial(n) - lnFactorial(k) - lnFactorial(n - k);

/** Stirling's series: wrong by less than a thousandth at 1, and by less and less above. */
function lnFactorial(n: number): number {
  if (n < 2) return 0;
  return (n + 0.5) * Math.log(n) - n + 0.5 * Math.log(2 * Math.PI) + 1 / (12 * n) - 1 / (360 * n ** 3);
}
