/** A hive's own database, as both hosts have one. Everything in it is done at once: nobody else gets between. */
export type SqlValue = string | number | null;

export interface Sql {
  /** Runs one statement; the rows it gives. @throws what the database says */
  exec(query: string, ...bindings: SqlValue[]): Record<string, unknown>[];
  /** All of it or, when it throws, none. */
  transaction(work: () => void): void;
}
