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

/** How a server of the `generic` profile tells of its agents. */
export const GenericTools = z.strictObject({
  source: field.optional().describe("The agents' server_source; the pool's name when not given."),
  tool: field.default("agent_list").describe("The tool that gives an object in which its agents are."),
  list: field.default("agents").describe("Under what they are in that object."),
  /** The usual names are `GENERIC_FIELDS`. */
  fields: z
    .partialRecord(Named.keyof(), field)
    .default({})
    .describe(
      "Which of an agent's fields is called what. Those that are left out have the usual names, except the figures: of those only the ones named here are read, since nobody else knows their units.",
    ),
});
export type GenericTools = z.infer<typeof GenericTools>;
