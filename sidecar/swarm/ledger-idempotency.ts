/** Whether a request is the one that a task was made for, when its id was used before. */
import { createHash } from "node:crypto";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { CreateTask } from "../../shared/protocol/sidecar.ts";
import type { Task } from "../../shared/swarm/task.ts";
import { readTask } from "./ledger-rows.ts";

/** What makes a request the same as another. */
type Asked = Omit<CreateTask, "taskId" | "client">;

/** What is left of a task that is no longer kept. */
export function fingerprintOf({ task, priority, verbose, timeoutMs }: Asked): string {
  // The usual limit is left out: tasks that are remembered from before there were others keep their fingerprint.
  const limit = timeoutMs === LIMITS.taskRunMs ? [] : [timeoutMs];
  return createHash("sha256")
    .update(JSON.stringify([task, priority, verbose, ...limit]))
    .digest("hex");
}

export const fingerprintOfRow = (row: Record<string, unknown>): string =>
  fingerprintOf({ ...readTask(row), verbose: row.verbose === 1 });

/** The task of this row. @throws HivegateError `idempotency_conflict` when it was made for something else */
export function sameOrThrow(row: Record<string, unknown>, create: CreateTask): Task {
  if (fingerprintOfRow(row) !== fingerprintOf(create)) throw new HivegateError("idempotency_conflict");
  return readTask(row);
}

/** Why a task that is remembered, but no longer kept, is not run again. */
export const refusalOf = (fingerprint: unknown, create: CreateTask): HivegateError =>
  fingerprint === fingerprintOf(create)
    ? new HivegateError(
        "task_ended",
        "This task ended and is no longer kept. To run it again, use a new key.",
      )
    : new HivegateError("idempotency_conflict");
