import { z } from "zod";
import { AgentPerformance } from "../../shared/swarm/agent.ts";
import type { GenericTools } from "../mcp/generic-tools.ts";
import { AgentId, Figure, Label, Moment, readEntries, type TelemetryProfile, Words } from "./profile.ts";

const FIGURES = AgentPerformance.keyof().options;

const Entry = z.object({
  agent_id: AgentId,
  swarm_id: Words,
  name: Words,
  agent_type: Label,
  status: Label,
  capabilities: z
    .array(z.string())
    .nullish()
    .transform((names) => names ?? []),
  current_task: Words,
  progress: Figure,
  created_at: Moment,
  last_active: Moment,
  performance: z.record(AgentPerformance.keyof(), Figure),
});

const NAMED = Entry.omit({ performance: true }).keyof().options;

/** What the fields are called where the configuration does not say; the first name that an entry has counts. */
const USUAL_NAMES: { [Field in keyof GenericTools["fields"]]: readonly string[] } = {
  agent_id: ["agent_id", "agentId", "id"],
  swarm_id: ["swarm_id", "swarmId"],
  name: ["name"],
  agent_type: ["agent_type", "agentType", "type"],
  status: ["status", "state"],
  capabilities: ["capabilities"],
  current_task: ["current_task", "currentTask"],
  progress: ["progress"],
  created_at: ["created_at", "createdAt"],
  last_active: ["last_active", "lastActive"],
};

/** Any server with a tool that lists its agents. `source` is its `server_source` where `tools` names none. */
export function genericProfile(tools: GenericTools, source: string): TelemetryProfile {
  const serverSource = tools.source ?? source;
  const schema = z
    .record(z.string(), z.unknown())
    .transform((entry) => renamed(entry, tools.fields))
    .pipe(Entry);
  return {
    serverSource,
    notifies: false,
    async read(server, call) {
      const { entries, leftOut } = readEntries(await call(tools.tool, {}), schema, tools.list);
      const agents = entries.map((entry) => ({
        ...entry,
        server,
        server_source: serverSource,
        neural_info: null,
      }));
      return { agents, swarms: [], leftOut };
    },
  };
}

function renamed(entry: Record<string, unknown>, fields: GenericTools["fields"]): Record<string, unknown> {
  const said = (field: keyof typeof fields): unknown => {
    const name = fields[field] ?? USUAL_NAMES[field]?.find((usual) => entry[usual] != null);
    return name === undefined ? undefined : entry[name];
  };
  const own = NAMED.map((field) => [field, said(field)]);
  const performance = Object.fromEntries(FIGURES.map((figure) => [figure, said(figure)]));
  return { ...Object.fromEntries(own), performance };
}
