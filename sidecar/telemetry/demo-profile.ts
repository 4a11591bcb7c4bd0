import { z } from "zod";
import type { SwarmTopology } from "../../shared/protocol/sidecar.ts";
import { type AgentPerformance, UNKNOWN_PERFORMANCE } from "../../shared/swarm/agent.ts";
import {
  AgentId,
  Count,
  Figure,
  ifTold,
  Label,
  Moment,
  readEntries,
  readFew,
  type TelemetryProfile,
  Words,
} from "./profile.ts";

const Entry = z.object({
  agentId: AgentId,
  swarmId: Words,
  name: Words,
  type: Label,
  status: Label,
  currentTask: Words,
  progress: Figure,
  createdAt: Moment,
  lastActive: Moment,
});

const Figures = z.object({
  agentId: AgentId,
  cpuPercent: Figure,
  memoryBytes: Figure,
  unitsPerSecond: Figure,
  tasksActive: Figure,
  tasksCompleted: Figure,
  tasksFailed: Figure,
});

const SwarmEntry = z.object({
  swarmId: AgentId,
  topology: Words,
  status: Words,
  coordinator: Words,
  agentCount: Count,
});

/**
 * The demo swarm: `agent_list` says who is there, `agent_metrics` what each of them uses, `swarm_topology` how
 * they belong together.
 */
export const demoProfile: TelemetryProfile = {
  serverSource: "demo",
  notifies: true,

  async read(server, call) {
    const [list, figures, topology] = await Promise.all([
      call("agent_list", {}),
      ifTold(call("agent_metrics", {})),
      ifTold(call("swarm_topology", {})),
    ]);
    const performanceOf = readPerformance(figures);
    const { entries, leftOut } = readEntries(list, Entry);
    const agents = entries.map((entry) => ({
      agent_id: entry.agentId,
      swarm_id: entry.swarmId,
      server,
      server_source: demoProfile.serverSource,
      name: entry.name,
      agent_type: entry.type,
      status: entry.status,
      capabilities: [],
      current_task: entry.currentTask,
      progress: entry.progress,
      performance: performanceOf.get(entry.agentId) ?? UNKNOWN_PERFORMANCE,
      neural_info: null,
      created_at: entry.createdAt,
      last_active: entry.lastActive,
    }));
    return { agents, swarms: readSwarms(server, topology), leftOut };
  },
};

const readPerformance = (data: unknown): ReadonlyMap<string, AgentPerformance> =>
  new Map(
    readFew(data, Figures, "agents").map((figures) => [
      figures.agentId,
      {
        ...UNKNOWN_PERFORMANCE,
        cpu_usage: figures.cpuPercent,
        memory_usage: figures.memoryBytes,
        throughput: figures.unitsPerSecond,
        tasks_active: figures.tasksActive,
        tasks_completed: figures.tasksCompleted,
        tasks_failed: figures.tasksFailed,
      },
    ]),
  );

const readSwarms = (server: string, data: unknown): SwarmTopology[] =>
  readFew(data, SwarmEntry, "swarms").map((swarm) => ({
    swarm_id: swarm.swarmId,
    server,
    server_source: demoProfile.serverSource,
    topology: swarm.topology,
    status: swarm.status,
    coordinator: swarm.coordinator,
    agents: swarm.agentCount,
    max_agents: null,
  }));
