import { z } from "zod";
import type { SwarmTopology } from "../../shared/protocol/sidecar.ts";
import { UNKNOWN_PERFORMANCE } from "../../shared/swarm/agent.ts";
import {
  AgentId,
  Count,
  Figure,
  ifTold,
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

/** Where there is no hive, the tool makes up another id at every call, and says that it is not `initialized`. */
const Hive = z.object({
  hiveId: AgentId,
  initialized: z.literal(true),
  status: Words,
  topology: Words,
  queen: z.object({ agentId: Words }).optional(),
  workers: z.array(z.object({ id: AgentId, currentTask: Words })),
  workerCount: Count,
});
type Hive = z.infer<typeof Hive>;

/** Where there is no swarm, there is no id. */
const Swarm = z.object({
  swarmId: AgentId,
  status: Words,
  topology: Words,
  agentCount: Count,
  maxAgents: Count,
});
type Swarm = z.infer<typeof Swarm>;

/**
 * claude-flow 3: `agent_list` says who is there, `hive-mind_status` which of them work for the hive, and
 * `swarm_status` what the latest swarm is like, but not who belongs to it. CPU, memory and tokens of an agent
 * are nowhere to be had.
 */
export const claudeFlow3Profile: TelemetryProfile = {
  serverSource: "claude_flow",
  notifies: false,

  async read(server, call) {
    const [list, hiveData, swarmData] = await Promise.all([
      call("agent_list", {}),
      ifTold(call("hive-mind_status", {})),
      ifTold(call("swarm_status", {})),
    ]);
    const hive = Hive.safeParse(hiveData).data;
    const swarm = Swarm.safeParse(swarmData).data;
    const taskOf = new Map(hive?.workers.map(({ id, currentTask }) => [id, currentTask]));
    const { entries, leftOut } = readEntries(list, Entry);
    const agents = entries.map((entry) => ({
      agent_id: entry.agentId,
      swarm_id: hive && taskOf.has(entry.agentId) ? hive.hiveId : null,
      server,
      server_source: claudeFlow3Profile.serverSource,
      name: null,
      agent_type: entry.agentType,
      status: entry.status,
      capabilities: [],
      current_task: taskOf.get(entry.agentId) ?? null,
      progress: null,
      performance: {
        ...UNKNOWN_PERFORMANCE,
        health_score: entry.health,
        // It goes up when a task is completed, not when one is assigned.
        tasks_completed: entry.taskCount,
      },
      neural_info: null,
      created_at: entry.createdAt,
      last_active: null,
    }));
    const swarms = [
      ...(hive ? [topologyOfHive(server, hive)] : []),
      ...(swarm ? [topologyOf(server, swarm)] : []),
    ];
    return { agents, swarms, leftOut };
  },
};

const topologyOfHive = (server: string, hive: Hive): SwarmTopology => ({
  swarm_id: hive.hiveId,
  server,
  server_source: claudeFlow3Profile.serverSource,
  topology: hive.topology,
  status: hive.status,
  coordinator: hive.queen?.agentId ?? null,
  agents: hive.workerCount,
  max_agents: null,
});

const topologyOf = (server: string, swarm: Swarm): SwarmTopology => ({
  swarm_id: swarm.swarmId,
  server,
  server_source: claudeFlow3Profile.serverSource,
  topology: swarm.topology,
  status: swarm.status,
  coordinator: null,
  agents: swarm.agentCount,
  max_agents: swarm.maxAgents,
});
