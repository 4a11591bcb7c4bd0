import { z } from "zod";
import { Timestamp } from "../protocol/ids.ts";

const figure = z.number().nullable();

/** What an upstream says about an agent's work. What it does not say is null, never a guess. */
export const AgentPerformance = z.object({
  /** Percent of one core. */
  cpu_usage: figure,
  /** Bytes. */
  memory_usage: figure,
  /** 0 to 1. */
  health_score: figure,
  /** 0 to 1. */
  activity_level: figure,
  tasks_active: figure,
  tasks_completed: figure,
  tasks_failed: figure,
  /** 0 to 1. */
  success_rate: figure,
  token_usage: figure,
  /** Tokens per second. */
  token_rate: figure,
  response_time_ms: figure,
  /** Units of work per second, as the upstream counts them. */
  throughput: figure,
});
export type AgentPerformance = z.infer<typeof AgentPerformance>;

/** What an upstream says about an agent's neural network. */
export const NeuralInfo = z.object({
  cognitive_pattern: z.string().nullable(),
  network_id: z.string().nullable(),
});
export type NeuralInfo = z.infer<typeof NeuralInfo>;

/** One agent, as clients see it. `server` names the MCP server, or the pool of them, that told of it. */
export const Agent = z.object({
  agent_id: z.string().min(1).max(200),
  swarm_id: z.string().nullable(),
  server: z.string(),
  /** The kind of server: `demo`, `claude_flow`, `ruv_swarm`, `daa`, or its own name. */
  server_source: z.string(),
  name: z.string().nullable(),
  agent_type: z.string(),
  status: z.string(),
  capabilities: z.array(z.string()),
  current_task: z.string().nullable(),
  /** 0 to 1. */
  progress: figure,
  performance: AgentPerformance,
  /** Null where there is none, or the upstream does not say. */
  neural_info: NeuralInfo.nullable(),
  created_at: Timestamp.nullable(),
  last_active: Timestamp.nullable(),
});
export type Agent = z.infer<typeof Agent>;

/** An agent as a session sees it, which may not have asked for everything. */
export const SeenAgent = Agent.partial({ performance: true, neural_info: true });
export type SeenAgent = z.infer<typeof SeenAgent>;

/** An agent's changed fields, beside its id. One that sets every field is a whole agent. */
export const AgentPatch = Agent.partial()
  .required({ agent_id: true })
  .extend({ performance: AgentPerformance.partial().optional() });
export type AgentPatch = z.infer<typeof AgentPatch>;

/** Every figure unknown: what a profile starts from before it fills in what its upstream says. */
export const UNKNOWN_PERFORMANCE: AgentPerformance = Object.freeze({
  cpu_usage: null,
  memory_usage: null,
  health_score: null,
  activity_level: null,
  tasks_active: null,
  tasks_completed: null,
  tasks_failed: null,
  success_rate: null,
  token_usage: null,
  token_rate: null,
  response_time_ms: null,
  throughput: null,
});
