/** The older system's database in SQLite. */
import { realpathSync } from "node:fs";
import type { DatabaseSync, SQLOutputValue } from "node:sqlite";
import { HivegateError } from "../../../shared/errors.ts";
import { isRefused, transaction } from "../../sqlite/transaction.ts";
import type { Fingerprint } from "../backend.ts";
import type { ConfigEdit, ConfigEntry } from "../entry.ts";
import { fingerprintOf } from "../fingerprint.ts";
import { AGENTS, ASSIGNMENTS, COLUMNS, SERVERS, type Shape, type Table } from "./columns.ts";
import type { OldDatabase, OldDump, OldProblem, OldRow } from "./database.ts";
import { canHold, planOf } from "./plan.ts";
import { firstProblems, rowProblems, shapeProblems } from "./problems.ts";
import { entriesOf, presentOf } from "./read.ts";
import { refusal } from "./refusal.ts";
import { backUpFile, restoreFile } from "./sqlite-backup.ts";
import { causeOf, openOldFile } from "./sqlite-open.ts";
import { OldSqliteWriter } from "./sqlite-writer.ts";
import { whenFree } from "./when-free.ts";

const list = (table: Table): string => COLUMNS[table].map((column) => `"${column}"`).join(", ");
const SELECT_SERVERS = `SELECT ${COLUMNS[SERVERS].map((column) => `s."${column}"`).join(", ")} FROM ${SERVERS} s`;
const selectAssigned = (
  where: string,
) => `SELECT a.mcp_server_id AS server, json_group_array(CAST(a.agent_id AS TEXT)) AS agents,
  json_group_array(g.name) AS names FROM ${ASSIGNMENTS} a JOIN ${AGENTS} g ON g.id = a.agent_id
  JOIN ${SERVERS} s ON s.id = a.mcp_server_id ${where} GROUP BY a.mcp_server_id`;
const ITS = `s.id IN (SELECT x.mcp_server_id FROM ${ASSIGNMENTS} x JOIN ${AGENTS} y ON y.id = x.agent_id WHERE y.name = ?)`;
const NAMED = "s.name IN (SELECT value FROM json_each(?))";

export class OldSqlite implements OldDatabase {
  readonly kind = "old";
  readonly type = "sqlite";
  readonly place: string;
  readonly identity: string;
  readonly #readOnly: boolean;
  #db: DatabaseSync;

  /** @throws Error with one line for a terminal */
  constructor(path: string, { readOnly }: { readOnly: boolean }) {
    this.place = path;
    this.#readOnly = readOnly;
    this.#db = openOldFile(path, { readOnly });
    this.identity = `sqlite:${realpathSync(path)}`;
  }

  canHold(entry: ConfigEntry): string | null {
    return canHold(entry);
  }

  list(): Promise<ConfigEntry[]> {
    return this.#entries("");
  }

  async get(name: string): Promise<ConfigEntry | null> {
    return (await this.#entries("WHERE s.name = ?", name))[0] ?? null;
  }

  ofAgent(agent: string): Promise<ConfigEntry[]> {
    return this.#entries(`WHERE ${ITS}`, agent);
  }

  async fingerprint(): Promise<Fingerprint> {
    return fingerprintOf(await this.list());
  }

  write(edits: readonly ConfigEdit[], last = () => {}): Promise<void> {
    return this.#whenFree(() =>
      transaction(this.#db, () => {
        this.#writeNow(edits);
        last();
      }),
    );
  }

  dump(): Promise<OldDump> {
    return this.#read(() => this.#dump());
  }

  problems(): Promise<OldProblem[]> {
    return this.#read(() => {
      const wrong = shapeProblems(this.#shape());
      return firstProblems(wrong.length > 0 ? wrong : rowProblems(this.#dump()));
    });
  }

  backUp(directory: string): Promise<string[]> {
    return this.#named(() => backUpFile(this.place, directory));
  }

  async restore(directory: string): Promise<void> {
    if (this.#readOnly) throw new Error(`${this.place}: it can only be read`);
    this.#db.close();
    try {
      await this.#named(() => restoreFile(this.place, directory));
    } finally {
      this.#db = openOldFile(this.place, { readOnly: this.#readOnly });
    }
  }

  async close(): Promise<void> {
    if (this.#db.isOpen) this.#db.close();
  }

  #shape(): Shape {
    const columns = (table: Table) => {
      const names = this.#rows(`SELECT name FROM pragma_table_info('${table}')`).map(({ name }) =>
        String(name),
      );
      return names.length > 0 ? names : null;
    };
    return {
      [SERVERS]: columns(SERVERS),
      [ASSIGNMENTS]: columns(ASSIGNMENTS),
      [AGENTS]: columns(AGENTS),
    };
  }

  #dump(): OldDump {
    const all = (table: Table) => this.#rows(`SELECT ${list(table)} FROM ${table} ORDER BY id`);
    return { servers: all(SERVERS), assignments: all(ASSIGNMENTS), agents: all(AGENTS) };
  }

  #writeNow(edits: readonly ConfigEdit[]): void {
    const names = JSON.stringify(edits.map(({ name }) => name));
    const present = presentOf(
      this.#rows(`${SELECT_SERVERS} WHERE ${NAMED}`, names),
      this.#rows(selectAssigned(`WHERE ${NAMED}`), names),
    );
    const wanted = JSON.stringify(edits.flatMap(({ entry }) => entry?.agent_names ?? []));
    const agents = this.#rows(
      `SELECT name, id FROM ${AGENTS} WHERE name IN (SELECT value FROM json_each(?))`,
      wanted,
    );
    const ids = new Map(agents.map(({ name, id }) => [String(name), String(id)]));
    const writer = new OldSqliteWriter(this.#db, Date.now());
    for (const change of planOf(edits, present, ids)) writer.apply(change);
  }

  #entries(where: string, ...parameters: string[]): Promise<ConfigEntry[]> {
    return this.#read(() =>
      entriesOf(
        this.#rows(`${SELECT_SERVERS} ${where}`, ...parameters),
        this.#rows(selectAssigned(where), ...parameters),
      ),
    );
  }

  #rows(sql: string, ...parameters: string[]): OldRow[] {
    const statement = this.#db.prepare(sql);
    // Ids may be larger than a number of JavaScript's can be.
    statement.setReadBigInts(true);
    return statement.all(...parameters).map((row) => (isPlain(row) ? row : inTexts(row)));
  }

  /** As of one moment. */
  #read<T>(read: () => T): Promise<T> {
    return this.#whenFree(() => {
      this.#db.exec("BEGIN");
      try {
        return read();
      } finally {
        if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      }
    });
  }

  #whenFree<T>(work: () => T): Promise<T> {
    return this.#named(() => whenFree(work));
  }

  async #named<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (thrown) {
      if (thrown instanceof HivegateError) throw thrown;
      if (isRefused(thrown)) throw refusal(thrown);
      const cause = causeOf(thrown);
      throw cause === null ? thrown : new Error(`${this.place}: ${cause}`, { cause: thrown });
    }
  }
}

type Row = Record<string, SQLOutputValue>;

const isPlain = (row: Row): row is Record<string, Exclude<SQLOutputValue, Uint8Array>> =>
  !Object.values(row).some(isBytes);

const isBytes = (value: SQLOutputValue) => value instanceof Uint8Array;

/** Bytes are no text, and no column of ours has any: shown as SQL would, they are refused as what they are. */
const inTexts = (row: Row): OldRow =>
  Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      value instanceof Uint8Array ? `x'${Buffer.from(value).toString("hex")}'` : value,
    ]),
  );
