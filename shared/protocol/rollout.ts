/** The way of configurations from the older system to the newer one, as `/api/v1/mcp/rollout` tells and takes it. */
import { z } from "zod";
import { RolloutPercent, RolloutSchedule, RolloutStep } from "../config/rollout.ts";
import { Timestamp } from "./ids.ts";

/** By hand, by schedule, or back. */
export const RolloutChange = z.union(
  [
    z.strictObject({ percent: RolloutPercent }),
    z.strictObject({ schedule: RolloutSchedule }),
    z.strictObject({ back_out: z.literal(true) }),
  ],
  { error: "expected {percent: 0|10|25|50|100}, {schedule: [{percent, forMs}, …]} or {back_out: true}" },
);
export type RolloutChange = z.infer<typeof RolloutChange>;

/** Of the reads of the last minutes. Durations are milliseconds; null: there were none. */
export const PathFigures = z.object({
  calls: z.int().nonnegative(),
  errors: z.int().nonnegative(),
  p50_ms: z.number().nullable(),
  p95_ms: z.number().nullable(),
});
export type PathFigures = z.infer<typeof PathFigures>;

const verdict = z.enum(["too_few", "fine", "slower", "more_errors"]);
export type PathVerdict = z.infer<typeof verdict>;

export const RolloutStatus = z.object({
  /** `none`: there is no older system (MCP_OLD_DATABASE is not set). */
  mode: z.enum(["none", "safe", "full", "rollback"]),
  /** Of the clients, how many read the newer system now. */
  percent: RolloutPercent,
  since: Timestamp.nullable(),
  schedule: z
    .object({ steps: z.array(RolloutStep), step: z.int().nonnegative(), next_at: Timestamp.nullable() })
    .nullable(),
  backed_out: z.object({ at: Timestamp, reason: z.string() }).nullable(),
  /** Whether what goes wrong is backed out by itself (MCP_ENABLE_AUTO_ROLLBACK). */
  automatic: z.boolean(),
  verdict,
  operations: z.array(
    z.object({
      operation: z.string(),
      old: PathFigures,
      new: PathFigures,
      verdict,
      /** Of the medians, new to old. */
      ratio: z.number().nullable(),
    }),
  ),
  /** Reads that were made on both paths, and how many of them did not say the same. */
  compared: z.object({ reads: z.int().nonnegative(), differences: z.int().nonnegative() }),
  old_database: z
    .object({
      /** Servers whose last change it does not have yet. */
      behind: z.int().nonnegative(),
      behind_since: Timestamp.nullable(),
    })
    .nullable(),
});
export type RolloutStatus = z.infer<typeof RolloutStatus>;
