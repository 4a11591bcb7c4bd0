/** A hive's audit log: entries in its database that nobody can alter unnoticed. See `shared/audit/chain.ts`. */
import { z } from "zod";
import {
  type AuditEntry,
  type AuditHead,
  entryHash,
  headOf,
  isSealedBy,
  NOTHING_BEFORE,
  type Seal,
  type Sha256Hex,
} from "../../shared/audit/chain.ts";
import { canonicalJson } from "../../shared/wire/canonical-json.ts";
import type { Sql } from "./sql.ts";

export type AuditLogPorts = {
  hive: string;
  sql: Sql;
  sha256: Sha256Hex;
  seal: Seal;
  /** What it may hold; then the oldest entries go. */
  mostBytes: number;
  now(): number;
};

/** `base`: the last entry that was dropped. */
const State = z.object({
  seq: z.number(),
  hash: z.string(),
  kid: z.string(),
  mac: z.string(),
  baseSeq: z.number(),
  baseHash: z.string(),
  bytes: z.number(),
});
type State = z.infer<typeof State>;

const Row = z.object({ seq: z.number(), entry: z.string(), hash: z.string() });
type Row = z.infer<typeof Row>;

/** What a row takes beside its entry: hash, number, and the database's own. */
const ROW_BYTES = 100;
/** How much of it stays when it is full: more goes at a time than has to, so that it is not at every entry. */
const KEPT_SHARE = 63 / 64;
/** Rows in memory at once on that occasion. */
const DROPPED_ROWS = 500;

const OLDEST = "SELECT * FROM audit WHERE seq > ? AND seq < ? ORDER BY seq LIMIT ?";
const SCHEMA = [
  "CREATE TABLE IF NOT EXISTS audit (seq INTEGER PRIMARY KEY, entry TEXT NOT NULL, hash TEXT NOT NULL)",
  `CREATE TABLE IF NOT EXISTS audit_state (id INTEGER PRIMARY KEY CHECK (id = 1), seq INTEGER NOT NULL,
    hash TEXT NOT NULL, kid TEXT NOT NULL, mac TEXT NOT NULL, baseSeq INTEGER NOT NULL, baseHash TEXT NOT NULL,
    bytes INTEGER NOT NULL)`,
];

/** Remembers nothing: while one gateway replaces another, both append. */
export class AuditLog {
  readonly #ports: AuditLogPorts;

  constructor(ports: AuditLogPorts) {
    this.#ports = ports;
    for (const statement of SCHEMA) ports.sql.exec(statement);
    this.append([]);
  }

  get head(): AuditHead {
    return this.#headOf(this.#stored());
  }

  /** How much it holds, as it is counted against its limit. */
  get bytes(): number {
    return this.#stored().bytes;
  }

  /**
   * All of them or, when it throws, none; `also` is stored with them. Where the log's end is not as it was left, an entry
   * before them says so. Gives the number that it was at, and the one that it is at now.
   */
  append(entries: readonly AuditEntry[], also: () => void = () => {}): { from: number; to: number } {
    return this.#ports.sql.transaction(() => {
      const state = this.#stored();
      const from = state.seq;
      this.#lookForDoubt(state);
      for (const entry of entries) this.#insert(state, entry);
      if (state.bytes > this.#ports.mostBytes) this.#dropOldest(state);
      this.#save(this.#sealed(state));
      also();
      return { from, to: state.seq };
    });
  }

  /** The entries after number `after`, at most `limit`; `entry` is JSON, unless somebody has altered it. */
  rows(after: number, limit: number): Row[] {
    const rows = this.#ports.sql.exec("SELECT * FROM audit WHERE seq > ? ORDER BY seq LIMIT ?", after, limit);
    return rows.map((row) => Row.parse(row));
  }

  /** The same as lines of an export. */
  lines(after: number, limit: number): string[] {
    let prev = this.#hashBefore(after);
    return this.rows(after, limit).map(({ seq, entry, hash }) => {
      const line = `{"seq":${seq},"prev":${JSON.stringify(prev)},"hash":${JSON.stringify(hash)},"entry":${entry}}`;
      prev = hash;
      return line;
    });
  }

  #insert(state: State, entry: AuditEntry): void {
    const text = canonicalJson(entry);
    state.seq++;
    state.hash = entryHash(this.#ports.sha256, state.seq, state.hash, text);
    state.bytes += text.length + ROW_BYTES;
    this.#ports.sql.exec("INSERT INTO audit VALUES (?, ?, ?)", state.seq, text, state.hash);
  }

  /** What is left follows on what a checkpoint tells of, which is itself an entry like any other. */
  #dropOldest(state: State): void {
    const { sql, mostBytes, now } = this.#ports;
    while (state.bytes > mostBytes * KEPT_SHARE) {
      const rows = sql.exec(OLDEST, state.baseSeq, state.seq, DROPPED_ROWS);
      for (const row of rows) {
        const { seq, entry, hash } = Row.parse(row);
        Object.assign(state, { baseSeq: seq, baseHash: hash, bytes: state.bytes - entry.length - ROW_BYTES });
        if (state.bytes <= mostBytes * KEPT_SHARE) break;
      }
      if (rows.length < DROPPED_ROWS) break;
    }
    sql.exec("DELETE FROM audit WHERE seq <= ?", state.baseSeq);
    this.#insert(state, {
      ...{ kind: "checkpoint", atMs: now() },
      ...{ through: state.baseSeq, hash: state.baseHash },
    });
  }

  #sealed(state: State): State {
    const { kid, mac } = headOf(this.#ports.seal, {
      hive: this.#ports.hive,
      seq: state.seq,
      hash: state.hash,
    });
    return { ...state, kid, mac };
  }

  #save({ seq, hash, kid, mac, baseSeq, baseHash, bytes }: State): void {
    const values = [seq, hash, kid, mac, baseSeq, baseHash, bytes];
    this.#ports.sql.exec("INSERT OR REPLACE INTO audit_state VALUES (1, ?, ?, ?, ?, ?, ?, ?)", ...values);
  }

  #stored(): State {
    const saved = State.safeParse(this.#ports.sql.exec("SELECT * FROM audit_state")[0]);
    return saved.success ? saved.data : this.#sealed(EMPTY);
  }

  /** It goes on behind what is there, whoever put it there: the entry about it tells where it was left. */
  #lookForDoubt(state: State): void {
    const [row] = this.#ports.sql.exec("SELECT * FROM audit ORDER BY seq DESC LIMIT 1");
    const last = row ? Row.parse(row) : null;
    const reason = this.#doubt(state, last);
    if (reason === null) return;
    const expected = { seq: state.seq, hash: state.hash };
    Object.assign(state, { seq: last?.seq ?? state.seq, hash: last?.hash ?? state.hash });
    this.#insert(state, { kind: "doubt", atMs: this.#ports.now(), reason, expected });
  }

  /** Why the log's end may not be as it was left; null: it is. */
  #doubt(state: State, last: Row | null): string | null {
    const { seq, hash, kid } = state;
    if (seq === 0 && last === null) return null;
    if (seq !== last?.seq || hash !== last.hash) return "the log does not end where it was left";
    if (kid !== this.#ports.seal.kid) return `its end is sealed with another key: ${kid}`;
    return isSealedBy(this.#ports.seal, this.#headOf(state)) ? null : "the seal of its end is wrong";
  }

  #headOf({ seq, hash, kid, mac }: State): AuditHead {
    return { hive: this.#ports.hive, seq, hash, kid, mac };
  }

  #hashBefore(after: number): string {
    const { baseSeq, baseHash } = this.#stored();
    const query = "SELECT * FROM audit WHERE seq <= ? ORDER BY seq DESC LIMIT 1";
    const [row] = this.#ports.sql.exec(query, after);
    if (row) return Row.parse(row).hash;
    return baseSeq > 0 ? baseHash : NOTHING_BEFORE;
  }
}

const EMPTY: State = {
  ...{ seq: 0, hash: NOTHING_BEFORE, kid: "", mac: "" },
  baseSeq: 0,
  baseHash: "",
  bytes: 0,
};
