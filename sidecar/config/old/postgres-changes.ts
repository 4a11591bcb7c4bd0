import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { type ComparedRow, changedServers } from "./changes.ts";
import { ASSIGNMENTS, isMemory, SERVERS } from "./columns.ts";
import { fileOf, readTableFacts } from "./postgres-backup.ts";

const RESTORED = [SERVERS, ASSIGNMENTS] as const;

/** What is not in the backup `before` and would be lost by putting it back, of what the backup `now` holds: servers, tables. */
export async function changesInTables(before: string, now: string): Promise<string[]> {
  const [were, are] = [await readTableFacts(before), await readTableFacts(now)];
  const factsOf = (all: typeof were, table: string) => JSON.stringify(all.find((one) => one.table === table));
  // Other columns, or ids that were given out.
  const tables = RESTORED.filter((table) => factsOf(were, table) !== factsOf(are, table));
  return [
    ...changedServers(await rowsIn(before), await rowsIn(now)),
    ...tables.map((table) => `table ${table}`),
  ];
}

async function rowsIn(directory: string): Promise<ComparedRow[]> {
  const rows: ComparedRow[] = [];
  for (const { table, columns } of await readTableFacts(directory)) {
    if (!RESTORED.some((one) => one === table)) continue;
    const at = (name: string) => columns.findIndex((column) => column.name === name);
    const [server, name] = table === SERVERS ? [at("id"), at("name")] : [at("mcp_server_id"), -1];
    const lines = (await readFile(join(directory, fileOf(table)), "utf8")).split("\n").slice(0, -1);
    for (const line of lines) {
      // As `COPY` writes them, a tab within a value is none.
      const values = line.split("\t");
      const kept = values.filter((_, index) => !isMemory(table, columns[index]?.name ?? ""));
      rows.push({
        server: values[server] ?? "",
        name: values[name] ?? null,
        text: [table, ...kept].join("\t"),
      });
    }
  }
  return rows;
}
