import { z } from "zod";
import { type AgentPerformance, UNKNOWN_PERFORMANCE } from "../../shared/swarm/agent.ts";
import {
  AgentId,
  type CallTool,
  Figure,
  Label,
  Moment,
  readEntries,
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

/** The demo swarm: `agent_list` says who is there, `agent_metrics` what each of them uses. */
export const demoProfile: TelemetryProfile = {
  serverSource: "demo",

  async readAgents(server, call) {
    const [list, performanceOf] = await Promise.all([call("agent_list", {}), readFigures(call)]);
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
      created_at: entry.createdAt,
      last_active: entry.lastActive,
    }));
    return { agents, leftOut };
  },
};

/** Without its figures an agent is still worth showing, so a failure here costs nothing else. */
async function readFigures(call: CallTool): Promise<ReadonlyMap<string, AgentPerformance>> {
  const answer = await call("agent_metrics", {}).catch(() => ({ agents: [] }));
  return new Map(
    readEntries(answer, Figures).entries.map((figures) => [
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
}
