/**
 * Rows of the older tables as entries, whichever database they come from. Who a server is assigned to comes as one row:
 * `server`, its id, beside `agents` and `names`, lists in JSON, as there are many more assignments than servers.
 */
import { z } from "zod";
import { HivegateError } from "../../../shared/errors.ts";
import type { ConfigEntry } from "../entry.ts";
import { SERVERS } from "./columns.ts";
import type { OldRow } from "./database.ts";
import type { Present } from "./plan.ts";
import { OldServer } from "./row.ts";
import { entryOf } from "./rows.ts";

/**
 * @throws HivegateError for a row that cannot be read (`problems` tells of all of them): `config_invalid` to who wants to change
 * it; who only reads has done nothing wrong
 */
export function readServer(row: OldRow, code: "config_invalid" | "overloaded"): OldServer {
  const read = OldServer.safeParse(row);
  if (read.success) return read.data;
  const [issue] = read.error.issues;
  throw new HivegateError(
    code,
    `The older system's database, ${SERVERS}, row ${String(row.id)}: ${String(issue?.path[0])}: ${issue?.message}.`,
  );
}

/** In the order of their names. */
export function entriesOf(servers: readonly OldRow[], assigned: readonly OldRow[]): ConfigEntry[] {
  const names = byServer(assigned, "names");
  return servers
    .map((row) => readServer(row, "overloaded"))
    .map((server) => entryOf(server, names.get(server.id) ?? []))
    .sort((one, other) => (one.name < other.name ? -1 : 1));
}

export function presentOf(servers: readonly OldRow[], assigned: readonly OldRow[]): Map<string, Present> {
  const agents = byServer(assigned, "agents");
  return new Map(
    servers.map((row) => {
      const { id, ...values } = readServer(row, "config_invalid");
      return [values.name, { id, values, agentIds: agents.get(id) ?? [] }];
    }),
  );
}

const List = z.array(z.union([z.string(), z.int()]).transform(String));

const byServer = (assigned: readonly OldRow[], column: "agents" | "names"): Map<string, string[]> =>
  new Map(assigned.map((row) => [String(row.server), List.parse(JSON.parse(String(row[column])))]));
