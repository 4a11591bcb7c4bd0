import type { Clock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { OldDatabase } from "../old/database.ts";

/** The older database, opened when it is first needed, and again after a while when that failed. */
export class OldConnection {
  readonly #open: () => Promise<OldDatabase>;
  readonly #clock: Clock;
  #opening: Promise<OldDatabase> | null = null;
  #database: OldDatabase | null = null;
  #failed: { cause: unknown; atMs: number } | null = null;

  constructor(open: () => Promise<OldDatabase>, clock: Clock) {
    this.#open = open;
    this.#clock = clock;
  }

  /** @throws HivegateError `overloaded` while it is away */
  async get(): Promise<OldDatabase> {
    if (this.#database) return this.#database;
    if (this.#failed && this.#clock.now() < this.#failed.atMs + LIMITS.oldRetryMs)
      throw away(this.#failed.cause);
    this.#opening ??= this.#open().finally(() => {
      this.#opening = null;
    });
    try {
      this.#database = await this.#opening;
      this.#failed = null;
      return this.#database;
    } catch (cause) {
      this.#failed = { cause, atMs: this.#clock.now() };
      throw away(cause);
    }
  }

  async close(): Promise<void> {
    const database = this.#database ?? (await this.#opening?.catch(() => null));
    await database?.close();
  }
}

/** What the older database threw, as an error fit for a client. */
export const away = (cause: unknown): HivegateError =>
  cause instanceof HivegateError
    ? cause
    : new HivegateError(
        "overloaded",
        "The older system's database cannot be used now. Nothing was changed; try again later.",
        { cause },
      );
