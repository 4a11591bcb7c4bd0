import { randomUUID } from "node:crypto";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { ASSIGNMENTS, SERVERS, type Table } from "./columns.ts";
import { FIRST_MEMORY } from "./first-memory.ts";
import { type Change, type Columns, isNothing } from "./plan.ts";

type Cell = string | number | null;
/** `id`: the SQL for a new one; null: SQLite makes it. */
type Facts = { id: "?" | `(${string})` | null; made: Columns; changed: Columns };

/** Changes the older tables within one transaction, in the way in which they have their ids and times. */
export class OldSqliteWriter {
  readonly #db: DatabaseSync;
  readonly #facts: Readonly<Record<typeof SERVERS | typeof ASSIGNMENTS, Facts>>;
  readonly #statements = new Map<string, StatementSync>();

  constructor(db: DatabaseSync, nowMs: number) {
    this.#db = db;
    this.#facts = {
      [SERVERS]: factsOf(db, SERVERS, nowMs),
      [ASSIGNMENTS]: factsOf(db, ASSIGNMENTS, nowMs),
    };
  }

  apply(change: Change): void {
    if (isNothing(change)) return;
    switch (change.kind) {
      case "insert":
        this.#assign(this.#insert(SERVERS, change.columns), change.agentIds);
        break;
      case "update":
        this.#update(change.id, change.columns);
        for (const agent of change.removed)
          this.#run(`DELETE FROM ${ASSIGNMENTS} WHERE mcp_server_id = ? AND agent_id = ?`, change.id, agent);
        this.#assign(change.id, change.added);
        break;
      case "delete":
        this.#run(`DELETE FROM ${ASSIGNMENTS} WHERE mcp_server_id = ?`, change.id);
        this.#run(`DELETE FROM ${SERVERS} WHERE id = ?`, change.id);
    }
  }

  #assign(server: string, agents: readonly string[]): void {
    for (const agent of agents) this.#insert(ASSIGNMENTS, { agent_id: agent, mcp_server_id: server });
  }

  /** Gives its id. */
  #insert(table: typeof SERVERS | typeof ASSIGNMENTS, columns: Columns): string {
    const { id, made } = this.#facts[table];
    const all = { ...columns, ...made };
    const names = Object.keys(all).concat(id === null ? [] : "id");
    const places = Object.keys(all)
      .map((): string => "?")
      .concat(id ?? []);
    const sql = `INSERT INTO ${table} (${names.join(", ")}) VALUES (${places.join(", ")}) RETURNING id`;
    const cells = Object.values(all)
      .map(asCell)
      .concat(id === "?" ? randomUUID() : []);
    return String(this.#statement(sql).get(...cells)?.id);
  }

  #update(id: string, columns: Columns): void {
    if (Object.keys(columns).length === 0) return;
    const all = { ...columns, ...this.#facts[SERVERS].changed };
    const sets = Object.keys(all).map((name) => `${name} = ?`);
    this.#run(`UPDATE ${SERVERS} SET ${sets.join(", ")} WHERE id = ?`, ...Object.values(all).map(asCell), id);
  }

  #run(sql: string, ...values: Cell[]): void {
    this.#statement(sql).run(...values);
  }

  #statement(sql: string): StatementSync {
    const statement = this.#statements.get(sql) ?? this.#db.prepare(sql);
    statement.setReadBigInts(true);
    this.#statements.set(sql, statement);
    return statement;
  }
}

function factsOf(db: DatabaseSync, table: Table, nowMs: number): Facts {
  const columns = db
    .prepare(
      `SELECT name, upper(type) AS type, "notnull" = 1 AND dflt_value IS NULL AS unfilled FROM pragma_table_info('${table}')`,
    )
    .all();
  const unfilled = new Set(columns.flatMap(({ name, unfilled }) => (unfilled === 1 ? [String(name)] : [])));
  const times = ["created_at", "updated_at"].filter((time) => columns.some(({ name }) => name === time));
  const sample = times[0] && db.prepare(`SELECT ${times[0]} AS time FROM ${table} LIMIT 1`).get();
  const now = likeThis(sample ? sample.time : null, nowMs);
  return {
    id: idOf(table, String(columns.find(({ name }) => name === "id")?.type)),
    made: Object.fromEntries([
      ...times.map((time) => [time, now]),
      ...[...FIRST_MEMORY].filter(([name]) => unfilled.has(name)),
    ]),
    changed: Object.fromEntries(times.filter((time) => time === "updated_at").map((time) => [time, now])),
  };
}

/** Numbers, of which SQLite makes only those of one type, or UUIDs. */
function idOf(table: Table, type: string): Facts["id"] {
  if (type === "INTEGER") return null;
  return type.includes("INT") ? `(SELECT coalesce(max(id), 0) + 1 FROM ${table})` : "?";
}

/** Milliseconds, seconds, or text: as SQLite writes times by itself, where there is none to be like. */
function likeThis(sample: SQLOutputValue | undefined, nowMs: number): string | number {
  if (typeof sample === "number") return sample > 1e11 ? nowMs : Math.floor(nowMs / 1000);
  const text = new Date(nowMs).toISOString();
  return typeof sample === "string" && sample.includes("T") ? text : text.slice(0, 19).replace("T", " ");
}

const asCell = (value: Columns[string]): Cell => (typeof value === "boolean" ? Number(value) : value);
