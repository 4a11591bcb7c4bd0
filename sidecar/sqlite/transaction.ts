import type { DatabaseSync } from "node:sqlite";

/** All that `work` writes, or nothing of it. */
export function transaction<T>(db: DatabaseSync, work: () => T): T {
  db.exec("BEGIN IMMEDIATE");
  try {
    const result = work();
    db.exec("COMMIT");
    return result;
  } catch (thrown) {
    // Where the disk is full SQLite has rolled back by itself, and another one would hide the reason.
    if (db.isTransaction) db.exec("ROLLBACK");
    throw thrown;
  }
}

/** Another process or connection holds a lock that is needed. */
export const isLocked = (thrown: unknown): boolean =>
  thrown instanceof Error && "errcode" in thrown && thrown.errcode === SQLITE_BUSY;

const SQLITE_BUSY = 5;
