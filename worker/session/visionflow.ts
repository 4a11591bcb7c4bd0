/**
 * VisionFlow's dialect (S9): `{action, data}` in, its own message types out. Where its agents have a figure in
 * another unit, it is converted; what no server says is null, also where VisionFlow used to make something up.
 */
import { z } from "zod";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import type { ContainerFigures, SwarmTopology } from "../../shared/protocol/sidecar.ts";
import type { AgentPatch, AgentPerformance, SeenAgent } from "../../shared/swarm/agent.ts";
import type { Dialect, WholeAgent } from "./dialect.ts";
import type { Hello } from "./session.ts";

type Frame<Type> = GatewayFrame & { type: Type };
type Writer<Type> = (frame: Frame<Type>, whole: WholeAgent) => readonly unknown[];

const Message = z.object({ action: z.string(), data: z.unknown().optional() });
/** An empty list means all, where ours would mean none. */
const names = z.unknown().transform((list) => (Array.isArray(list) && list.length === 0 ? undefined : list));
const Configure = z.object({
  subscription_filters: z
    .object({ server_types: names, agent_types: names, swarm_ids: names })
    .partial()
    .catchall(z.unknown())
    .optional(),
  performance_mode: z.unknown().optional(),
});
const OneSwarm = z.object({ swarm_id: z.string() });

/** What it gets that asks for nothing: everything. */
const ASKS_FOR_ALL = { include_performance: true, include_neural: true, include_topology: true };

/** How a session of this dialect begins. */
export const VISIONFLOW_HELLO = {
  filters: ASKS_FOR_ALL,
  mode: "normal",
  encoding: "json",
  position: null,
} as const satisfies Partial<Hello>;

const READERS: Record<string, (data: unknown) => unknown> = {
  configure(data) {
    const parsed = Configure.safeParse(data ?? {});
    if (!parsed.success) return { type: "configure", filters: "an object was expected" };
    const { subscription_filters: filters, performance_mode: mode } = parsed.data;
    return {
      type: "configure",
      ...(filters && { filters: { ...ASKS_FOR_ALL, ...filters } }),
      ...(mode !== undefined && { mode }),
    };
  },
  request_discovery: () => ({ type: "request_discovery" }),
  request_agents: () => ({ type: "request_agents" }),
  request_performance: () => ({ type: "request_performance" }),
  request_topology: (data) => ({
    type: "request_topology",
    swarm_id: OneSwarm.safeParse(data).data?.swarm_id,
  }),
  ping: () => ({ type: "ping" }),
};

const NOTHING = () => [];

const WRITERS: { [Type in GatewayFrame["type"]]?: Writer<Type> } = {
  welcome: NOTHING,
  resumed: NOTHING,
  probe: NOTHING,
  heartbeat_ack: NOTHING,
  token_refreshed: NOTHING,
  config_changed: NOTHING,
  error: ({ code, message, timestamp, ...rest }) => [
    { ...rest, type: "error", error_code: code.toUpperCase(), message, timestamp },
  ],
  session: ({ client_id, filters, effective_mode, timestamp }) => [
    { type: "config_updated", client_id, filters, performance_mode: effective_mode, timestamp },
  ],
  mode_changed: ({ effective_mode, reason, timestamp }) => [
    { type: "config_updated", performance_mode: effective_mode, reason, timestamp },
  ],
  hive_status: ({ live, stale_since, circuit, timestamp }) => [
    coordinationEvent("hive_status", { live, stale_since, circuit }, timestamp),
  ],
  multi_agent_update: (frame) => [
    {
      ...frame,
      agents: (frame.mcp_telemetry.telemetry?.agents ?? []).map(agentOf),
      ...{ differential_updates: [], removed_agents: [] },
    },
  ],
  topology_update: ({ swarms, timestamp }) => swarms.map((swarm) => topologyUpdate(swarm, timestamp)),
  performance_analysis: ({ container, agents, mcp_status, timestamp }) => [
    {
      ...performanceAnalysis(container, timestamp),
      agents: agents.map(({ performance, ...agent }) => ({ ...agent, performance: figuresOf(performance) })),
      mcp_status,
    },
  ],
  snapshot: ({ payload, timestamp }) => [
    agentUpdate(payload.agents, [], timestamp),
    ...extras({ ...payload, agents: payload.agents }, timestamp),
    ...payload.tasks.map((task) => coordinationEvent("task", task, timestamp)),
  ],
  agent_update: ({ payload, timestamp }, whole) => {
    const { agents, removed = [], tasks = [] } = payload;
    const told = agents.flatMap(({ agent_id }) => whole(agent_id) ?? []);
    return [
      ...(agents.length + removed.length > 0 ? [agentUpdate(told, removed, timestamp)] : []),
      ...extras(payload, timestamp),
      ...tasks.map((task) => coordinationEvent("task", task, timestamp)),
    ];
  },
};

export const visionflow: Dialect = {
  acknowledges: false,
  read(message) {
    const parsed = Message.safeParse(message);
    const reader =
      parsed.success && Object.hasOwn(READERS, parsed.data.action) && READERS[parsed.data.action];
    return reader ? reader(parsed.data.data) : message;
  },
  write: (frame, whole) => written(frame, whole),
};

/** The table is keyed by type, but TypeScript cannot follow a key from a union to its own writer. */
function written<Type extends GatewayFrame["type"]>(
  frame: Frame<Type>,
  whole: WholeAgent,
): readonly unknown[] {
  const writer: Writer<Type> | undefined = WRITERS[frame.type];
  return writer ? writer(frame, whole) : [frame];
}

/** Agents come whole, so there is nothing to say of their differences. */
const agentUpdate = (agents: readonly SeenAgent[], removed_agents: readonly string[], timestamp: number) => ({
  type: "multi_agent_update",
  agents: agents.map(agentOf),
  differential_updates: [],
  removed_agents,
  timestamp,
});

/** What goes in messages of its own. */
function extras(
  payload: {
    agents: readonly AgentPatch[];
    performance_metrics?: { container: ContainerFigures | null } | undefined;
    topology_changes?: SwarmTopology[] | undefined;
  },
  timestamp: number,
): unknown[] {
  const neural = payload.agents.flatMap(({ agent_id, neural_info }) =>
    neural_info
      ? [{ agent_id, neural_data: neural_info, learning_progress: null, recent_adaptations: [] }]
      : [],
  );
  return [
    ...(payload.topology_changes ?? []).map((swarm) => topologyUpdate(swarm, timestamp)),
    ...(neural.length > 0
      ? [
          {
            type: "neural_update",
            neural_agents: neural,
            learning_events: [],
            adaptation_metrics: [],
            timestamp,
          },
        ]
      : []),
    ...(payload.performance_metrics
      ? [performanceAnalysis(payload.performance_metrics.container, timestamp)]
      : []),
  ];
}

const topologyUpdate = (swarm: SwarmTopology, timestamp: number) => ({
  type: "topology_update",
  swarm_id: swarm.swarm_id,
  topology_changes: [{ change_type: "updated", affected_agents: [], new_structure: swarm, reason: null }],
  new_connections: [],
  removed_connections: [],
  coordination_updates: swarm.coordinator
    ? [
        {
          ...{ coordinator_id: swarm.coordinator, managed_agents: [] },
          ...{ coordination_load: null, efficiency_score: null },
        },
      ]
    : [],
  timestamp,
});

const performanceAnalysis = (container: ContainerFigures | null, timestamp: number) => ({
  type: "performance_analysis",
  global_metrics: {
    ...{ total_throughput: null, average_latency: null, system_efficiency: null },
    ...{ resource_utilization: null, error_rate: null, coordination_overhead: null },
    container,
  },
  ...{ bottlenecks: [], optimization_suggestions: [], trend_analysis: [], timestamp },
});

const coordinationEvent = (event_type: string, event_data: unknown, timestamp: number) => ({
  ...{ type: "coordination_event", event_type, source_agent: null, target_agents: [] },
  ...{ event_data, coordination_impact: null, timestamp },
});

/** Times in seconds, processor use as a share of one core; memory as a share is not known. */
const agentOf = ({ performance, neural_info, current_task, progress, server, ...agent }: SeenAgent) => ({
  ...agent,
  metadata: {
    ...{ session_id: null, parent_id: null, topology_position: null, coordination_role: null },
    ...{ task_queue_size: null, error_count: null, warning_count: null, tags: [] },
    ...{ current_task, progress, server },
  },
  ...(performance && { performance: figuresOf(performance) }),
  ...(neural_info && { neural_info }),
  created_at: seconds(agent.created_at),
  last_active: seconds(agent.last_active),
});

const figuresOf = (figures: AgentPerformance) => ({
  ...figures,
  cpu_usage: figures.cpu_usage === null ? null : figures.cpu_usage / 100,
  memory_usage: null,
  memory_bytes: figures.memory_usage,
});

const seconds = (ms: number | null): number | null => (ms === null ? null : Math.floor(ms / 1000));
