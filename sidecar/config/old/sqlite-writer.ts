import { randomUUID } from "node:crypto";
import type { DatabaseSync, SQLOutputValue, StatementSync } from "node:sqlite";
import { ASSIGNMENTS, SERVERS, type Table } from "./columns.ts";
import { type Change, type Columns, isNothing } from "./plan.ts";

type Cell = string | number | null;
type Facts = { isNumbered: boolean; made: Columns; changed: Columns };

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
    const { isNumbered, made } = this.#facts[table];
    const all = { ...columns, ...made, ...(!isNumbered && { id: randomUUID() }) };
    const names = Object.keys(all);
    const places = names.map(() => "?").join(", ");
    const sql = `INSERT INTO ${table} (${names.join(", ")}) VALUES (${places}) RETURNING id`;
    return String(this.#statement(sql).get(...Object.values(all).map(asCell))?.id);
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
    this.#statements.set(sql, statement);
    return statement;
  }
}

/** Ids are SQLite's own numbers, or UUIDs where the column is of another type. */
function factsOf(db: DatabaseSync, table: Table, nowMs: number): Facts {
  const columns = db.prepare(`SELECT name, upper(type) AS type FROM pragma_table_info('${table}')`).all();
  const times = ["created_at", "updated_at"].filter((time) => columns.some(({ name }) => name === time));
  const sample = times[0] && db.prepare(`SELECT ${times[0]} AS time FROM ${table} LIMIT 1`).get();
  const now = likeThis(sample ? sample.time : null, nowMs);
  return {
    isNumbered: columns.some(({ name, type }) => name === "id" && type === "INTEGER"),
    made: Object.fromEntries(times.map((time) => [time, now])),
    changed: Object.fromEntries(times.filter((time) => time === "updated_at").map((time) => [time, now])),
  };
}

/** Milliseconds, seconds, or text: as SQLite writes times by itself, where there is none to be like. */
function likeThis(sample: SQLOutputValue | undefined, nowMs: number): string | number {
  if (typeof sample === "number") return sample > 1e11 ? nowMs : Math.floor(nowMs / 1000);
  const text = new Date(nowMs).toISOString();
  return typeof sample === "string" && sample.includes("T") ? text : text.slice(0, 19).replace("T", " ");
}

const asCell = (value: Columns[string]): Cell => (typeof value === "boolean" ? Number(value) : value);
