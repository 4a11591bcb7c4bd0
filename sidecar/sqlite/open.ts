/** Opens a database of ours: for this user alone, in WAL mode, with the tables that this version of Hivegate knows. */
import { chmodSync, closeSync, mkdirSync, openSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";

export type DatabaseKind = {
  /** What it is, for people: "the ledger". */
  what: string;
  /** Each brings the tables from one version to the next. Those that were released stay as they are. */
  migrations: readonly string[];
  /** How it is locked and how sure a write is. */
  pragmas: string;
};

/** @throws Error with one line that is fit for a terminal, when it was written by a newer version; or as SQLite does */
export function openDatabaseFile(file: string, { what, migrations, pragmas }: DatabaseKind): DatabaseSync {
  mkdirSync(dirname(file), { recursive: true, mode: 0o700 });
  // SQLite gives its other files the mode of this one, so it has to be right before they are made.
  closeSync(openSync(file, "a", 0o600));
  chmodSync(file, 0o600);
  const db = new DatabaseSync(file);
  try {
    db.exec(`${pragmas}; PRAGMA journal_mode = WAL`);
    migrate(db, what, migrations);
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

/**
 * A database that is only looked at, such as a backup: it stays as it is.
 * @throws Error when it is of another version; or as SQLite does
 */
export function openDatabaseToRead(
  file: string,
  { what, migrations }: Omit<DatabaseKind, "pragmas">,
): DatabaseSync {
  const db = new DatabaseSync(file, { readOnly: true });
  try {
    const version = versionOf(db);
    if (version > migrations.length) throw newer(what);
    if (version < migrations.length) throw new Error(`${what} was written by an older version of Hivegate`);
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

function migrate(db: DatabaseSync, what: string, migrations: readonly string[]): void {
  db.exec("BEGIN EXCLUSIVE");
  const version = versionOf(db);
  if (version > migrations.length) throw newer(what);
  for (const migration of migrations.slice(version)) db.exec(migration);
  db.exec(`PRAGMA user_version = ${migrations.length}`);
  db.exec("COMMIT");
}

const versionOf = (db: DatabaseSync): number => Number(db.prepare("PRAGMA user_version").get()?.user_version);

const newer = (what: string): Error => new Error(`${what} was written by a newer version: update Hivegate`);
