/** Rows of the older tables as entries, whichever database they come from. */
import { HivegateError } from "../../../shared/errors.ts";
import type { ConfigEntry } from "../entry.ts";
import { SERVERS } from "./columns.ts";
import type { OldRow } from "./database.ts";
import type { Present } from "./plan.ts";
import { OldServer } from "./row.ts";
import { entryOf } from "./rows.ts";

/** A server's id beside the id and the name of an agent that it is assigned to. */
export type AssignedAgent = Readonly<{ server: unknown; agent: unknown; name: unknown }>;

/** @throws HivegateError `config_invalid` for a row that cannot be read: `problems` tells of all of them */
export function readServer(row: OldRow): OldServer {
  const read = OldServer.safeParse(row);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new HivegateError(
    "config_invalid",
    `The older system's database, ${SERVERS}, row ${String(row.id)}: ${String(issue?.path[0])}: ${issue?.message}.`,
  );
}

/** In the order of their names. */
export function entriesOf(servers: readonly OldRow[], assigned: readonly AssignedAgent[]): ConfigEntry[] {
  const byServer = Map.groupBy(assigned, ({ server }) => String(server));
  return servers
    .map(readServer)
    .map((server) =>
      entryOf(
        server,
        (byServer.get(server.id) ?? []).map(({ name }) => String(name)),
      ),
    )
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

export function presentOf(
  servers: readonly OldRow[],
  assigned: readonly AssignedAgent[],
): Map<string, Present> {
  const byServer = Map.groupBy(assigned, ({ server }) => String(server));
  return new Map(
    servers.map((row) => {
      const { id, ...values } = readServer(row);
      const agentIds = (byServer.get(id) ?? []).map(({ agent }) => String(agent));
      return [values.name, { id, values, agentIds }];
    }),
  );
}
