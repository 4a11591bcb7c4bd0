import type { Identity } from "../shared/auth/permission.ts";
import { LIMITS } from "../shared/limits.ts";
import type { CreateTaskRequest } from "../shared/protocol/client.ts";
import type { CreateTaskResult } from "../shared/protocol/sidecar.ts";
import { priorityOf } from "../shared/swarm/task.ts";
import type { ScopedSidecar } from "./scoped-sidecar.ts";
import { clientNameOf, taskIdFor } from "./task-id.ts";

/** Starts a task (H1), or has it wait for its turn. With an idempotency key a repeated request finds the task it started before. */
export async function createTask(
  request: CreateTaskRequest,
  by: { hive: string; identity: Pick<Identity, "subject">; sidecar: ScopedSidecar; uuid(): string },
): Promise<CreateTaskResult> {
  const { task, priority, verbose, timeoutMs = LIMITS.taskRunMs, idempotencyKey } = request;
  const { hive, identity } = by;
  const [taskId, client] = await Promise.all([
    idempotencyKey === undefined ? by.uuid() : taskIdFor(hive, identity.subject, idempotencyKey),
    clientNameOf(hive, identity.subject),
  ]);
  return by.sidecar.createTask({ taskId, task, priority: priorityOf(priority), verbose, timeoutMs, client });
}
