import { z } from "zod";
import type { SwarmTopology } from "../../shared/protocol/sidecar.ts";
import { UNKNOWN_PERFORMANCE } from "../../shared/swarm/agent.ts";
import {
  AgentId,
  Count,
  ifTold,
  Label,
  readEntries,
  readFew,
  type TelemetryProfile,
  Words,
} from "./profile.ts";

const Entry = z.object({
  id: AgentId,
  name: Words,
  type: Label,
  status: Label,
  capabilities: z.array(z.string()).default([]),
  cognitive_pattern: Words,
  neural_network_id: Words,
});
type Entry = z.infer<typeof Entry>;

const Swarm = z.object({
  id: AgentId,
  status: z.object({ agents: z.object({ total: Count }).optional() }).optional(),
});

/**
 * ruv-swarm: `agent_list` says who is there, but not in which swarm, nor since when. Its `agent_metrics` fails
 * as soon as there is an agent (seen in 1.0.20), so no figure of any agent is to be had.
 */
export const ruvSwarmProfile: TelemetryProfile = {
  serverSource: "ruv_swarm",
  notifies: false,

  async read(server, call) {
    const [list, status] = await Promise.all([call("agent_list", {}), ifTold(call("swarm_status", {}))]);
    const { entries, leftOut } = readEntries(list, Entry);
    const agents = entries.map((entry) => ({
      agent_id: entry.id,
      swarm_id: null,
      server,
      server_source: ruvSwarmProfile.serverSource,
      name: entry.name,
      agent_type: entry.type,
      status: entry.status,
      capabilities: entry.capabilities,
      current_task: null,
      progress: null,
      performance: UNKNOWN_PERFORMANCE,
      neural_info: neuralInfoOf(entry),
      created_at: null,
      last_active: null,
    }));
    return { agents, swarms: readSwarms(server, status), leftOut };
  },
};

function neuralInfoOf({ cognitive_pattern, neural_network_id }: Entry) {
  if (cognitive_pattern === null && neural_network_id === null) return null;
  return { cognitive_pattern, network_id: neural_network_id };
}

const readSwarms = (server: string, data: unknown): SwarmTopology[] =>
  readFew(data, Swarm, "swarms").map(({ id, status }) => ({
    swarm_id: id,
    server,
    server_source: ruvSwarmProfile.serverSource,
    topology: null,
    status: null,
    coordinator: null,
    agents: status?.agents?.total ?? null,
    max_agents: null,
  }));
