/** How one kind of MCP server is asked about its agents, and how its answers are read. */
import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import { Timestamp } from "../../shared/protocol/ids.ts";
import type { SwarmTopology } from "../../shared/protocol/sidecar.ts";
import { type Agent, Agent as AgentSchema } from "../../shared/swarm/agent.ts";
import { shortened } from "../swarm/tasks-listed.ts";

/** Calls a tool and gives its data. @throws HivegateError as `LiveConnection.call` */
export type CallTool = (tool: string, args: Record<string, unknown>) => Promise<unknown>;

/** All that a server tells at one time. `leftOut` counts the entries that are not what the profile expects. */
export type TelemetryReport = { agents: Agent[]; swarms: SwarmTopology[]; leftOut: number };

export interface TelemetryProfile {
  /** As `Agent.server_source`. */
  readonly serverSource: string;
  /** Whether the server notifies of every change that a report shows: then silence means that nothing is new. */
  readonly notifies: boolean;
  /** What a server tells; `server` as `Agent.server`. @throws HivegateError as `call` */
  read(server: string, call: CallTool): Promise<TelemetryReport>;
}

export const AgentId = AgentSchema.shape.agent_id;

/** A figure that may be missing: unknown is null. */
export const Figure = z
  .number()
  .nullish()
  .transform((figure) => figure ?? null);

/** A number of things that may be missing. */
export const Count = z
  .number()
  .int()
  .nullish()
  .transform((count) => count ?? null);

/** Words of an upstream's own, for people to read: what is too long to show is cut, what is missing is null. */
export const Words = z
  .string()
  .nullish()
  .transform((words) => (words == null ? null : shortened(words)));

/** A kind or a state, as short as it has to be to be filtered by. */
export const Label = z.string().min(1).max(100);

/**
 * Milliseconds since the epoch, from those or from an ISO date; null when missing. So is a date before the epoch:
 * where an upstream does not know one it may write that of the year 1.
 */
export const Moment = z
  .union([Timestamp, z.iso.datetime({ offset: true }).transform((iso) => Date.parse(iso))])
  .nullish()
  .transform((moment) => Timestamp.safeParse(moment).data ?? null);

/**
 * What a tool says that only adds to the picture; null when the server says that it cannot. A call that does
 * not get through fails the whole: else what is known already would be taken for gone.
 */
export async function ifTold(answer: Promise<unknown>): Promise<unknown> {
  try {
    return await answer;
  } catch (error) {
    if (error instanceof HivegateError && error.code === "mcp_failed") return null;
    throw error;
  }
}

/**
 * The entries of `{agents: […]}`, or of what the list is called, that fit.
 * @throws HivegateError `mcp_failed` when there is no such list
 */
export function readEntries<Entry>(
  data: unknown,
  schema: z.ZodType<Entry>,
  name = "agents",
): { entries: Entry[]; leftOut: number } {
  const list = z.record(z.string(), z.unknown()).safeParse(data);
  const found = z.array(z.unknown()).safeParse(list.data?.[name]);
  if (!found.success) throw new HivegateError("mcp_failed", undefined, { cause: found.error });
  const entries = found.data.flatMap((entry) => {
    const parsed = schema.safeParse(entry);
    return parsed.success ? [parsed.data] : [];
  });
  return { entries, leftOut: found.data.length - entries.length };
}

/** The same of an answer that only adds to the picture: none where there is no such list. */
export function readFew<Entry>(data: unknown, schema: z.ZodType<Entry>, name: string): Entry[] {
  const list = z.object({ [name]: z.array(z.unknown()) }).safeParse(data);
  return list.success ? readEntries(list.data, schema, name).entries : [];
}
