import { z } from "zod";
import { Timestamp } from "../protocol/ids.ts";

const BUCKETS = 10;

const count = z.number().int().nonnegative();

/** How many calls succeeded and failed of late, in at most ten buckets of time, oldest first. */
export const OutcomeWindow = z.array(z.object({ startMs: Timestamp, succeeded: count, failed: count }));
export type OutcomeWindow = z.infer<typeof OutcomeWindow>;

/** The window with one outcome more; what is older than `windowMs`, or later than now, is forgotten. */
export function tally(
  window: OutcomeWindow,
  outcome: "success" | "failure",
  windowMs: number,
  nowMs: number,
): OutcomeWindow {
  const bucketMs = Math.ceil(windowMs / BUCKETS);
  const startMs = Math.floor(nowMs / bucketMs) * bucketMs;
  const older = window.filter((bucket) => bucket.startMs > nowMs - windowMs && bucket.startMs < startMs);
  const current = window.find((bucket) => bucket.startMs === startMs) ?? { startMs, succeeded: 0, failed: 0 };
  const counted = outcome === "success" ? "succeeded" : "failed";
  return [...older, { ...current, [counted]: current[counted] + 1 }];
}

export function totals(window: OutcomeWindow): { outcomes: number; failures: number } {
  let outcomes = 0;
  let failures = 0;
  for (const bucket of window) {
    outcomes += bucket.succeeded + bucket.failed;
    failures += bucket.failed;
  }
  return { outcomes, failures };
}
