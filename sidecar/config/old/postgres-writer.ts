import { z } from "zod";
import { AGENTS, ASSIGNMENTS, SERVERS, type Table } from "./columns.ts";
import { FIRST_MEMORY } from "./first-memory.ts";
import { type Change, type Columns, isNothing } from "./plan.ts";
import type { Transaction } from "./postgres-open.ts";

/** SQL for columns that every new row needs, and for those that every change needs. */
type Facts = { made: Readonly<Record<string, string>>; changed: Readonly<Record<string, string>> };

const Column = z.object({ name: z.string(), type: z.string(), filled: z.boolean(), required: z.boolean() });
type Column = z.infer<typeof Column>;

/** Changes the older tables within one transaction, in the way in which they have their ids and times. */
export class OldPostgresWriter {
  readonly #sql: Transaction;
  readonly #servers: Facts;
  readonly #assignments: Facts;

  private constructor(sql: Transaction, servers: Facts, assignments: Facts) {
    this.#sql = sql;
    this.#servers = servers;
    this.#assignments = assignments;
  }

  static async of(sql: Transaction): Promise<OldPostgresWriter> {
    return new OldPostgresWriter(sql, await factsOf(sql, SERVERS), await factsOf(sql, ASSIGNMENTS));
  }

  async apply(change: Change): Promise<void> {
    if (isNothing(change)) return;
    switch (change.kind) {
      case "insert":
        await this.#assign(await this.#insert(change.columns), change.agentIds);
        break;
      case "update":
        await this.#update(change.id, change.columns);
        if (change.removed.length > 0)
          await this.#run(`DELETE FROM ${ASSIGNMENTS} WHERE mcp_server_id = $1 AND agent_id = ANY($2)`, [
            change.id,
            change.removed,
          ]);
        await this.#assign(change.id, change.added);
        break;
      case "delete":
        await this.#run(`DELETE FROM ${ASSIGNMENTS} WHERE mcp_server_id = $1`, [change.id]);
        await this.#run(`DELETE FROM ${SERVERS} WHERE id = $1`, [change.id]);
    }
  }

  async #assign(server: string, agents: string[]): Promise<void> {
    if (agents.length === 0) return;
    const { made } = this.#assignments;
    const names = ["mcp_server_id", "agent_id", ...Object.keys(made)];
    const values = ["s.id", "g.id", ...Object.values(made)];
    await this.#run(
      `INSERT INTO ${ASSIGNMENTS} (${names.join(", ")})
       SELECT ${values.join(", ")} FROM ${SERVERS} s, ${AGENTS} g WHERE s.id = $1 AND g.id = ANY($2) ORDER BY g.id`,
      [server, agents],
    );
  }

  /** Gives its id. */
  async #insert(columns: Columns): Promise<string> {
    const { made } = this.#servers;
    const names = [...Object.keys(columns), ...Object.keys(made)];
    const values = [...Object.keys(columns).map((_, at) => `$${at + 1}`), ...Object.values(made)];
    const [row] = await this.#run(
      `INSERT INTO ${SERVERS} (${names.join(", ")}) VALUES (${values.join(", ")}) RETURNING id::text`,
      Object.values(columns),
    );
    return z.object({ id: z.string() }).parse(row).id;
  }

  async #update(id: string, columns: Columns): Promise<void> {
    const names = Object.keys(columns);
    if (names.length === 0) return;
    const sets = names.map((name, at) => `${name} = $${at + 2}`);
    const times = Object.entries(this.#servers.changed).map(([name, value]) => `${name} = ${value}`);
    await this.#run(`UPDATE ${SERVERS} SET ${[...sets, ...times].join(", ")} WHERE id = $1`, [
      id,
      ...Object.values(columns),
    ]);
  }

  async #run(query: string, values: (string | number | boolean | null | string[])[]): Promise<unknown[]> {
    return [...(await this.#sql.unsafe(query, values, { prepare: true }))];
  }
}

async function factsOf(sql: Transaction, table: Table): Promise<Facts> {
  const found = await sql.unsafe(
    `SELECT attname::text AS name, format_type(atttypid, NULL) AS type, atthasdef OR attidentity <> '' AS filled, attnotnull AS required
     FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped`,
    [table],
  );
  const columns = z.array(Column).parse([...found]);
  const times = columns.filter(({ name }) => name === "created_at" || name === "updated_at");
  const now = Object.fromEntries(
    await Promise.all(
      times.map(async ({ name, type }) => [name, await nowAs(sql, table, name, type)] as const),
    ),
  );
  return {
    made: { ...idOf(columns), ...memoryOf(columns), ...now },
    changed: Object.fromEntries(Object.entries(now).filter(([name]) => name === "updated_at")),
  };
}

/** Ids are a sequence's numbers, or UUIDs where the column gives none by itself. */
function idOf(columns: readonly Column[]): Record<string, string> {
  const id = columns.find(({ name }) => name === "id");
  if (!id || id.filled) return {};
  return { id: id.type === "uuid" ? "gen_random_uuid()" : "gen_random_uuid()::text" };
}

function memoryOf(columns: readonly Column[]): Record<string, string> {
  const unfilled = columns.filter(({ filled, required }) => required && !filled).map(({ name }) => name);
  return Object.fromEntries(
    [...FIRST_MEMORY]
      .filter(([name]) => unfilled.includes(name))
      .map(([name, value]) => [name, `'${value}'`]),
  );
}

/** A time as this column has it: of one of PostgreSQL's types, as text, or as milliseconds or seconds. */
async function nowAs(sql: Transaction, table: Table, column: string, type: string): Promise<string> {
  if (!/^(bigint|integer|numeric|double precision)$/.test(type)) return "now()";
  const [sample] = await sql.unsafe(`SELECT ${column} > 100000000000 AS ms FROM ${table} LIMIT 1`);
  const seconds = "extract(epoch FROM now())";
  return sample?.ms === false || type === "integer" ? `floor(${seconds})` : `floor(${seconds} * 1000)`;
}
