/** What keeps a migration from being done. Nothing has changed when it is thrown. */
export class MigrationRefused extends Error {
  /** Each of them, where there is more than one thing to correct. */
  readonly problems: readonly string[];

  constructor(message: string, problems: readonly string[] = [], options?: ErrorOptions) {
    super(message, options);
    this.name = "MigrationRefused";
    this.problems = problems;
  }
}

/** The first line of whatever was thrown, for people. */
export const reasonOf = (thrown: unknown): string =>
  (thrown instanceof Error ? thrown.message : String(thrown)).split("\n", 1)[0] ?? "";
