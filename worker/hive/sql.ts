/** A hive's own database, as both hosts have one. On Deno another process may use it too, such as the gateway that this one replaces. */
export type SqlValue = string | number | null;

export interface Sql {
  /** Runs one statement; the rows it gives. @throws what the database says */
  exec(query: string, ...bindings: SqlValue[]): Record<string, unknown>[];
  /** All of it or, when it throws, none; nobody else writes meanwhile. Gives what it gives. */
  transaction<T>(work: () => T): T;
}
