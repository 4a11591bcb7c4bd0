import { z } from "zod";
import { UNKNOWN_PERFORMANCE } from "../../shared/swarm/agent.ts";
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
  agentType: Label,
  status: Label,
  health: Figure,
  taskCount: Figure,
  createdAt: Moment,
});

const HiveStatus = z.object({
  hiveId: z.string().min(1).max(200),
  initialized: z.boolean(),
  workers: z.array(z.object({ id: AgentId, currentTask: Words })),
});

type Hive = { hiveId: string; currentTaskOf: ReadonlyMap<string, string | null> };

/**
 * claude-flow 3: `agent_list` says who is there, `hive-mind_status` which of them work for the hive. The
 * other agents' swarm is nowhere to be had, nor are CPU, memory and tokens of any agent.
 */
export const claudeFlowProfile: TelemetryProfile = {
  serverSource: "claude_flow",

  async readAgents(server, call) {
    const [list, hive] = await Promise.all([call("agent_list", {}), readHive(call)]);
    const { entries, leftOut } = readEntries(list, Entry);
    const agents = entries.map((entry) => ({
      agent_id: entry.agentId,
      swarm_id: hive?.currentTaskOf.has(entry.agentId) ? hive.hiveId : null,
      server,
      server_source: claudeFlowProfile.serverSource,
      name: null,
      agent_type: entry.agentType,
      status: entry.status,
      capabilities: [],
      current_task: hive?.currentTaskOf.get(entry.agentId) ?? null,
      progress: null,
      performance: {
        ...UNKNOWN_PERFORMANCE,
        health_score: entry.health,
        // It goes up when a task is completed, not when one is assigned.
        tasks_completed: entry.taskCount,
      },
      created_at: entry.createdAt,
      last_active: null,
    }));
    return { agents, leftOut };
  },
};

async function readHive(call: CallTool): Promise<Hive | null> {
  const answer = HiveStatus.safeParse(await call("hive-mind_status", {}).catch(() => null));
  // Where there is no hive, the tool makes up another id at every call.
  if (!answer.success || !answer.data.initialized) return null;
  const { hiveId, workers } = answer.data;
  return { hiveId, currentTaskOf: new Map(workers.map(({ id, currentTask }) => [id, currentTask])) };
}
