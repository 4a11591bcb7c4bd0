/** Agents and tasks for tests: whole, valid, and different only where a test says so. */

import type {
  ServerState,
  TelemetryChange,
  TelemetryChangeLine,
  TelemetrySnapshot,
} from "../../shared/protocol/sidecar.ts";
import { type Agent, UNKNOWN_PERFORMANCE } from "../../shared/swarm/agent.ts";
import type { Task } from "../../shared/swarm/task.ts";

export const anAgent = (change: Partial<Agent> = {}): Agent => ({
  agent_id: "agent-1",
  swarm_id: "swarm-1",
  server: "demo",
  server_source: "demo",
  name: "worker 1",
  agent_type: "worker",
  status: "working",
  capabilities: [],
  current_task: null,
  progress: 0.5,
  performance: { ...UNKNOWN_PERFORMANCE, cpu_usage: 42 },
  neural_info: null,
  created_at: 1,
  last_active: 2,
  ...change,
});

export const aServer = (change: Partial<ServerState> = {}): ServerState => ({
  server: "demo",
  pool: "demo",
  server_source: "demo",
  status: "available",
  agents: 1,
  stale_since: null,
  circuit: { state: "closed", since: 0, retry_at: null },
  ...change,
});

const NOTHING_KNOWN = { agents: [], servers: [], swarms: [], container: null, tasks: [] };
const NO_HISTORY = { agents: [], tasks: [], departures: [], parts: { servers: 0, swarms: 0, container: 0 } };

/** A snapshot without memory of anything before it. */
export const aSnapshot = (change: Partial<TelemetrySnapshot> = {}): TelemetrySnapshot => {
  const offset = change.offset ?? 1;
  return {
    ...{ type: "snapshot", epoch: "e", offset, timestamp: 0, ...NOTHING_KNOWN },
    history: { ...NO_HISTORY, horizon: offset },
    ...change,
  };
};

/** The change that follows on `from`. */
export const aChange = (
  from: number,
  change: TelemetryChange,
  options: { epoch?: string; offset?: number } = {},
): TelemetryChangeLine => ({
  ...{ type: "change", epoch: "e", from, offset: from + 1, timestamp: 0, change },
  ...options,
});

export const aTask = (change: Partial<Task> = {}): Task => ({
  taskId: "6f2ef6a1-3f7e-4d4c-9a53-0b8d8c9f2a10",
  task: "count primes below 1000",
  priority: "Medium",
  state: "running",
  method: "docker-exec",
  swarmId: null,
  createdAt: 1,
  spawningAt: 1,
  startedAt: 2,
  pausedAt: null,
  endedAt: null,
  timeoutMs: 86_400_000,
  exitCode: null,
  error: null,
  ...change,
});
