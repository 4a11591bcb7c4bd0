/** The older system's database in PostgreSQL. */
import { z } from "zod";
import type { Fingerprint } from "../backend.ts";
import type { ConfigEdit, ConfigEntry } from "../entry.ts";
import { fingerprintOf } from "../fingerprint.ts";
import { AGENTS, ASSIGNMENTS, COLUMNS, SERVERS, type Shape, type Table } from "./columns.ts";
import type { OldDatabase, OldDump, OldProblem, OldRow } from "./database.ts";
import { canHold, planOf } from "./plan.ts";
import { backUpTables } from "./postgres-backup.ts";
import { identityOf } from "./postgres-identity.ts";
import { connect, named, placeIn, type Sql, type Transaction } from "./postgres-open.ts";
import { restoreTables } from "./postgres-restore.ts";
import { OldPostgresWriter } from "./postgres-writer.ts";
import { firstProblems, rowProblems, shapeProblems } from "./problems.ts";
import { entriesOf, presentOf } from "./read.ts";

/** Everything as text: JSON is json or jsonb, ids are numbers or UUIDs, and none of that matters here. */
const asTexts = (table: Table, prefix = ""): string =>
  COLUMNS[table].map((column) => `${prefix}"${column}"::text`).join(", ");
const SELECT_SERVERS = `SELECT ${asTexts(SERVERS, "s.")} FROM ${SERVERS} s`;
const selectAssigned = (where: string) => `SELECT a.mcp_server_id::text AS server,
  json_agg(a.agent_id::text)::text AS agents, json_agg(g.name)::text AS names
  FROM ${ASSIGNMENTS} a JOIN ${AGENTS} g ON g.id = a.agent_id JOIN ${SERVERS} s ON s.id = a.mcp_server_id
  ${where} GROUP BY a.mcp_server_id`;
const ITS = `s.id IN (SELECT x.mcp_server_id FROM ${ASSIGNMENTS} x JOIN ${AGENTS} y ON y.id = x.agent_id WHERE y.name = $1)`;

const Rows = z.array(z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])));

export class OldPostgres implements OldDatabase {
  readonly kind = "old";
  readonly type = "postgres";
  readonly place: string;
  readonly identity: string;
  readonly #sql: Sql;

  private constructor(sql: Sql, place: string, identity: string) {
    this.#sql = sql;
    this.place = place;
    this.identity = identity;
  }

  /** @throws Error with one line for a terminal */
  static async open(address: string, options: { readOnly: boolean }): Promise<OldPostgres> {
    const place = placeIn(address);
    return await named(place, async () => {
      const sql = connect(address, options);
      try {
        return new OldPostgres(sql, place, await identityOf(sql, place));
      } catch (thrown) {
        await sql.end({ timeout: 0 });
        throw thrown;
      }
    });
  }

  canHold(entry: ConfigEntry): string | null {
    return canHold(entry);
  }

  list(): Promise<ConfigEntry[]> {
    return this.#entries("");
  }

  async get(name: string): Promise<ConfigEntry | null> {
    return (await this.#entries("WHERE s.name = $1", name))[0] ?? null;
  }

  ofAgent(agent: string): Promise<ConfigEntry[]> {
    return this.#entries(`WHERE ${ITS}`, agent);
  }

  async fingerprint(): Promise<Fingerprint> {
    return fingerprintOf(await this.list());
  }

  write(edits: readonly ConfigEdit[], last = () => {}): Promise<void> {
    return named(this.place, async () => {
      await this.#sql.begin(async (sql) => {
        const present = await presentIn(
          sql,
          edits.map(({ name }) => name),
        );
        const agents = await rows(
          sql,
          `SELECT name, min(id::text) AS id FROM ${AGENTS} WHERE name = ANY($1::text[]) GROUP BY name`,
          [edits.flatMap(({ entry }) => entry?.agent_names ?? [])],
        );
        const ids = new Map(agents.map(({ name, id }) => [String(name), String(id)]));
        const changes = planOf(edits, present, ids);
        const writer = await OldPostgresWriter.of(sql);
        // Many at once are on their way over the one connection: one after the other, each would wait for the one before.
        for (let from = 0; from < changes.length; from += AT_ONCE)
          await Promise.all(changes.slice(from, from + AT_ONCE).map((change) => writer.apply(change)));
        // What its rules would refuse at the end is to be refused before that.
        await sql`SET CONSTRAINTS ALL IMMEDIATE`;
        last();
      });
    });
  }

  dump(): Promise<OldDump> {
    return this.#moment((sql) => dumpOf(sql));
  }

  problems(): Promise<OldProblem[]> {
    return this.#moment(async (sql) => {
      const wrong = shapeProblems(await shapeOf(sql));
      return firstProblems(wrong.length > 0 ? wrong : rowProblems(await dumpOf(sql)));
    });
  }

  backUp(directory: string): Promise<string[]> {
    return this.#moment((sql) => backUpTables(sql, directory));
  }

  restore(directory: string): Promise<void> {
    return named(this.place, async () => {
      await this.#sql.begin((sql) => restoreTables(sql, directory));
    });
  }

  async close(): Promise<void> {
    await this.#sql.end({ timeout: CLOSE_WITHIN_S });
  }

  #entries(where: string, ...parameters: string[]): Promise<ConfigEntry[]> {
    return this.#moment(async (sql) => {
      // One after the other: they go over one connection anyway.
      const servers = await rows(sql, `${SELECT_SERVERS} ${where}`, parameters);
      return entriesOf(servers, await rows(sql, selectAssigned(where), parameters));
    });
  }

  /** All that is read is as of one moment. */
  #moment<T>(read: (sql: Transaction) => Promise<T>): Promise<T> {
    return named(this.place, async () => {
      // The driver's type of what comes back would turn arrays inside out.
      const { value } = await this.#sql.begin("isolation level repeatable read read only", async (sql) => ({
        value: await read(sql),
      }));
      return value;
    });
  }
}

const CLOSE_WITHIN_S = 5;
const AT_ONCE = 50;

async function rows(
  sql: Transaction,
  query: string,
  parameters: (string | string[])[] = [],
): Promise<OldRow[]> {
  return Rows.parse([...(await sql.unsafe(query, parameters, { prepare: true }))]);
}

/** Those of these names; nobody else changes them before this transaction ends. */
async function presentIn(sql: Transaction, names: string[]) {
  const where = "WHERE s.name = ANY($1::text[])";
  const servers = await rows(sql, `${SELECT_SERVERS} ${where} ORDER BY s.id FOR UPDATE`, [names]);
  return presentOf(servers, await rows(sql, selectAssigned(where), [names]));
}

async function dumpOf(sql: Transaction): Promise<OldDump> {
  const all = (table: Table) => rows(sql, `SELECT ${asTexts(table)} FROM ${table} ORDER BY ${table}.id`);
  return { servers: await all(SERVERS), assignments: await all(ASSIGNMENTS), agents: await all(AGENTS) };
}

async function shapeOf(sql: Transaction): Promise<Shape> {
  const columns = async (table: Table) => {
    const found = await rows(
      sql,
      "SELECT attname::text AS name FROM pg_attribute WHERE attrelid = to_regclass($1) AND attnum > 0 AND NOT attisdropped",
      [table],
    );
    return found.length > 0 ? found.map(({ name }) => String(name)) : null;
  };
  return {
    [SERVERS]: await columns(SERVERS),
    [ASSIGNMENTS]: await columns(ASSIGNMENTS),
    [AGENTS]: await columns(AGENTS),
  };
}
