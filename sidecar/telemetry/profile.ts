/** How one kind of MCP server is asked about its agents, and how its answers are read. */
import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import { Timestamp } from "../../shared/protocol/ids.ts";
import { type Agent, Agent as AgentSchema } from "../../shared/swarm/agent.ts";
import { shortened } from "../swarm/tasks-listed.ts";

/** Calls a tool and gives its data. @throws HivegateError as `McpConnection.call` */
export type CallTool = (tool: string, args: Record<string, unknown>) => Promise<unknown>;

/** `leftOut` counts the entries that are not what the profile expects. */
export type AgentReport = { agents: Agent[]; leftOut: number };

export interface TelemetryProfile {
  /** As `Agent.server_source`. */
  readonly serverSource: string;
  /** The agents as `server` (its configured name) tells of them. @throws HivegateError as `call` */
  readAgents(server: string, call: CallTool): Promise<AgentReport>;
}

export const AgentId = AgentSchema.shape.agent_id;

/** A figure that may be missing: unknown is null. */
export const Figure = z
  .number()
  .nullish()
  .transform((figure) => figure ?? null);

/** Words of an upstream's own, for people to read: what is too long to show is cut, what is missing is null. */
export const Words = z
  .string()
  .nullish()
  .transform((words) => (words == null ? null : shortened(words)));

/** A kind or a state, as short as it has to be to be filtered by. */
export const Label = z.string().min(1).max(100);

/** Milliseconds since the epoch, from those or from an ISO date; null when missing. */
export const Moment = z
  .union([Timestamp, z.iso.datetime({ offset: true }).transform((iso) => Date.parse(iso))])
  .nullish()
  .transform((moment) => moment ?? null);

const AgentList = z.object({ agents: z.array(z.unknown()) });

/**
 * The entries of `{agents: […]}` that fit.
 * @throws HivegateError `mcp_failed` when there is no such list
 */
export function readEntries<Entry>(
  data: unknown,
  schema: z.ZodType<Entry>,
): { entries: Entry[]; leftOut: number } {
  const list = AgentList.safeParse(data);
  if (!list.success) throw new HivegateError("mcp_failed", undefined, { cause: list.error });
  const entries = list.data.agents.flatMap((entry) => {
    const parsed = schema.safeParse(entry);
    return parsed.success ? [parsed.data] : [];
  });
  return { entries, leftOut: list.data.agents.length - entries.length };
}
