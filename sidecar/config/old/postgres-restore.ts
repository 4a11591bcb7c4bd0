/** Puts back the older tables of PostgreSQL from the files of a backup. */
import { createReadStream } from "node:fs";
import { join } from "node:path";
import { pipeline } from "node:stream/promises";
import { z } from "zod";
import { AGENTS, ASSIGNMENTS, SERVERS, type Table } from "./columns.ts";
import { columnsOf, factsOf, fileOf, quoted, readTableFacts, type TableFacts } from "./postgres-backup.ts";
import type { Transaction } from "./postgres-open.ts";
import { RestoreRefused } from "./restore-refused.ts";

const beside = (table: Table): string => `hivegate_${table}`;

const RESTORED = [SERVERS, ASSIGNMENTS] as const;

/** Which rows `t` were not there. An assignment of something else is another one, whatever its id. */
const GOES = {
  [SERVERS]: `NOT EXISTS (SELECT FROM ${beside(SERVERS)} b WHERE b.id = t.id)`,
  [ASSIGNMENTS]: `NOT EXISTS (SELECT FROM ${beside(ASSIGNMENTS)} b
    WHERE b.id = t.id AND b.agent_id = t.agent_id AND b.mcp_server_id = t.mcp_server_id)`,
};

/**
 * Makes the rows of servers and assignments what they were, where they are not. One that was there stays, so that what other tables
 * say of it stays too. Agents belong to the older system, which goes on with them, and nobody here writes to them: they are only
 * looked at.
 * @throws RestoreRefused
 */
export async function restoreTables(sql: Transaction, directory: string): Promise<void> {
  const tables = await readTableFacts(directory);
  await sql.unsafe(`LOCK TABLE ${RESTORED.join(", ")} IN SHARE ROW EXCLUSIVE MODE`);
  for (const facts of tables) await loadBeside(sql, facts, directory);
  await checkAgents(sql);
  for (const table of RESTORED) await checkReferences(sql, table);
  const wake = await silenceTriggers(sql);
  // Away first, servers last, as assignments lean on them; and back the other way round.
  for (const table of [ASSIGNMENTS, SERVERS] as const)
    await sql.unsafe(`DELETE FROM ${table} t WHERE ${GOES[table]}`);
  // Names are given to one at a time, and two may have changed theirs for each other's.
  await sql.unsafe(`UPDATE ${SERVERS} t SET name = 'restoring-' || md5(random()::text || t.id)
    FROM ${beside(SERVERS)} b WHERE b.id = t.id AND b.name <> t.name`);
  for (const table of RESTORED)
    for (const facts of tables) if (facts.table === table) await putBack(sql, facts);
  // Nothing may wait to be checked when triggers are touched.
  await sql.unsafe("SET CONSTRAINTS ALL IMMEDIATE");
  await wake();
}

async function putBack(sql: Transaction, facts: TableFacts): Promise<void> {
  const { table, columns, sequence } = facts;
  const sets = columns.filter(({ name }) => name !== "id").map(({ name }) => quoted(name));
  await sql.unsafe(`UPDATE ${table} t SET ${sets.map((name) => `${name} = b.${name}`).join(", ")}
    FROM ${beside(table)} b WHERE b.id = t.id AND b::text <> t::text`);
  await sql.unsafe(`INSERT INTO ${table} (${columnsOf(facts)}) OVERRIDING SYSTEM VALUE
    SELECT ${columnsOf(facts)} FROM ${beside(table)} b
    WHERE NOT EXISTS (SELECT FROM ${table} t WHERE t.id = b.id)`);
  if (sequence !== null)
    await sql.unsafe("SELECT setval($1::text::regclass, $2::text::bigint, $3)", [
      sequence.name,
      sequence.last,
      sequence.isCalled,
    ]);
}

/** What was copied, in a table that goes when the transaction ends. */
async function loadBeside(sql: Transaction, facts: TableFacts, directory: string): Promise<void> {
  const { table, columns } = facts;
  const { columns: now } = await factsOf(sql, table);
  if (JSON.stringify(now) !== JSON.stringify(columns))
    throw new RestoreRefused(`${table}: its columns were changed since the backup was made`);
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
    throw new RestoreRefused(
      `${AGENTS}: one that a server was assigned to was taken away or renamed since the backup was made: put it back first`,
    );
}

const References = z.array(z.object({ referring: z.string(), condition: z.string() }));

/** Of other tables there is no backup: what they say of a row that goes would go with it, or keep it from going. */
async function checkReferences(sql: Transaction, table: keyof typeof GOES): Promise<void> {
  // From here on nobody can refer to them any more.
  await sql.unsafe(`SELECT FROM ${table} t WHERE ${GOES[table]} FOR UPDATE`);
  const references = await sql.unsafe(
    `SELECT conrelid::regclass::text AS referring, (
       SELECT string_agg(format('r.%I = t.%I', a.attname, b.attname), ' AND ') FROM unnest(conkey, confkey) AS k (a, b)
       JOIN pg_attribute a ON a.attrelid = conrelid AND a.attnum = k.a
       JOIN pg_attribute b ON b.attrelid = confrelid AND b.attnum = k.b) AS condition
     FROM pg_constraint
     WHERE contype = 'f' AND confrelid = to_regclass($1) AND conrelid IS DISTINCT FROM to_regclass($2)`,
    [table, ASSIGNMENTS],
  );
  for (const { referring, condition } of References.parse([...references])) {
    const found = await sql.unsafe(
      `SELECT FROM ${referring} r JOIN ${table} t ON ${condition} WHERE ${GOES[table]} LIMIT 1`,
    );
    if (found.length > 0)
      throw new RestoreRefused(
        `${referring} refers to rows of ${table} that came after the backup: take those away there first`,
      );
  }
}

const Triggers = z.array(z.object({ name: z.string(), state: z.enum(["O", "R", "A"]) }));
const ENABLE = { O: "ENABLE", R: "ENABLE REPLICA", A: "ENABLE ALWAYS" };

/** A trigger that notes when a row was changed would note it now. The answer makes them what they were. */
async function silenceTriggers(sql: Transaction): Promise<() => Promise<void>> {
  const wake: string[] = [];
  for (const table of RESTORED) {
    const triggers = await sql.unsafe(
      `SELECT tgname::text AS name, tgenabled::text AS state FROM pg_trigger
       WHERE tgrelid = to_regclass($1) AND NOT tgisinternal AND tgenabled <> 'D'`,
      [table],
    );
    for (const { name, state } of Triggers.parse([...triggers])) {
      await sql.unsafe(`ALTER TABLE ${table} DISABLE TRIGGER ${quoted(name)}`);
      wake.push(`ALTER TABLE ${table} ${ENABLE[state]} TRIGGER ${quoted(name)}`);
    }
  }
  return async () => {
    for (const statement of wake) await sql.unsafe(statement);
  };
}
