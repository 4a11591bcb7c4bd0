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
export const isLocked = (thrown: unknown): boolean => resultOf(thrown) === SQLITE_BUSY;

/** The disk is full, broken, or must not be written to. */
export const isUnwritable = (thrown: unknown): boolean => UNWRITABLE.includes(resultOf(thrown));

/** The values are against a rule of the database: a constraint, a trigger, a type. */
export const isRefused = (thrown: unknown): boolean => REFUSED.includes(resultOf(thrown));

/** SQLite's result code without its extension; 0: it is no error of SQLite's. */
const resultOf = (thrown: unknown): number =>
  thrown instanceof Error && "errcode" in thrown ? Number(thrown.errcode) & 0xff : 0;

/** SQLITE_TOOBIG, SQLITE_CONSTRAINT, SQLITE_MISMATCH. */
const REFUSED = [18, 19, 20];
const SQLITE_BUSY = 5;
/** SQLITE_READONLY, SQLITE_IOERR, SQLITE_FULL, SQLITE_CANTOPEN. */
const UNWRITABLE = [8, 10, 13, 14];
