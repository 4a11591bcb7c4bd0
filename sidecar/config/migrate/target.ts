/** The store that a migration writes, as far as a migration uses it. */
import { z } from "zod";
import type { ConfigSource } from "../../../shared/protocol/config.ts";
import type { ConfigBackend } from "../backend.ts";
import type { ConfigEntry } from "../entry.ts";
import { asBackend } from "../store/backend.ts";
import { ConfigStore } from "../store/store.ts";
import { MigrationRefused, reasonOf } from "./refused.ts";

const MigrationRecord = z.object({
  id: z.string(),
  at: z.int(),
  /** The source, as people know it. */
  from: z.string(),
  mode: z.enum(["safe", "full"]),
  /** The backup's name in the directory of backups. */
  backup: z.string(),
  /** The last revision that is the migration's. */
  revision: z.int(),
});
/** What a store knows of the migration that filled it. */
export type MigrationRecord = z.infer<typeof MigrationRecord>;

export interface Target {
  readonly backend: ConfigBackend;
  list(): ConfigEntry[];
  /** All of them in one transaction with the record. */
  take(entries: readonly ConfigEntry[], record: Omit<MigrationRecord, "revision">): void;
  /** The last one that was not taken back. */
  lastMigration(): MigrationRecord | null;
  /** The names of what was changed after this revision and is nowhere else. */
  changedSince(revision: number): string[];
  /** What SQLite finds wrong with the file itself; null: nothing. */
  damage(): string | null;
  /** Afterwards all of it is in its one file. */
  close(): void;
}

/** @throws MigrationRefused when it was written by a newer version, or is no such store */
export type OpenTarget = (file: string) => Target;

/** What the file, the environment or the profile says is taken over from there again. */
const KEPT_ELSEWHERE: readonly ConfigSource[] = ["file", "environment", "default"];
const PAGE = 1_000;

export function openTarget(file: string): Target {
  const store = opened(file);
  return {
    backend: asBackend(store),
    list: () => store.list(),
    take(entries, { id, at, from, mode, backup }) {
      const edits = entries.map((entry) => ({ name: entry.name, entry }));
      store.write(
        edits,
        { by: "migration", source: "migration" },
        {
          nowMs: at,
          also: (db) =>
            db
              .prepare(
                `INSERT INTO mcp_migrations (id, at, "from", mode, backup, revision)
                 VALUES (?, ?, ?, ?, ?, (SELECT coalesce(max(revision), 0) FROM mcp_config_history))`,
              )
              .run(id, at, from, mode, backup),
        },
      );
    },
    lastMigration() {
      const row = store.db.prepare("SELECT * FROM mcp_migrations ORDER BY revision DESC LIMIT 1").get();
      return row ? MigrationRecord.parse(row) : null;
    },
    changedSince(revision) {
      const names = new Set<string>();
      for (let before = Number.MAX_SAFE_INTEGER; ; ) {
        const page = store.history(null, before, PAGE);
        const later = page.filter((version) => version.revision > revision);
        for (const { name, source } of later) if (!KEPT_ELSEWHERE.includes(source)) names.add(name);
        const last = later.at(-1);
        if (last === undefined || later.length < PAGE) return [...names].sort();
        before = last.revision;
      }
    },
    damage() {
      const found = store.db.prepare("PRAGMA integrity_check(1)").get()?.integrity_check;
      return found === "ok" ? null : String(found);
    },
    close: () => store.close(),
  };
}

function opened(file: string): ConfigStore {
  try {
    return new ConfigStore(file);
  } catch (cause) {
    throw new MigrationRefused(`configs.db: ${reasonOf(cause)}`, [], { cause });
  }
}
