/**
 * What the worker and the sidecar say to each other. Every request is signed (`auth/signature.ts`) and
 * names its hive in `Hivegate-Hive`. Every error answer is an `ErrorBody`.
 *
 * ```
 * POST /v1/tasks                      CreateTask        → CreateTaskResult
 * GET  /v1/tasks?swarmId=…                              → TaskList, newest first; `swarmId` as often as need be
 * GET  /v1/tasks/{id}                                   → { task }
 * POST /v1/tasks/{id}/{stop|pause|resume}               → { task }
 * GET  /v1/tasks/{id}/events?only=    Last-Event-ID     → text/event-stream of TaskEvent, ends with the task;
 *                                                         `only=state`: of changes of its state alone
 * GET  /v1/swarms                                       → SwarmList
 * GET  /v1/status?swarmId=…                             → SwarmStatus
 * GET  /v1/health                                       → HybridHealth
 * GET  /v1/agents                                       → AgentsAnswer, within DOCKER_COMMAND_TIMEOUT_MS
 * GET  /v1/discovery                                    → DiscoveryAnswer, within half a second
 * GET  /v1/latest                                       → LatestAnswer, within 200 ms
 * GET  /v1/telemetry?reader=&intervalMs=&epoch=&offset=&config= → application/x-ndjson of TelemetryLine
 * POST /v1/telemetry/{reader}         Demand            → { ok: true }
 * GET  /v1/relay?link=                (WebSocket)       → a link: `relay/link.ts`
 * GET  /v1/relay/orchestrators                          → OrchestratorsAnswer (`relay/orchestrators.ts`)
 * PUT  /v1/relay/orchestrators        OrchestratorsChange → the same
 * GET  /healthz                       (not signed)      → { ok: true }
 * ```
 */
import { z } from "zod";
import { ERROR_CODES } from "../errors.ts";
import { Agent, AgentPatch } from "../swarm/agent.ts";
import { Priority, Task, TaskMethod, TaskText, TaskTimeoutMs } from "../swarm/task.ts";
import { ConfigChanged, ConfigRevision } from "./config.ts";
import { TaskId, Timestamp } from "./ids.ts";

export const HIVE_HEADER = "hivegate-hive";

/** Who asks, always the same name for the same client and no more than that: limits are counted by it. */
export const ClientName = z.string().min(1).max(100);

export const CreateTask = z.strictObject({
  taskId: TaskId,
  task: TaskText,
  priority: Priority,
  verbose: z.boolean(),
  timeoutMs: TaskTimeoutMs,
  client: ClientName,
});
export type CreateTask = z.infer<typeof CreateTask>;

/** What a reader of a task's events may want alone. */
export const OnlyEvents = z.literal("state");
export type OnlyEvents = z.infer<typeof OnlyEvents>;

/** Who reads a task's events, and which. */
export const EventsQuery = z.strictObject({ client: ClientName, only: OnlyEvents.optional() });

/** What MCP adds to an answer of docker's; a server that is late or failing costs nothing else. */
export const Telemetry = z.union([
  z.object({ status: z.literal("available"), server: z.string(), data: z.unknown() }),
  z.object({ status: z.literal("telemetry_unavailable") }),
]);
export type Telemetry = z.infer<typeof Telemetry>;

export const CreateTaskResult = z.object({
  task: Task,
  /** False when a task of this id was there already: it was not run again. */
  created: z.boolean(),
  telemetry: Telemetry,
});
export type CreateTaskResult = z.infer<typeof CreateTaskResult>;

export const TaskList = z.object({ tasks: z.array(Task) });
export const TaskAnswer = z.object({ task: Task });

/** One swarm as its CLI describes it. `detail` is the CLI's own answer, unchanged. */
export const Swarm = z.object({
  swarmId: z.string(),
  status: z.string(),
  topology: z.string().nullable(),
  workerCount: z.number().int().nullable(),
  taskId: TaskId.nullable(),
  detail: z.unknown(),
});
export type Swarm = z.infer<typeof Swarm>;

export const SwarmList = z.object({ swarms: z.array(Swarm), method: TaskMethod, telemetry: Telemetry });
export type SwarmList = z.infer<typeof SwarmList>;

export const SwarmStatus = z.object({
  swarms: z.array(Swarm),
  tasks: z.array(Task),
  method: TaskMethod,
  telemetry: Telemetry,
});
export type SwarmStatus = z.infer<typeof SwarmStatus>;

/** A circuit breaker as clients see it. `retry_at` is when an open one lets the next probe through. */
export const Circuit = z.object({
  state: z.enum(["closed", "open", "half_open"]),
  since: Timestamp,
  retry_at: Timestamp.nullable(),
});
export type Circuit = z.infer<typeof Circuit>;

/**
 * An MCP server as the picture shows it. `stale_since` is when its data stopped being fresh. Servers of one
 * `pool` tell of the same agents, and any one of them is asked.
 */
export const ServerState = z.object({
  server: z.string(),
  pool: z.string(),
  server_source: z.string(),
  status: z.enum(["available", "unavailable"]),
  /** How many it tells of; null for somebody who may see a part of them only. */
  agents: z.number().int().nullable(),
  stale_since: Timestamp.nullable(),
  circuit: Circuit,
});
export type ServerState = z.infer<typeof ServerState>;

/** How a swarm is put together, as far as its server says. */
export const SwarmTopology = z.object({
  swarm_id: z.string().min(1).max(200),
  server: z.string(),
  server_source: z.string(),
  /** As the server calls it: `mesh`, `hierarchical`, … */
  topology: z.string().nullable(),
  status: z.string().nullable(),
  /** The agent that leads: its id. */
  coordinator: z.string().nullable(),
  agents: z.number().int().nullable(),
  max_agents: z.number().int().nullable(),
});
export type SwarmTopology = z.infer<typeof SwarmTopology>;

/** What the swarm's container uses, as Docker's statistics say. */
export const ContainerFigures = z.object({
  container: z.string(),
  /** Percent of one core. */
  cpu_usage: z.number().nullable(),
  memory_bytes: z.number().nullable(),
  memory_limit_bytes: z.number().nullable(),
  network_received_bytes: z.number().nullable(),
  network_sent_bytes: z.number().nullable(),
  processes: z.number().int().nullable(),
  /** When Docker measured. */
  timestamp: Timestamp,
});
export type ContainerFigures = z.infer<typeof ContainerFigures>;

/**
 * What is new. An agent that is not known yet comes whole, any other as the fields that changed; `removed`
 * holds ids. Tasks come whole. Servers, swarms and the container's figures are small: they replace what was.
 * What is absent did not change.
 */
export const TelemetryChange = z.object({
  agents: z.array(AgentPatch).optional(),
  removed: z.array(z.string()).optional(),
  servers: z.array(ServerState).optional(),
  swarms: z.array(SwarmTopology).optional(),
  container: ContainerFigures.nullable().optional(),
  tasks: z.array(Task).optional(),
});
export type TelemetryChange = z.infer<typeof TelemetryChange>;

const offset = z.number().int().nonnegative();

/** An agent that went, or whose facets were others until this offset. */
export const Departure = Agent.pick({
  agent_id: true,
  server_source: true,
  agent_type: true,
  swarm_id: true,
}).extend({ until: offset });
export type Departure = z.infer<typeof Departure>;

/**
 * When everything in a snapshot changed last, so that its receiver can tell anybody at an offset from
 * `horizon` on what they missed. Lists run beside the snapshot's own; a touch is `[offset, fields]`.
 */
export const History = z.object({
  horizon: offset,
  agents: z.array(z.array(z.tuple([offset, z.number().int()]))),
  tasks: z.array(offset),
  parts: z.object({ servers: offset, swarms: offset, container: offset }),
  departures: z.array(Departure),
});
export type History = z.infer<typeof History>;

export const TelemetrySnapshot = z.object({
  type: z.literal("snapshot"),
  epoch: z.string(),
  offset,
  timestamp: Timestamp,
  agents: z.array(Agent),
  servers: z.array(ServerState),
  swarms: z.array(SwarmTopology),
  container: ContainerFigures.nullable(),
  tasks: z.array(Task),
  history: History,
});
export type TelemetrySnapshot = z.infer<typeof TelemetrySnapshot>;

export const TelemetryChangeLine = z.object({
  type: z.literal("change"),
  epoch: z.string(),
  from: offset,
  offset,
  timestamp: Timestamp,
  change: TelemetryChange,
});
export type TelemetryChangeLine = z.infer<typeof TelemetryChangeLine>;

/** A place in the stream: an offset counts within its epoch, which is new with each start of the sidecar. */
export const Position = z.object({ epoch: z.string().min(1).max(100), offset });
export type Position = z.infer<typeof Position>;

/** How often the most demanding of a reader's clients wants news; null: nobody wants any. */
export const Demand = z.object({ intervalMs: z.number().int().min(1).max(60_000).nullable() });
export type Demand = z.infer<typeof Demand>;

/**
 * The query of a telemetry stream. Readers from before there was any would not understand lines about the MCP servers'
 * configuration: `config=1` asks for them. `reader` is a name that the reader gives itself: `NAME.1`, `NAME.2` are one
 * reader that comes again, and takes its own place.
 */
export const TelemetryQuery = z.object({
  reader: z.string().min(1).max(100),
  intervalMs: z.coerce.number().pipe(z.number().int().min(1).max(60_000)).optional(),
  epoch: Position.shape.epoch.optional(),
  offset: z.coerce.number().pipe(offset).optional(),
  config: z.literal("1").optional(),
});

/**
 * One line of the telemetry stream. It begins with a `snapshot`, or, after the position that the reader
 * already holds, with the `change` since then; each `change` says which offset it follows, so that a gap is
 * seen. `alive` comes when nothing else does. What configurations of MCP servers there are is no part of the picture:
 * to those who ask `config_revision` comes before all else, `config_changed` at any time, and neither is counted by offsets.
 */
export const TelemetryLine = z.discriminatedUnion("type", [
  TelemetrySnapshot,
  TelemetryChangeLine,
  z.object({ type: z.literal("alive"), timestamp: Timestamp }),
  ConfigRevision,
  ConfigChanged,
]);
export type TelemetryLine = z.infer<typeof TelemetryLine>;

/** How asking the MCP servers came out. `timeout`: no answer in time, for whatever reason. */
export const McpStatus = z.enum(["available", "timeout", "circuit_breaker_open", "disabled"]);
export type McpStatus = z.infer<typeof McpStatus>;

/** What the MCP servers say now, all pools merged (H5); null when none answered. */
export const McpTelemetry = z.object({
  mcp_status: McpStatus,
  telemetry: z.object({ agents: z.array(Agent), swarms: z.array(SwarmTopology) }).nullable(),
});
export type McpTelemetry = z.infer<typeof McpTelemetry>;

/** The swarms as the swarm's own commands tell of them, or why they do not, beside what MCP says. */
export const AgentsAnswer = z.object({
  docker: z.union([
    z.object({ swarms: z.array(Swarm), method: TaskMethod }),
    z.object({ error: z.object({ code: z.enum(ERROR_CODES), message: z.string() }) }),
  ]),
  mcp_telemetry: McpTelemetry,
});
export type AgentsAnswer = z.infer<typeof AgentsAnswer>;

/** An MCP server as a ping found it. `capabilities` are those that it told when it was connected to. */
export const PingedServer = z.object({
  server: z.string(),
  pool: z.string(),
  server_source: z.string(),
  status: z.enum(["available", "unavailable", "circuit_breaker_open"]),
  latency_ms: z.number().nullable(),
  capabilities: z.record(z.string(), z.unknown()).nullable(),
});
export type PingedServer = z.infer<typeof PingedServer>;

/** What there is and whether it is well (H6). */
export const DiscoveryAnswer = z.object({
  docker: z.object({
    docker_health: z.enum(["healthy", "critical"]),
    container_status: z.record(z.string(), z.unknown()),
  }),
  mcp: z.object({ servers: z.array(PingedServer) }),
});
export type DiscoveryAnswer = z.infer<typeof DiscoveryAnswer>;

/** What MCP and the container say now. */
export const LatestAnswer = z.object({
  mcp_telemetry: McpTelemetry,
  container: ContainerFigures.nullable(),
});
export type LatestAnswer = z.infer<typeof LatestAnswer>;

const component = { error: z.string().optional(), timestamp: Timestamp };

/** `GET /health/hybrid` (H7). Docker down is critical; MCP down only costs telemetry. */
export const HybridHealth = z.object({
  system: z.literal("hybrid_docker_mcp"),
  overall_status: z.enum(["healthy", "degraded"]),
  components: z.object({
    docker_hive_mind: z.object({
      status: z.enum(["healthy", "critical"]),
      details: z.record(z.string(), z.unknown()).optional(),
      /** Docker's breaker; absent where commands run on the sidecar's own host. */
      circuit: Circuit.optional(),
      ...component,
    }),
    mcp_telemetry: z.object({
      mcp_services: z.array(z.object({ service: z.string(), healthy: z.boolean(), ...component })),
      overall_mcp_health: z.enum(["healthy", "degraded", "unavailable", "disabled"]),
    }),
    /** What the sidecar's process holds; absent when it does not answer. */
    sidecar: z.object({ rss_bytes: z.number(), heap_used_bytes: z.number() }).optional(),
  }),
  note: z.string(),
  timestamp: Timestamp,
});
export type HybridHealth = z.infer<typeof HybridHealth>;
