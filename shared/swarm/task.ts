import { z } from "zod";
import { ERROR_CODES } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { SwarmId, TaskId, Timestamp } from "../protocol/ids.ts";

/** How a swarm's CLI names priorities; clients may write anything (H1). */
export const Priority = z.enum(["High", "Medium", "Low"]);
export type Priority = z.infer<typeof Priority>;

/** `high` and `critical` are High, `low` is Low, all else (or nothing) is Medium. */
export function priorityOf(asked: string | undefined): Priority {
  switch (asked?.toLowerCase()) {
    case "high":
    case "critical":
      return "High";
    case "low":
      return "Low";
    default:
      return "Medium";
  }
}

/**
 * `queued`: accepted, waits its turn. `spawning`: its turn has come, its process was not yet seen running. `lost`: it
 * ended while nobody could see how (the sidecar was down and the runtime keeps no exit code); its effects are
 * whatever they are.
 */
export const TaskState = z.enum(["queued", "spawning", "running", "completed", "failed", "stopped", "lost"]);
export type TaskState = z.infer<typeof TaskState>;

const UNDER_WAY: ReadonlySet<TaskState> = new Set(["queued", "spawning", "running"]);
export const hasEnded = (state: TaskState): boolean => !UNDER_WAY.has(state);

export const TaskMethod = z.enum(["docker-exec", "process", "mcp-fallback"]);
export type TaskMethod = z.infer<typeof TaskMethod>;

/** The text of a task. NUL cannot be part of a process argument, so it is refused here, at the door. */
export const TaskText = z
  .string()
  .min(1, "a task needs a text")
  .refine((text) => new TextEncoder().encode(text).length <= LIMITS.taskTextBytes, {
    message: `a task's text is at most ${LIMITS.taskTextBytes} bytes`,
  })
  .refine((text) => !text.includes("\0"), { message: "a task's text may not contain NUL" });

/** How long a task's process may run before it is stopped, as clients may ask. */
export const TaskTimeoutMs = z.number().int().min(LIMITS.leastTaskRunMs).max(LIMITS.taskRunMs);

/** A task as the ledger keeps it and clients see it. Timestamps are milliseconds since the epoch. */
export const Task = z.object({
  taskId: TaskId,
  task: z.string(),
  priority: Priority,
  state: TaskState,
  method: TaskMethod,
  /** In words for people, where an MCP server has the task: which one, and what that means. */
  note: z.string().exactOptional(),
  /** As the swarm's own CLI names it; null until, or unless, it does. */
  swarmId: SwarmId.nullable(),
  /** When it was accepted; it may have been queued from then until `spawningAt`. */
  createdAt: Timestamp,
  spawningAt: Timestamp.nullable(),
  /** When its process was seen running first. */
  startedAt: Timestamp.nullable(),
  /** Since when it is paused, if it is: a paused task is `running` still, and its time runs on. */
  pausedAt: Timestamp.nullable(),
  endedAt: Timestamp.nullable(),
  /** How long its process may run. */
  timeoutMs: z.number().int().positive(),
  exitCode: z.number().int().nullable(),
  error: z.object({ code: z.enum(ERROR_CODES), message: z.string() }).nullable(),
});
export type Task = z.infer<typeof Task>;

const eventBase = { taskId: TaskId, seq: z.number().int().positive(), timestamp: Timestamp };

/**
 * What happened in a task, numbered from 1 without holes: each line of its output (both streams in one sequence),
 * each change of its state. A `gap` stands where output was lost (the sidecar was down, or the limit on kept output
 * was reached), and for a start that came to nothing: nothing is left out in silence.
 */
export const TaskEvent = z.discriminatedUnion("kind", [
  z.object({
    ...eventBase,
    kind: z.literal("output"),
    stream: z.enum(["stdout", "stderr"]),
    /** One line, without its newline. */
    text: z.string(),
    /**
     * No newline came with it: the line was too long for one event, or unfinished for a while, as a prompt is. It goes
     * on in the next event of this stream, or ends here with the task.
     */
    partial: z.literal(true).optional(),
  }),
  z.object({ ...eventBase, kind: z.literal("state"), task: Task }),
  z.object({ ...eventBase, kind: z.literal("gap"), reason: z.string() }),
]);
export type TaskEvent = z.infer<typeof TaskEvent>;
