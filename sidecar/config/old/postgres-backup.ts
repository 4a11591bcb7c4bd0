/** The older tables of PostgreSQL as files. */
import { createWriteStream } from "node:fs";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { AGENTS, ASSIGNMENTS, SERVERS, TABLES, type Table } from "./columns.ts";
import type { Transaction } from "./postgres-open.ts";

const MANIFEST = "tables.json";
export const fileOf = (table: Table): string => `${table}.copy`;

const TableFacts = z.strictObject({
  table: z.enum([SERVERS, ASSIGNMENTS, AGENTS]),
  columns: z.array(z.strictObject({ name: z.string(), type: z.string() })).min(1),
  /** Where its ids come from, and what comes next; null: from somewhere else. */
  sequence: z.strictObject({ name: z.string(), last: z.string(), isCalled: z.boolean() }).nullable(),
});
export type TableFacts = z.infer<typeof TableFacts>;
const Manifest = z.strictObject({ tables: z.array(TableFacts) });

/** The rows in the order of their ids, as `COPY` writes them, and what a row consists of. */
export async function backUpTables(sql: Transaction, directory: string): Promise<string[]> {
  const tables: TableFacts[] = [];
  for (const table of TABLES) {
    const facts = await factsOf(sql, table);
    tables.push(facts);
    const query = `COPY (SELECT ${columnsOf(facts)} FROM ${table} ORDER BY id) TO STDOUT`;
    const file = join(directory, fileOf(table));
    await pipeline(await sql.unsafe(query).readable(), createWriteStream(file, { mode: 0o600 }));
    await sync(file);
  }
  const manifest = join(directory, MANIFEST);
  await writeFile(manifest, `${JSON.stringify({ tables }, null, 2)}\n`, { mode: 0o600 });
  await sync(manifest);
  await sync(directory);
  return [...TABLES.map(fileOf), MANIFEST];
}

export const readTableFacts = async (directory: string): Promise<TableFacts[]> =>
  Manifest.parse(JSON.parse(await readFile(join(directory, MANIFEST), "utf8"))).tables;

export const columnsOf = ({ columns }: TableFacts): string =>
  columns.map(({ name }) => quoted(name)).join(", ");

export const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

export async function factsOf(sql: Transaction, table: Table): Promise<TableFacts> {
  const columns = await sql.unsafe(
    `SELECT attname::text AS name, format_type(atttypid, atttypmod) AS type FROM pg_attribute
     WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped AND attgenerated = '' ORDER BY attnum`,
    [table],
  );
  const [found] = await sql.unsafe("SELECT pg_get_serial_sequence($1, 'id') AS name", [table]);
  const { name } = z.object({ name: z.string().nullable() }).parse(found);
  return TableFacts.parse({
    table,
    columns: columns.map((column) => ({ ...column })),
    sequence: name === null ? null : await stateOf(sql, name),
  });
}

/** `name` comes quoted where it has to be. */
async function stateOf(sql: Transaction, name: string): Promise<TableFacts["sequence"]> {
  const [state] = await sql.unsafe(`SELECT last_value::text AS last, is_called FROM ${name}`);
  const { last, is_called } = z.object({ last: z.string(), is_called: z.boolean() }).parse(state);
  return { name, last, isCalled: is_called };
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
