/** The older tables of PostgreSQL as files, and their way back. */
import { createReadStream, createWriteStream } from "node:fs";
import { open, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { AGENTS, ASSIGNMENTS, SERVERS, TABLES, type Table } from "./columns.ts";
import type { Transaction } from "./postgres-open.ts";

const MANIFEST = "tables.json";
const fileOf = (table: Table): string => `${table}.copy`;

const TableFacts = z.strictObject({
  table: z.enum([SERVERS, ASSIGNMENTS, AGENTS]),
  columns: z.array(z.strictObject({ name: z.string(), type: z.string() })).min(1),
  /** Where its ids come from, and what comes next; null: from somewhere else. */
  sequence: z.strictObject({ name: z.string(), last: z.string(), isCalled: z.boolean() }).nullable(),
});
type TableFacts = z.infer<typeof TableFacts>;
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

/**
 * Makes the rows of servers and assignments what they were, where they are not. Agents belong to the older system, which goes on with
 * them, and nobody here writes to them: they are only looked at.
 * @throws Error with one line for a terminal
 */
export async function restoreTables(sql: Transaction, directory: string): Promise<void> {
  const { tables } = Manifest.parse(JSON.parse(await readFile(join(directory, MANIFEST), "utf8")));
  await sql.unsafe(`LOCK TABLE ${SERVERS}, ${ASSIGNMENTS} IN SHARE ROW EXCLUSIVE MODE`);
  for (const facts of tables) await loadBeside(sql, facts, directory);
  await checkAgents(sql);
  // Away first, servers last, as assignments lean on them; and back the other way round.
  for (const table of [ASSIGNMENTS, SERVERS] as const) {
    await sql.unsafe(`DELETE FROM ${table} t WHERE NOT EXISTS (
      SELECT FROM ${beside(table)} b WHERE b.id = t.id AND b::text = t::text)`);
  }
  for (const facts of [SERVERS, ASSIGNMENTS].flatMap((table) =>
    tables.filter((one) => one.table === table),
  )) {
    await sql.unsafe(`INSERT INTO ${facts.table} (${columnsOf(facts)}) OVERRIDING SYSTEM VALUE
      SELECT ${columnsOf(facts)} FROM ${beside(facts.table)} b
      WHERE NOT EXISTS (SELECT FROM ${facts.table} t WHERE t.id = b.id)`);
  }
  for (const { table, sequence } of tables) {
    if (sequence === null || table === AGENTS) continue;
    await sql.unsafe("SELECT setval($1::text::regclass, $2::text::bigint, $3)", [
      sequence.name,
      sequence.last,
      sequence.isCalled,
    ]);
  }
}

const beside = (table: Table): string => `hivegate_${table}`;

const columnsOf = ({ columns }: TableFacts): string => columns.map(({ name }) => quoted(name)).join(", ");

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;

/** What was copied, in a table that goes when the transaction ends. */
async function loadBeside(sql: Transaction, facts: TableFacts, directory: string): Promise<void> {
  const { table, columns } = facts;
  const { columns: now } = await factsOf(sql, table);
  if (JSON.stringify(now) !== JSON.stringify(columns))
    throw new Error(`${table}: its columns were changed since the backup was made`);
  await sql.unsafe(`CREATE TEMPORARY TABLE ${beside(table)} (LIKE ${table}) ON COMMIT DROP`);
  const query = `COPY ${beside(table)} (${columnsOf(facts)}) FROM STDIN`;
  await pipeline(createReadStream(join(directory, fileOf(table))), await sql.unsafe(query).writable());
  await sql.unsafe(`CREATE INDEX ON ${beside(table)} (id); ANALYZE ${beside(table)}`);
}

async function checkAgents(sql: Transaction): Promise<void> {
  const gone =
    await sql.unsafe(`SELECT FROM ${beside(ASSIGNMENTS)} a JOIN ${beside(AGENTS)} b ON b.id = a.agent_id
    LEFT JOIN ${AGENTS} g ON g.id = b.id AND g.name = b.name WHERE g.id IS NULL LIMIT 1`);
  if (gone.length > 0)
    throw new Error(
      `${AGENTS}: one that a server was assigned to was taken away or renamed since the backup was made: put it back first`,
    );
}

async function factsOf(sql: Transaction, table: Table): Promise<TableFacts> {
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
