/** What has to survive a restart: small values by key, and a database of each hive's own, in SQLite. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import type { Sql } from "../../hive/sql.ts";
import { openSql } from "./sql.ts";

/** For how long another process may hold the file, such as the gateway that this one replaces. */
const BUSY_TIMEOUT_MS = 1_000;

export type Store = {
  /** Undefined: there is none, or it cannot be read. */
  load(key: string): unknown;
  /** @throws when it cannot be written */
  save(key: string, value: unknown): void;
  /** @throws when it cannot be opened */
  ofHive(hive: string): Sql;
  close(): void;
};

/** @throws when the folder cannot be used */
export function openStore(dir: string): Store {
  mkdirSync(dir, { recursive: true });
  const database = new DatabaseSync(join(dir, "gateway.sqlite"));
  database.exec(`
    PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS};
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
    CREATE TABLE IF NOT EXISTS state (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT;
  `);
  const select = database.prepare("SELECT value FROM state WHERE key = ?");
  const opened: { close(): void }[] = [database];
  const upsert = database.prepare("INSERT OR REPLACE INTO state (key, value) VALUES (?, ?)");
  return {
    load: (key) => parsed(select.get(key)?.value),
    save: (key, value) => void upsert.run(key, JSON.stringify(value)),
    ofHive(hive) {
      const sql = openSql(join(dir, `hive-${hive}.sqlite`));
      opened.push(sql);
      return sql;
    },
    close() {
      for (const each of opened.splice(0)) each.close();
    },
  };
}

function parsed(text: unknown): unknown {
  try {
    return typeof text === "string" ? JSON.parse(text) : undefined;
  } catch {
    return undefined;
  }
}
