import { z } from "zod";
import { Agent, AgentPerformance } from "../../shared/swarm/agent.ts";

/** What of an agent a server may tell under a name of its own. */
const field = z.string().min(1).max(100);
const Named = Agent.pick({
  agent_id: true,
  swarm_id: true,
  name: true,
  agent_type: true,
  status: true,
  capabilities: true,
  current_task: true,
  progress: true,
  created_at: true,
  last_active: true,
}).extend(AgentPerformance.shape);

/**
 * How a server of the `generic` profile tells of its agents: `tool` gives an object in which `list` holds
 * them. `fields` says which of an agent's fields is called what; those that it leaves out have the usual names
 * (see `GENERIC_FIELDS`), except the figures: of those only the ones named here are read, since nobody else
 * knows their units. `source` is `Agent.server_source`; the pool's name when not given.
 */
export const GenericTools = z.strictObject({
  source: field.optional(),
  tool: field.default("agent_list"),
  list: field.default("agents"),
  fields: z.partialRecord(Named.keyof(), field).default({}),
});
export type GenericTools = z.infer<typeof GenericTools>;
