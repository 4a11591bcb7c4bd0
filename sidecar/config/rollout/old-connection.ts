import type { Clock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { within } from "../../mcp/within.ts";
import type { OldDatabase } from "../old/database.ts";

/**
 * The older database, opened when it is first needed, and again after a while when that failed. Where an answer is late, it is opened
 * anew: a connection may be dead without anybody having said so, and would stay so until the system gives it up.
 */
export class OldConnection {
  readonly #open: () => Promise<OldDatabase>;
  readonly #clock: Clock;
  #opening: Promise<OldDatabase> | null = null;
  #database: OldDatabase | null = null;
  readonly #closing = new Set<Promise<void>>();
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

  /** What `work` comes to in time. @throws HivegateError `overloaded` while it is away, `timeout` */
  async use<T>(work: (database: OldDatabase) => Promise<T>, withinMs: number): Promise<T> {
    const used: OldDatabase[] = [];
    const asked = this.get().then((database) => {
      used.push(database);
      return work(database);
    });
    const late = () => {
      for (const database of used) this.drop(database);
      return new HivegateError("timeout");
    };
    return await within(asked, withinMs, late);
  }

  /** It is late: what is under way may still end by itself for as long as closing takes, and the next one who asks gets another. */
  drop(database: OldDatabase): void {
    if (this.#database !== database) return;
    this.#database = null;
    const closing = database.close().catch(() => {});
    this.#closing.add(closing);
    void closing.finally(() => this.#closing.delete(closing));
  }

  async close(): Promise<void> {
    const database = this.#database ?? (await this.#opening?.catch(() => null));
    await database?.close();
    await Promise.all(this.#closing);
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
