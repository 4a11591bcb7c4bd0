/** What the gateway sends to clients. See `client.ts` for the naming. */
import { z } from "zod";
import { ERROR_CODES } from "../errors.ts";
import { OrchestratorNotice } from "../relay/records.ts";
import { Agent, AgentPatch, SeenAgent } from "../swarm/agent.ts";
import { Task, TaskEvent, TaskMethod, TaskState } from "../swarm/task.ts";
import { Encoding, Filters, Mode } from "./client.ts";
import { ConfigChanged } from "./config.ts";
import { HiveId, TaskId, Timestamp } from "./ids.ts";
import { JsonRpcError } from "./mcp.ts";
import {
  Circuit,
  ContainerFigures,
  DiscoveryAnswer,
  McpStatus,
  McpTelemetry,
  ServerState,
  Swarm,
  SwarmTopology,
  Telemetry,
} from "./sidecar.ts";
import { CallId, ToolChunk } from "./tools.ts";

/** Offered as the first `Sec-WebSocket-Protocol` by clients that send their token as the second. */
export const SUBPROTOCOL = "hivegate.v1";

const requestId = z.string().optional();
const position = { epoch: z.string().nullable(), offset: z.number().int() };
/** Of the MCP servers' configuration: see `ConfigChanged`. Null: the gateway does not know, or the sidecar keeps none. */
const config = { config_revision: z.int().nonnegative().nullable().optional() };

/** Where the swarms live that the swarm's own commands tell of. */
const SwarmSource = z.enum(["docker", "process"]);

/** How a session's connection is. Unknown is null. */
export const Quality = z.object({
  /** From the gateway to the client and back, with what lay unread before; milliseconds. */
  latency_ms: z.number().nullable(),
  /** Heartbeats that should have come since the last one. */
  missed_heartbeats: z.number().int(),
  /** Sent and not known to have been read. */
  backlog_bytes: z.number().int(),
  skipped_updates: z.number().int(),
  connected_at: Timestamp,
});
export type Quality = z.infer<typeof Quality>;

/** Only for those who asked: `include_performance`, `include_topology`. */
const asked = {
  performance_metrics: z.object({ container: ContainerFigures.nullable() }).optional(),
  topology_changes: z.array(SwarmTopology).optional(),
};

export const GatewayFrame = z.discriminatedUnion("type", [
  z.object({ type: z.literal("pong"), requestId, timestamp: Timestamp }),
  /** Without a time where it was answered without waking anybody. */
  z.object({ type: z.literal("heartbeat_ack"), requestId, timestamp: Timestamp.optional() }),
  z.object({
    type: z.literal("error"),
    requestId,
    code: z.enum(ERROR_CODES),
    message: z.string(),
    retryable: z.boolean(),
    timestamp: Timestamp,
    /** The swarm's commands failed to tell of the agents; what MCP says is there nevertheless. */
    source: SwarmSource.optional(),
    mcp_telemetry: McpTelemetry.optional(),
  }),
  z.object({
    type: z.literal("task_created"),
    requestId,
    success: z.literal(true),
    taskId: TaskId,
    swarmId: z.string().nullable(),
    method: TaskMethod,
    note: Task.shape.note,
    /** `queued`: it waits for its turn. */
    state: TaskState,
    /** False when this key or id had started a task before; that one is meant. */
    created: z.boolean(),
    timestamp: Timestamp,
    telemetry: Telemetry,
  }),
  z.object({ type: z.literal("task"), requestId, task: Task, timestamp: Timestamp }),
  z.object({ type: z.literal("tasks"), requestId, tasks: z.array(Task), timestamp: Timestamp }),
  /** A task that this session created or follows is in another state. */
  z.object({ type: z.literal("task_update"), task: Task, timestamp: Timestamp }),
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
  /** The server's own answer: exactly one of `result` and `error`. */
  z.object({
    type: z.literal("tool_result"),
    requestId,
    id: CallId,
    result: z.record(z.string(), z.unknown()).optional(),
    error: JsonRpcError.optional(),
    timestamp: Timestamp,
  }),
  /** A streamed call is under way, or was before (`created` false): its chunks follow. */
  z.object({
    type: z.literal("tool_stream"),
    requestId,
    id: CallId,
    stream_id: z.uuid(),
    created: z.boolean(),
    timestamp: Timestamp,
  }),
  z.object({ type: z.literal("tool_chunk"), chunk: ToolChunk }),
  /** Chunks come no more, though the last one has not come: go on by `resume_tool`. */
  z.object({ type: z.literal("tool_lost"), stream_id: z.uuid(), timestamp: Timestamp }),
  /** The server is told to stop. */
  z.object({ type: z.literal("tool_cancelled"), requestId, stream_id: z.uuid(), timestamp: Timestamp }),
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
    ...config,
    mode: Mode,
    filters: Filters,
    encoding: Encoding,
    /** On the relay: what the client may send and receive goes by this. */
    role: z.string().optional(),
    /** When the token expires. */
    expires_at: Timestamp,
    limits: z.object({
      frame_bytes: z.number(),
      frames_per_second: z.number(),
      follows: z.number(),
      /** Silent for this long, a client is taken for gone: send a `heartbeat` well before. */
      idle_ms: z.number(),
    }),
    timestamp: Timestamp,
  }),
  /** `recovered`: what was missed follows as one `agent_update`, if there was anything; otherwise a snapshot. */
  z.object({
    type: z.literal("resumed"),
    requestId,
    recovered: z.boolean(),
    ...position,
    ...config,
    timestamp: Timestamp,
  }),
  /** To be answered at once by `ack` with the same id: so it is seen how far the client has read. */
  z.object({ type: z.literal("probe"), probe: z.string() }),
  z.object({ type: z.literal("token_refreshed"), requestId, expires_at: Timestamp, timestamp: Timestamp }),
  z.object({
    type: z.literal("session"),
    requestId,
    client_id: z.uuid(),
    mode: Mode,
    /** Slower than `mode` while the client cannot keep up. */
    effective_mode: Mode,
    filters: Filters,
    quality: Quality,
    timestamp: Timestamp,
  }),
  /** Answers `request_agents`. */
  z.object({
    type: z.literal("multi_agent_update"),
    requestId,
    source: SwarmSource,
    swarms: z.array(Swarm),
    timestamp: Timestamp,
    mcp_telemetry: McpTelemetry,
  }),
  /** Answers `request_discovery`. */
  z.object({
    type: z.literal("discovery"),
    requestId,
    client_id: z.uuid(),
    ...DiscoveryAnswer.shape,
    timestamp: Timestamp,
  }),
  /** Answers `request_topology`. */
  z.object({
    type: z.literal("topology_update"),
    requestId,
    mcp_status: McpStatus,
    swarms: z.array(SwarmTopology),
    timestamp: Timestamp,
  }),
  /** Answers `request_performance`. */
  z.object({
    type: z.literal("performance_analysis"),
    requestId,
    mcp_status: McpStatus,
    agents: z.array(Agent.pick({ agent_id: true, swarm_id: true, server: true, performance: true })),
    container: ContainerFigures.nullable(),
    timestamp: Timestamp,
  }),
  /** On the relay: what the client says comes too fast, and waits now. Said once, until nothing waits any more. */
  z.object({
    type: z.literal("slowed"),
    messages_per_second: z.number(),
    /** Messages that wait. */
    waiting: z.number().int(),
    timestamp: Timestamp,
  }),
  /** On the relay: the state of its orchestrator, or of the way to it, changed. */
  OrchestratorNotice,
  /** The client is slowed down, or sped up again. */
  z.object({
    type: z.literal("mode_changed"),
    mode: Mode,
    effective_mode: Mode,
    reason: z.enum(["slow_client", "caught_up"]),
    timestamp: Timestamp,
  }),
  /** The gateway lost its connection to the sidecar, or has it back; or the circuit before it changed. */
  z.object({
    type: z.literal("hive_status"),
    live: z.boolean(),
    /** Since when the picture is the last one known. */
    stale_since: Timestamp.nullable(),
    circuit: Circuit,
    timestamp: Timestamp,
  }),
  z.object({
    type: z.literal("snapshot"),
    ...position,
    ...config,
    /** Names what this session sees of the hive, for `resume`: it changes with its filters and permissions. */
    view: z.string().optional(),
    timestamp: Timestamp,
    /** False while the gateway has no connection to the sidecar: the picture is the last one known. */
    live: z.boolean(),
    payload: z.object({
      agents: z.array(SeenAgent),
      servers: z.array(ServerState),
      tasks: z.array(Task),
      ...asked,
    }),
  }),
  /** Comes in every mode, whatever a session sees of the hive. */
  ConfigChanged,
  /** For whoever is at `from` or later. A new agent comes whole, any other as the fields that changed. */
  z.object({
    type: z.literal("agent_update"),
    from: z.number().int(),
    offset: z.number().int(),
    timestamp: Timestamp,
    payload: z.object({
      agents: z.array(AgentPatch),
      removed: z.array(z.string()).optional(),
      servers: z.array(ServerState).optional(),
      tasks: z.array(Task).optional(),
      ...asked,
    }),
  }),
]);
export type GatewayFrame = z.infer<typeof GatewayFrame>;
