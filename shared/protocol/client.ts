/**
 * What clients send. One union for both sockets: `/stream` pushes telemetry by itself, `/relay` only
 * answers. Frames about tasks write names like `taskId`, frames about the stream like `client_id`, as the
 * clients that exist already do. `requestId`, if given, comes back in the answer.
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { TaskText } from "../swarm/task.ts";
import { SwarmId, TaskId } from "./ids.ts";

const requestId = z.string().max(100).optional();
const names = z.array(z.string().min(1).max(100)).max(50);

/** Which agents a session wants to see. An absent list means all. */
export const Filters = z
  .object({
    server_types: names.optional(),
    agent_types: names.optional(),
    swarm_ids: names.optional(),
    include_performance: z.boolean().default(false),
    include_neural: z.boolean().default(false),
    include_topology: z.boolean().default(false),
  })
  .refine((filters) => JSON.stringify(filters).length <= LIMITS.filterChars, {
    message: `filters are at most ${LIMITS.filterChars} characters in all`,
  });
export type Filters = z.infer<typeof Filters>;

export const Mode = z.enum(["high_frequency", "normal", "low_frequency", "on_demand"]);
export type Mode = z.infer<typeof Mode>;

/** Milliseconds between two updates; null: nothing is pushed. */
export const MODE_INTERVAL_MS: Record<Mode, number | null> = {
  high_frequency: 1000 / 60,
  normal: 100,
  low_frequency: 1000,
  on_demand: null,
};

export const IdempotencyKey = z.string().min(1).max(200);

export const CreateTaskRequest = z.object({
  task: TaskText,
  priority: z.string().max(20).optional(),
  verbose: z.boolean().default(false),
  idempotencyKey: IdempotencyKey.optional(),
});
export type CreateTaskRequest = z.infer<typeof CreateTaskRequest>;

export const ClientFrame = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ping"), requestId }),
  z.object({
    type: z.literal("create_task"),
    requestId,
    ...CreateTaskRequest.shape,
    /** Send the task's events on this socket. */
    follow: z.boolean().default(false),
  }),
  z.object({ type: z.literal("get_status"), requestId, swarmId: SwarmId.optional() }),
  z.object({ type: z.literal("list_swarms"), requestId }),
  z.object({ type: z.literal("stop_task"), requestId, taskId: TaskId }),
  z.object({ type: z.literal("pause_task"), requestId, taskId: TaskId }),
  z.object({ type: z.literal("resume_task"), requestId, taskId: TaskId }),
  z.object({
    type: z.literal("follow_task"),
    requestId,
    taskId: TaskId,
    /** Number of the last event already seen. */
    after: z.number().int().nonnegative().default(0),
  }),
  z.object({ type: z.literal("unfollow_task"), requestId, taskId: TaskId }),
  z.object({ type: z.literal("update_filters"), requestId, filters: Filters }),
  z.object({ type: z.literal("performance_mode"), requestId, mode: Mode }),
  z.object({ type: z.literal("get_snapshot"), requestId }),
  z.object({ type: z.literal("heartbeat"), requestId }),
]);
export type ClientFrame = z.infer<typeof ClientFrame>;

/** The types above, to tell a malformed frame of a known type from an unknown one. */
export const CLIENT_FRAME_TYPES: ReadonlySet<string> = new Set(
  ClientFrame.options.map((option) => option.shape.type.value),
);
