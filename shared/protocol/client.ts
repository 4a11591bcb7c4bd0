/**
 * What clients send. One union for both sockets: `/stream` pushes telemetry by itself, `/relay` only
 * answers. Frames about tasks write names like `taskId`, frames about the stream like `client_id`, as the
 * clients that exist already do. `requestId`, if given, comes back in the answer.
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { RelayMode } from "../relay/records.ts";
import { TaskText, TaskTimeoutMs } from "../swarm/task.ts";
import { SwarmId, TaskId } from "./ids.ts";
import { Position } from "./sidecar.ts";
import { CallId } from "./tools.ts";

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

export const NO_FILTERS: Filters = {
  include_performance: false,
  include_neural: false,
  include_topology: false,
};

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
  /** How long its process may run; left out, as long as any may. */
  timeoutMs: TaskTimeoutMs.optional(),
  idempotencyKey: IdempotencyKey.optional(),
});
export type CreateTaskRequest = z.infer<typeof CreateTaskRequest>;

export const CallToolRequest = z.object({
  /** Comes back with whatever answers the call. */
  id: CallId.default(null),
  /** Its server's name and its own: `claude-flow__agent_list`. */
  tool: z.string().min(1).max(700),
  arguments: z.record(z.string(), z.unknown()).default({}),
  stream: z.boolean().default(false),
  /** Streamed: how long the server may say nothing of the call. */
  timeoutMs: z.number().int().min(1).max(LIMITS.mostToolStreamSilenceMs).optional(),
  /** Streamed: under the same key a repeated request finds the call that it made before. */
  idempotencyKey: IdempotencyKey.optional(),
});
export type CallToolRequest = z.infer<typeof CallToolRequest>;

/**
 * Where a client stopped: a place in the stream, and, as its snapshot named it, the view through which it saw
 * it. Through another view, as after a change of filters or permissions, it cannot go on from there.
 */
export const HeldPosition = Position.extend({ view: z.string().max(20).optional() });
export type HeldPosition = z.infer<typeof HeldPosition>;

export const ClientFrame = z.discriminatedUnion("type", [
  z.object({ type: z.literal("ping"), requestId }),
  z.object({
    type: z.literal("create_task"),
    requestId,
    ...CreateTaskRequest.shape,
    /** Send the task's events on this socket; its changes of state come in any case. */
    follow: z.boolean().default(false),
  }),
  z.object({ type: z.literal("get_task"), requestId, taskId: TaskId }),
  z.object({ type: z.literal("list_tasks"), requestId }),
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
    /** False: its changes of state alone, each as a `task_update`. */
    output: z.boolean().default(true),
  }),
  z.object({ type: z.literal("unfollow_task"), requestId, taskId: TaskId }),
  /** Answered by `tool_result`, or, with `stream`, at once by `tool_stream`; `tool_chunk`s follow. */
  z.object({ type: z.literal("call_tool"), requestId, ...CallToolRequest.shape }),
  /** Goes on with a streamed call after chunk number `after`: answered by `tool_stream`. */
  z.object({
    type: z.literal("resume_tool"),
    requestId,
    stream_id: z.uuid(),
    after: z.number().int().nonnegative().default(0),
  }),
  /** Ends a streamed call: its last chunk tells of it. */
  z.object({ type: z.literal("cancel_tool"), requestId, stream_id: z.uuid() }),
  z.object({ type: z.literal("update_filters"), requestId, filters: Filters }),
  z.object({ type: z.literal("performance_mode"), requestId, mode: Mode }),
  /** Both at once. */
  z.object({
    type: z.literal("configure"),
    requestId,
    filters: Filters.optional(),
    mode: Mode.optional(),
  }),
  z.object({ type: z.literal("get_snapshot"), requestId }),
  /** Answered by `resumed`, and by the changes since then or a snapshot. */
  z.object({ type: z.literal("resume"), requestId, ...HeldPosition.shape }),
  /** Answers a `probe`: everything before it has been read. */
  z.object({ type: z.literal("ack"), probe: z.string().max(100) }),
  z.object({ type: z.literal("get_session"), requestId }),
  z.object({ type: z.literal("request_agents"), requestId }),
  z.object({ type: z.literal("request_discovery"), requestId }),
  z.object({ type: z.literal("request_topology"), requestId, swarm_id: SwarmId.optional() }),
  z.object({ type: z.literal("request_performance"), requestId }),
  /** A fresh token of the same subject: the session goes on until that one expires. */
  z.object({ type: z.literal("refresh_token"), requestId, token: z.string().max(8_192) }),
  z.object({ type: z.literal("heartbeat"), requestId }),
]);
export type ClientFrame = z.infer<typeof ClientFrame>;

/** `deflate`: large frames come as binary ones, a JSON text each, in zlib's format (RFC 1950). */
export const Encoding = z.enum(["json", "deflate"]);
export type Encoding = z.infer<typeof Encoding>;

const jsonText = z
  .string()
  .max(2 * LIMITS.filterChars)
  .transform((text, context) => {
    try {
      return JSON.parse(text);
    } catch {
      context.addIssue({ code: "custom", message: "is not JSON" });
      return z.NEVER;
    }
  });

/**
 * How a session begins: the query of the address that it is opened at. `filters` is JSON. With `epoch` and
 * `offset` it goes on from there, if that is remembered.
 */
export const HelloQuery = z.object({
  filters: jsonText.pipe(Filters).default(NO_FILTERS),
  mode: Mode.default("normal"),
  encoding: Encoding.default("json"),
  epoch: Position.shape.epoch.optional(),
  offset: z.coerce.number().pipe(Position.shape.offset).optional(),
  view: HeldPosition.shape.view,
});
export type HelloQuery = z.infer<typeof HelloQuery>;

const flag = z.enum(["0", "1"]).transform((text) => text === "1");

/** How a relay is opened, as its session keeps it. */
export const RelayHello = z.object({
  /** `dedicated`: an orchestrator connection of its own, byte for byte. */
  mode: RelayMode,
  /** Dedicated: frames of ours come between the orchestrator's. In shared mode they do anyway. */
  notices: z.boolean(),
  /** Shared: the client answers probes. */
  acks: z.boolean(),
});
export type RelayHello = z.infer<typeof RelayHello>;

/** The query of a relay's address. */
export const RelayQuery = z.object({
  mode: RelayMode.default("shared"),
  notices: flag.default(false),
  acks: flag.default(false),
});

/** The types above, to tell a malformed frame of a known type from an unknown one. */
export const CLIENT_FRAME_TYPES: ReadonlySet<string> = new Set(
  ClientFrame.options.map((option) => option.shape.type.value),
);
