import type { Identity } from "../shared/auth/permission.ts";
import type { CreateTaskRequest } from "../shared/protocol/client.ts";
import type { CreateTaskResult } from "../shared/protocol/sidecar.ts";
import { priorityOf } from "../shared/swarm/task.ts";
import type { ScopedSidecar } from "./scoped-sidecar.ts";
import { taskIdFor } from "./task-id.ts";

/** Starts a task (H1). With an idempotency key a repeated request finds the task it started before. */
export async function createTask(
  request: CreateTaskRequest,
  by: { hive: string; identity: Pick<Identity, "subject">; sidecar: ScopedSidecar; uuid(): string },
): Promise<CreateTaskResult> {
  const { task, priority, verbose, idempotencyKey } = request;
  const taskId =
    idempotencyKey === undefined ? by.uuid() : await taskIdFor(by.hive, by.identity.subject, idempotencyKey);
  return by.sidecar.createTask({ taskId, task, priority: priorityOf(priority), verbose });
}
