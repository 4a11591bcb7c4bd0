/** What the gateway sends to clients. See `client.ts` for the naming. */
import { z } from "zod";
import { ERROR_CODES } from "../errors.ts";
import { Agent, AgentPerformance } from "../swarm/agent.ts";
import { Task, TaskEvent, TaskMethod } from "../swarm/task.ts";
import { Filters, Mode } from "./client.ts";
import { HiveId, TaskId, Timestamp } from "./ids.ts";
import { ServerState, Swarm, Telemetry } from "./sidecar.ts";

/** Offered as the first `Sec-WebSocket-Protocol` by clients that send their token as the second. */
export const SUBPROTOCOL = "hivegate.v1";

const requestId = z.string().optional();
const position = { epoch: z.string().nullable(), offset: z.number().int() };

/** An agent whose figures are left out unless `include_performance` was asked for. */
export const SeenAgent = Agent.extend({ performance: AgentPerformance.optional() });
export type SeenAgent = z.infer<typeof SeenAgent>;

export const GatewayFrame = z.discriminatedUnion("type", [
  z.object({ type: z.literal("pong"), requestId, timestamp: Timestamp }),
  z.object({ type: z.literal("heartbeat_ack"), requestId, timestamp: Timestamp }),
  z.object({
    type: z.literal("error"),
    requestId,
    code: z.enum(ERROR_CODES),
    message: z.string(),
    retryable: z.boolean(),
    timestamp: Timestamp,
  }),
  z.object({
    type: z.literal("task_created"),
    requestId,
    success: z.literal(true),
    taskId: TaskId,
    swarmId: z.string().nullable(),
    method: TaskMethod,
    /** False when this key or id had started a task before; that one is meant. */
    created: z.boolean(),
    timestamp: Timestamp,
    telemetry: Telemetry,
  }),
  z.object({ type: z.literal("task"), requestId, task: Task, timestamp: Timestamp }),
  z.object({ type: z.literal("task_event"), event: TaskEvent }),
  z.object({ type: z.literal("task_followed"), requestId, taskId: TaskId, timestamp: Timestamp }),
  z.object({
    type: z.literal("task_unfollowed"),
    requestId,
    taskId: TaskId,
    /** `ended`: the task is over; `asked`: by the client; `lost`: follow again, from the last event seen. */
    reason: z.enum(["ended", "asked", "lost"]),
    timestamp: Timestamp,
  }),
  z.object({
    type: z.literal("status"),
    requestId,
    swarms: z.array(Swarm),
    tasks: z.array(Task),
    method: TaskMethod,
    telemetry: Telemetry,
    timestamp: Timestamp,
  }),
  z.object({
    type: z.literal("swarms"),
    requestId,
    swarms: z.array(Swarm),
    method: TaskMethod,
    telemetry: Telemetry,
    timestamp: Timestamp,
  }),
  z.object({
    type: z.literal("welcome"),
    client_id: z.uuid(),
    hive: HiveId,
    protocol: z.literal(SUBPROTOCOL),
    ...position,
    mode: Mode,
    filters: Filters,
    limits: z.object({ frame_bytes: z.number(), frames_per_second: z.number(), follows: z.number() }),
    timestamp: Timestamp,
  }),
  z.object({ type: z.literal("session"), requestId, mode: Mode, filters: Filters, timestamp: Timestamp }),
  /** The gateway lost its connection to the sidecar, or has it back. */
  z.object({ type: z.literal("hive_status"), live: z.boolean(), timestamp: Timestamp }),
  z.object({
    type: z.literal("snapshot"),
    ...position,
    timestamp: Timestamp,
    /** False while the gateway has no connection to the sidecar: the picture is the last one known. */
    live: z.boolean(),
    payload: z.object({ agents: z.array(SeenAgent), servers: z.array(ServerState), tasks: z.array(Task) }),
  }),
  z.object({
    type: z.literal("agent_update"),
    from: z.number().int(),
    offset: z.number().int(),
    timestamp: Timestamp,
    payload: z.object({
      agents: z.array(SeenAgent),
      removed: z.array(z.string()).optional(),
      servers: z.array(ServerState).optional(),
      tasks: z.array(Task).optional(),
    }),
  }),
]);
export type GatewayFrame = z.infer<typeof GatewayFrame>;
