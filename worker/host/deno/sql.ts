import { DatabaseSync, type StatementSync } from "node:sqlite";
import type { Sql } from "../../hive/sql.ts";

/** For how long another process may hold the file, such as the gateway that this one replaces. */
const BUSY_TIMEOUT_MS = 1_000;

/** A hive's own database, in a file. @throws when the file cannot be used */
export function openSql(path: string): Sql & { close(): void } {
  const database = new DatabaseSync(path);
  database.exec(`
    PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS};
    PRAGMA journal_mode = WAL;
    PRAGMA synchronous = NORMAL;
  `);
  /** There are as many as the code writes: none is made of data. */
  const statements = new Map<string, StatementSync>();
  const prepared = (query: string): StatementSync => {
    const statement = statements.get(query) ?? database.prepare(query);
    statements.set(query, statement);
    return statement;
  };
  return {
    exec: (query, ...bindings) => prepared(query).all(...bindings),
    transaction(work) {
      database.exec("BEGIN IMMEDIATE");
      try {
        const result = work();
        database.exec("COMMIT");
        return result;
      } catch (error) {
        database.exec("ROLLBACK");
        throw error;
      }
    },
    close: () => database.close(),
  };
}
