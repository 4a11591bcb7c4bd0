import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import type { SwarmTopology } from "../../shared/protocol/sidecar.ts";
import { UNKNOWN_PERFORMANCE } from "../../shared/swarm/agent.ts";
import {
  AgentId,
  type CallTool,
  Count,
  ifTold,
  Label,
  Moment,
  readEntries,
  type TelemetryProfile,
  Words,
} from "./profile.ts";

const Entry = z.object({
  id: AgentId,
  swarmId: AgentId.optional(),
  name: Words,
  type: Label,
  status: Label,
  capabilities: z.array(z.string()).default([]),
  createdAt: Moment,
  /** What it is called where the agents come from the server's database. */
  created: Moment,
  lastActive: Moment,
});

const SwarmId = z.object({ swarmId: z.string() });

const Swarm = z.object({ swarmId: AgentId, topology: Words, agentCount: Count });

/** While it knows of no agent, the server tells of three that do not exist, in a swarm of this name. */
const MADE_UP = "mock-swarm";
/** What it says instead where it has a database. */
const NO_SWARM = "No active swarm found";

/** claude-flow 2: `agent_list` and `swarm_status`; other tools that it lists answer with nothing but success. */
export const claudeFlow2Profile: TelemetryProfile = {
  serverSource: "claude_flow",
  notifies: false,

  async read(server, call) {
    const [list, status] = await Promise.all([listAgents(call), ifTold(call("swarm_status", {}))]);
    const swarms = readSwarm(server, status);
    const swarmId = SwarmId.safeParse(list).data?.swarmId ?? null;
    if (swarmId === MADE_UP) return { agents: [], swarms, leftOut: 0 };
    const { entries, leftOut } = readEntries(list, Entry);
    const agents = entries.map((entry) => ({
      agent_id: entry.id,
      swarm_id: entry.swarmId ?? swarmId,
      server,
      server_source: claudeFlow2Profile.serverSource,
      name: entry.name,
      agent_type: entry.type,
      status: entry.status,
      capabilities: entry.capabilities,
      current_task: null,
      progress: null,
      performance: UNKNOWN_PERFORMANCE,
      neural_info: null,
      created_at: entry.createdAt ?? entry.created,
      last_active: entry.lastActive,
    }));
    return { agents, swarms, leftOut };
  },
};

async function listAgents(call: CallTool): Promise<unknown> {
  try {
    return await call("agent_list", {});
  } catch (error) {
    const cause = error instanceof HivegateError ? error.cause : null;
    if (cause instanceof Error && cause.message === NO_SWARM) return { agents: [] };
    throw error;
  }
}

function readSwarm(server: string, data: unknown): SwarmTopology[] {
  const swarm = Swarm.safeParse(data).data;
  if (!swarm) return [];
  return [
    {
      swarm_id: swarm.swarmId,
      server,
      server_source: claudeFlow2Profile.serverSource,
      topology: swarm.topology,
      status: null,
      coordinator: null,
      agents: swarm.agentCount,
      max_agents: null,
    },
  ];
}
