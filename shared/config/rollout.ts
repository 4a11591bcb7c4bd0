/**
 * Which clients are on the newer system's path while configurations move over, and when the next ones follow. Times are
 * milliseconds since the epoch.
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { Timestamp } from "../protocol/ids.ts";

export const ROLLOUT_PERCENTS = [0, 10, 25, 50, 100] as const;
export const RolloutPercent = z.literal(ROLLOUT_PERCENTS);
export type RolloutPercent = z.infer<typeof RolloutPercent>;

/** `forMs`: how long at least; the next step waits for enough reads, too, and for nothing to be wrong. */
export const RolloutStep = z.strictObject({
  percent: z.literal([10, 25, 50, 100]),
  forMs: z.int().positive().max(LIMITS.rolloutStepMs),
});
export type RolloutStep = z.infer<typeof RolloutStep>;

export const RolloutSchedule = z
  .array(RolloutStep)
  .min(1)
  .max(LIMITS.rolloutSteps)
  .refine((steps) => steps.every((step, n) => step.percent > (steps[n - 1]?.percent ?? 0)), {
    message: "expected steps of ever more percent",
  });

/** As it is kept over restarts. */
export const RolloutState = z.object({
  /** What is to be; where it was backed out, what it was. */
  percent: RolloutPercent,
  since: Timestamp.nullable(),
  /** `step` counts from 0. */
  schedule: z.object({ steps: z.array(RolloutStep), step: z.int().nonnegative() }).nullable(),
  /** It stays so until somebody sets a percentage again. */
  backedOut: z.object({ at: Timestamp, reason: z.string() }).nullable(),
});
export type RolloutState = z.infer<typeof RolloutState>;

export const NO_ROLLOUT: RolloutState = { percent: 0, since: null, schedule: null, backedOut: null };

export const effectivePercent = ({ percent, backedOut }: RolloutState): RolloutPercent =>
  backedOut ? 0 : percent;

export const setPercent = (percent: RolloutPercent, nowMs: number): RolloutState => ({
  ...{ percent, since: nowMs, schedule: null, backedOut: null },
});

export const startSchedule = (steps: RolloutStep[], nowMs: number): RolloutState => ({
  ...{ percent: steps[0]?.percent ?? 0, since: nowMs, schedule: { steps, step: 0 }, backedOut: null },
});

/** Everybody is on the older path from now on. What it was backed out of first stands. */
export const backOut = (state: RolloutState, reason: string, nowMs: number): RolloutState =>
  state.backedOut ? state : { ...state, backedOut: { at: nowMs, reason } };

/** When the schedule's step has had its time; null: there is none, or none after it. */
export function stepEndsAtMs({ schedule, since, backedOut }: RolloutState): number | null {
  if (!schedule || since === null || backedOut || !schedule.steps[schedule.step + 1]) return null;
  return since + (schedule.steps[schedule.step]?.forMs ?? 0);
}

/** The state with the schedule's next step, if this one has had its time. `isFine`: enough was seen, and nothing is wrong. */
export function advance(state: RolloutState, isFine: boolean, nowMs: number): RolloutState {
  const endsAtMs = stepEndsAtMs(state);
  if (!state.schedule || endsAtMs === null || !isFine || nowMs < endsAtMs) return state;
  const step = state.schedule.step + 1;
  const percent = state.schedule.steps[step]?.percent ?? state.percent;
  return { percent, since: nowMs, schedule: { ...state.schedule, step }, backedOut: null };
}

/** Whoever is in at 10 % is in at 25 %, and stays so over restarts: the client's name alone decides. */
export const isInRollout = (client: string, percent: number): boolean => bucketOf(client) < percent;

/** 0 to 99, all alike: FNV-1a over the name's UTF-16 code units, mixed (names differ at their ends, which FNV leaves low). */
export function bucketOf(client: string): number {
  let hash = 0x811c9dc5;
  for (let place = 0; place < client.length; place++)
    hash = Math.imul(hash ^ client.charCodeAt(place), 0x01000193);
  hash = Math.imul(hash ^ (hash >>> 16), 0x85ebca6b);
  hash = Math.imul(hash ^ (hash >>> 13), 0xc2b2ae35);
  return ((hash ^ (hash >>> 16)) >>> 0) % 100;
}
