/** How rows of the ledger become tasks and events. SQLite's types are not trusted further than any input. */
import { z } from "zod";
import { Task, TaskEvent } from "../../shared/swarm/task.ts";

const TaskRow = z
  .object({
    task_id: z.string(),
    task: z.string(),
    priority: z.string(),
    method: z.string(),
    note: z.string().nullable(),
    state: z.string(),
    swarm_id: z.string().nullable(),
    created_at: z.number(),
    spawning_at: z.number().nullable(),
    started_at: z.number().nullable(),
    paused_at: z.number().nullable(),
    ended_at: z.number().nullable(),
    timeout_ms: z.number(),
    exit_code: z.number().nullable(),
    error_code: z.string().nullable(),
    error_message: z.string().nullable(),
  })
  .transform((row) => ({
    taskId: row.task_id,
    task: row.task,
    priority: row.priority,
    state: row.state,
    method: row.method,
    ...(row.note !== null && { note: row.note }),
    swarmId: row.swarm_id,
    createdAt: row.created_at,
    spawningAt: row.spawning_at,
    startedAt: row.started_at,
    pausedAt: row.paused_at,
    endedAt: row.ended_at,
    timeoutMs: row.timeout_ms,
    exitCode: row.exit_code,
    error: row.error_code === null ? null : { code: row.error_code, message: row.error_message },
  }))
  .pipe(Task);

export const readTask = (row: unknown): Task => TaskRow.parse(row);

/** What only the sidecar has to know of an unfinished task. */
export const Unfinished = z
  .object({
    handle: z.string().nullable(),
    stop_asked: z.number(),
    client: z.string(),
    verbose: z.number(),
  })
  .transform(({ handle, client, ...row }) => ({
    ...{ handle, client },
    stopAsked: row.stop_asked === 1,
    verbose: row.verbose === 1,
  }));

const EventRow = z.object({
  seq: z.number(),
  timestamp: z.number(),
  kind: z.string(),
  stream: z.string().nullable(),
  text: z.string(),
  partial: z.number(),
});

/** A task's text can be long and never changes, so state events are stored without it. */
const StoredState = Task.omit({ task: true });

export const storeState = (task: Task): string => JSON.stringify(StoredState.parse(task));

export function readEvent(raw: unknown, task: Task): TaskEvent {
  const row = EventRow.parse(raw);
  const base = { taskId: task.taskId, seq: row.seq, timestamp: row.timestamp, kind: row.kind };
  switch (row.kind) {
    case "output":
      return TaskEvent.parse({
        ...{ ...base, stream: row.stream, text: row.text },
        ...(row.partial === 1 && { partial: true }),
      });
    case "state":
      return TaskEvent.parse({
        ...base,
        task: { ...StoredState.parse(JSON.parse(row.text)), task: task.task },
      });
    default:
      return TaskEvent.parse({ ...base, reason: row.text });
  }
}
