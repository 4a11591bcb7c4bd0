/**
 * The table `mcp_configs` and its history, in SQLite: the truth about which MCP servers there are. What a write gave back
 * survives a loss of power. Other processes may read it and, between its writes, write to it.
 */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { ConfigVersion } from "../../../shared/protocol/config.ts";
import { openDatabaseFile, openDatabaseToRead } from "../../sqlite/open.ts";
import { isLocked, isUnwritable, transaction } from "../../sqlite/transaction.ts";
import { CANNOT_WRITE } from "../../swarm/cannot-write.ts";
import type { Fingerprint } from "../backend.ts";
import type { Author, ConfigEdit, ConfigEntry, StoredConfig } from "../entry.ts";
import { fingerprintOf, sameEntry } from "../fingerprint.ts";
import { type TooMuch, tooMuch } from "./bytes.ts";
import { columnsOf, justValue, readConfig, readSeed, readVersion, type Seed } from "./rows.ts";
import { MIGRATIONS } from "./schema.ts";
import { changedSnapshot, EMPTY, type Snapshot, snapshotOf } from "./snapshot.ts";
import { prepareStatements, type Statements } from "./statements.ts";

export type WriteOptions = {
  nowMs: number;
  /** The revision that each of these has; null: it is not there. @throws HivegateError `precondition_failed` */
  expected?: ReadonlyMap<string, number | null>;
  /** What is the base of the next merge. */
  seed?: Seed;
  /** Versions that take no effect, and by whom: they are kept in the history. */
  lost?: { edits: readonly ConfigEdit[]; author: Author };
  /** Those that may start and read only what the API may; none. */
  limited?: ReadonlySet<string>;
  /** Writes more, in tables of its own, in the same transaction. */
  also?: (db: DatabaseSync) => void;
};

/** Revisions that this write made, by name: of what took effect, and of what did not. */
export type Written = {
  /** The last of all that took effect. */
  revision: number;
  made: ReadonlyMap<string, number>;
  lost: ReadonlyMap<string, number>;
};

/** Bounds that a test may want to be small; all say what they mean in `LIMITS`. */
type StoreLimits = Pick<
  { [Name in keyof typeof LIMITS]: number },
  "configVersions" | "removedConfigs" | "configBytes" | "configsBytes" | "configHistoryBytes"
>;

export type StoreOptions = {
  readOnly?: boolean;
  /** How long a write waits for one of another process, with this whole process; then it is `overloaded`. */
  lockWaitMs?: number;
  limits?: Partial<StoreLimits>;
};

type KeptSeed = Seed & { readAtMs: number };

export const storeFile = (stateDir: string): string => join(stateDir, "configs.db");

const KIND = { what: "the store of configurations", migrations: MIGRATIONS };

export class ConfigStore {
  readonly file: string;
  /** For whoever has tables of his own in this file. */
  readonly db: DatabaseSync;
  readonly #statements: Statements;
  readonly #limits: StoreLimits;
  /** What was read last, and the marks of that moment. */
  #snapshot = EMPTY;
  #snapshotMark = "";
  /** Names that we wrote since the snapshot. */
  readonly #unread = new Set<string>();
  #snapshotVersion = "";
  #sorted: { of: Snapshot["entries"]; list: readonly StoredConfig[] } | null = null;
  /** What was read of it, as long as nobody else wrote. */
  #seed: { version: string; kept: KeptSeed | null } | null = null;

  /** @throws Error with one line that is fit for a terminal when it was written by another version; or as SQLite does */
  constructor(
    file: string,
    { readOnly = false, lockWaitMs = LIMITS.configLockWaitMs, limits }: StoreOptions = {},
  ) {
    this.file = file;
    this.#limits = { ...LIMITS, ...limits };
    const pragmas = `PRAGMA synchronous = FULL; PRAGMA busy_timeout = ${lockWaitMs}`;
    this.db = readOnly ? openDatabaseToRead(file, KIND) : openDatabaseFile(file, { ...KIND, pragmas });
    this.#statements = prepareStatements(this.db);
  }

  /** Of the last change that took effect; 0: there was none. */
  get revision(): number {
    return Number(this.#statements.revision.get()?.revision ?? 0);
  }

  /** Another one than before when anything may have changed, whoever did it. */
  get mark(): string {
    return `${this.#dataVersion}:${this.revision}`;
  }

  /** By name, those that were there first before those that came later. Not to be written to. */
  get entries(): ReadonlyMap<string, StoredConfig> {
    return this.#now().entries;
  }

  /** In the order of their names. What is in it is not to be written to. */
  list(): StoredConfig[] {
    const { entries } = this;
    if (this.#sorted?.of !== entries) {
      const list = [...entries.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
      this.#sorted = { of: entries, list };
    }
    return [...this.#sorted.list];
  }

  get(name: string): StoredConfig | null {
    const row = this.#statements.get.get(name);
    return row ? readConfig(row) : null;
  }

  ofAgent(agent: string): StoredConfig[] {
    return this.#statements.ofAgent.all(agent).map(readConfig);
  }

  /** The names of those that may start and read only what the API may. */
  get limited(): ReadonlySet<string> {
    return this.#now().limited;
  }

  /** The version that took effect last, of whichever server. */
  last(): ConfigVersion | null {
    const row = this.#statements.last.get();
    return row ? readVersion(row) : null;
  }

  version(name: string, revision: number): ConfigVersion | null {
    const row = this.#statements.version.get(name, revision);
    return row ? readVersion(row) : null;
  }

  /** Older than `before`, newest first; of all servers where `name` is null. */
  history(name: string | null, before: number | null, limit: number): ConfigVersion[] {
    const below = before ?? Number.MAX_SAFE_INTEGER;
    const { history, historyOf } = this.#statements;
    const rows = name === null ? history.all(below, limit) : historyOf.all(below, name, limit);
    return rows.map(readVersion);
  }

  /** What was taken over last; null: nothing ever was. */
  seed(): KeptSeed | null {
    const version = this.#dataVersion;
    if (this.#seed?.version !== version) {
      const row = this.#statements.seed.get();
      this.#seed = { version, kept: row ? readSeed(row) : null };
    }
    return this.#seed.kept;
  }

  fingerprint(): Fingerprint {
    return fingerprintOf(this.list());
  }

  /** Why there would be too much after these edits; null: there would not. */
  tooMuch(edits: readonly ConfigEdit[]): TooMuch | null {
    const get = (name: string) => this.get(name);
    return tooMuch(edits, { get, bytes: this.#bytes("configs"), limits: this.#limits });
  }

  /**
   * All of it or nothing. What is already so makes no version.
   * @throws HivegateError `config_invalid` (there would be too much), `precondition_failed`, `overloaded` when another process keeps it locked, or the disk takes nothing; or as SQLite does
   */
  write(edits: readonly ConfigEdit[], author: Author, options: WriteOptions): Written {
    try {
      return transaction(this.db, () => this.#write(edits, author, options));
    } catch (thrown) {
      // A revision that was read on the way may come to be another version's.
      this.#snapshot = EMPTY;
      this.#snapshotMark = "";
      this.#snapshotVersion = "";
      this.#unread.clear();
      this.#seed = null;
      if (isLocked(thrown)) throw new HivegateError("overloaded", LOCKED, { cause: thrown });
      if (isUnwritable(thrown)) throw new HivegateError("overloaded", CANNOT_WRITE, { cause: thrown });
      throw thrown;
    }
  }

  close(): void {
    this.db.close();
  }

  /** Another one than before when another connection wrote. */
  get #dataVersion(): string {
    return String(this.#statements.dataVersion.get()?.data_version);
  }

  #now(): Snapshot {
    const mark = this.mark;
    if (mark !== this.#snapshotMark) {
      const version = this.#dataVersion;
      const before = this.#snapshot;
      // Where nobody else wrote, all that may differ is what we wrote since.
      this.#snapshot =
        version === this.#snapshotVersion
          ? changedSnapshot(before, this.#unread, (name) => this.#row(name))
          : snapshotOf(this.#statements.revisions.all(), before, (name) => this.get(name));
      this.#unread.clear();
      this.#snapshotMark = mark;
      this.#snapshotVersion = version;
    }
    return this.#snapshot;
  }

  #row(name: string): { entry: StoredConfig; isLimited: boolean } | null {
    const row = this.#statements.get.get(name);
    return row ? { entry: readConfig(row), isLimited: row.limited === 1 } : null;
  }

  #write(edits: readonly ConfigEdit[], author: Author, options: WriteOptions): Written {
    const { nowMs, expected = new Map(), seed, lost, limited = new Set(), also } = options;
    for (const [name, revision] of expected) {
      if ((this.get(name)?.revision ?? null) !== revision) throw new HivegateError("precondition_failed");
    }
    const much = this.tooMuch(edits);
    if (much) throw new HivegateError("config_invalid", [much.name, much.message].filter(Boolean).join(": "));
    const lostMade = new Map(
      lost?.edits.map((edit) => [edit.name, this.#append(edit, lost.author, nowMs, true)]),
    );
    const made = new Map<string, number>();
    for (const edit of edits) {
      const revision = this.#apply(edit, author, nowMs, limited.has(edit.name));
      if (revision !== null) made.set(edit.name, revision);
    }
    if (edits.some(({ entry }) => entry === null))
      this.#statements.forgetRemoved.run(this.#limits.removedConfigs);
    this.#forgetOldest();
    if (seed) this.#keepSeed(seed, nowMs);
    also?.(this.db);
    for (const { name } of edits) this.#unread.add(name);
    // Not every change has a revision of its own.
    this.#snapshotMark = "";
    // What is removed and comes again is the last: that has to be seen in between.
    if (edits.some(({ entry }) => entry === null)) this.#now();
    return { revision: this.revision, made, lost: lostMade };
  }

  /** The revision that this makes; null: it was so already. */
  #apply(edit: ConfigEdit, author: Author, nowMs: number, isLimited: boolean): number | null {
    const { name, entry } = edit;
    const { insert, update, free, isLimited: wasLimited } = this.#statements;
    // What only moves between two databases says nothing about who may run it.
    const limited = isLimited || (author.source === "migration" && wasLimited.get(name)?.limited === 1);
    const before = this.get(name);
    if (entry === null && before === null) return null;
    if (entry && before && sameEntry(entry, before)) {
      if (!limited) free.run(name);
      return null;
    }
    const revision = this.#append(edit, author, nowMs, false);
    const mark = limited ? 1 : 0;
    if (entry === null) this.#statements.delete.run(name);
    else if (before) update.run(...columnsOf(entry), revision, nowMs, mark, name);
    else insert.run(...columnsOf(entry), name, revision, nowMs, nowMs, mark);
    return revision;
  }

  #append({ name, entry }: ConfigEdit, { by, source }: Author, nowMs: number, isLost: boolean): number {
    const { append, forgetVersions } = this.#statements;
    const value = entry && JSON.stringify(justValue(entry));
    const { lastInsertRowid } = append.run(...([name, value, nowMs, by, source] as const), isLost ? 1 : 0);
    forgetVersions.run({ name, kept: this.#limits.configVersions });
    return Number(lastInsertRowid);
  }

  /** Some more than there is too much of, so that this is seldom looked for. */
  #forgetOldest(): void {
    const { configHistoryBytes: most } = this.#limits;
    let excess = this.#bytes("history") - most;
    if (excess <= 0) return;
    excess += most / 16;
    let last = 0;
    for (const { revision, bytes } of this.#statements.oldestVersions.iterate()) {
      if (excess <= 0) break;
      excess -= Number(bytes ?? 0);
      last = Number(revision);
    }
    this.#statements.forgetOldest.run(last);
  }

  #bytes(of: "configs" | "history"): number {
    return Number(this.#statements.bytes.get(of)?.bytes ?? 0);
  }

  #keepSeed(seed: Seed, nowMs: number): void {
    const { source, entries, beside } = seed;
    const list = [...entries.values()].map((entry: ConfigEntry) => ({
      name: entry.name,
      ...justValue(entry),
      ...(beside?.has(entry.name) && { beside: true }),
    }));
    this.#statements.keepSeed.run(source, JSON.stringify(list), nowMs);
    this.#seed = { version: this.#dataVersion, kept: { ...seed, readAtMs: nowMs } };
  }
}

const LOCKED = "Another program is writing the configuration. Try again in a moment.";
