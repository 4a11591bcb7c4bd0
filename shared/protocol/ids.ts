import { z } from "zod";

/** A hive's name: it appears in URLs and in tokens. */
export const HiveId = z
  .string()
  .regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "a hive id is a-z, 0-9 and -, at most 63");
export type HiveId = z.infer<typeof HiveId>;

/** A task's id is a UUID made by the gateway, so that a repeated request can be recognised. */
export const TaskId = z.uuid();
export type TaskId = z.infer<typeof TaskId>;

/** A swarm's id is whatever its own CLI says, so only its size is checked. */
export const SwarmId = z.string().min(1).max(200);

/** Milliseconds since the epoch. */
export const Timestamp = z.number().int().nonnegative();
