/** The older configuration system's database, in SQLite or PostgreSQL: the tables `mcp_servers`, `agent_mcp_servers` and `agents`. */
import type { ConfigBackend } from "../backend.ts";
import type { ConfigEdit, ConfigEntry } from "../entry.ts";

/** A row's columns of configuration, by name. JSON is its text; from PostgreSQL all the rest is text too. */
export type OldRow = Readonly<Record<string, string | number | bigint | boolean | null>>;

/** Everything that is migrated, read in one transaction, each table in the order of its ids. */
export type OldDump = {
  servers: OldRow[];
  assignments: OldRow[];
  /** Those of `agents` that are assigned something need a name here. */
  agents: OldRow[];
};

/** Why it cannot be migrated as it is: what to correct, and where. */
export type OldProblem = { table: string; id: string | null; message: string };

export interface OldDatabase extends ConfigBackend {
  readonly kind: "old";
  readonly type: "sqlite" | "postgres";
  /** Where it is, for people: without user, password or query. */
  readonly place: string;
  /** Which one it is, however its place was spelt: two are the same if, and only if, these are equal. */
  readonly identity: string;
  /** Why the older tables have no place for it, as one sentence; null: they have. What they hold is the entry's `normalEntry`. */
  canHold(entry: ConfigEntry): string | null;
  /**
   * `last` is done as the last thing of the transaction, and what it throws takes all back. It may be done again, where the end of
   * the transaction had to wait for others.
   */
  write(edits: readonly ConfigEdit[], last?: () => void): Promise<void>;
  dump(): Promise<OldDump>;
  /** Shape first (missing tables, unknown columns), then rows (JSON that cannot be read, equal names, lost references). */
  problems(): Promise<OldProblem[]>;
  /** Copies all of it into `directory` (made, empty), byte for byte, as of one moment. Gives the files' names. */
  backUp(directory: string): Promise<string[]>;
  /**
   * Makes it again what `backUp` found: afterwards a second `backUp` gives the same bytes. In PostgreSQL the older system's agents, which
   * it goes on with, are left alone; in SQLite the whole file is put back, so nobody else may use it.
   * @throws RestoreRefused: nothing was changed
   */
  restore(directory: string): Promise<void>;
}

/** @throws Error with one line for a terminal: it cannot be opened, is not such a database, is locked, needs a password … */
export type OpenOldDatabase = (place: string, options: { readOnly: boolean }) => Promise<OldDatabase>;
