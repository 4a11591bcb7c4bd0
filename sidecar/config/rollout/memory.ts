/** What is remembered of a migration beside the configurations, in the same database. */
import type { DatabaseSync } from "node:sqlite";
import { z } from "zod";
import { RolloutState } from "../../../shared/config/rollout.ts";
import type { Logger } from "../../log.ts";

/** The older database that the store says the same as, but for what was changed after this revision of its history. */
const Mirror = z.object({ identity: z.string(), revision: z.int().nonnegative() });
export type Mirror = z.infer<typeof Mirror>;

/** Of the mode that it came about in: another one begins anew. */
const Rollout = z.object({ mode: z.string(), state: RolloutState });

export class RolloutMemory {
  readonly #db: DatabaseSync;
  readonly #log: Pick<Logger, "warn">;

  constructor(db: DatabaseSync, log: Pick<Logger, "warn">) {
    this.#db = db;
    this.#log = log;
  }

  mirror(identity: string): Mirror | null {
    const mirror = this.#get("mirror", Mirror);
    return mirror?.identity === identity ? mirror : null;
  }

  keepMirror(mirror: Mirror): void {
    this.#set("mirror", mirror);
  }

  rollout(mode: string): RolloutState | null {
    const rollout = this.#get("rollout", Rollout);
    return rollout?.mode === mode ? rollout.state : null;
  }

  keepRollout(mode: string, state: RolloutState): void {
    this.#set("rollout", { mode, state });
  }

  /** Servers that were changed after a revision, as far as the history goes back. */
  changedAfter(revision: number): Set<string> {
    const rows = this.#db
      .prepare("SELECT DISTINCT name FROM mcp_config_history WHERE revision > ? AND lost = 0")
      .all(revision);
    return new Set(rows.map(({ name }) => String(name)));
  }

  #get<T>(key: string, schema: z.ZodType<T>): T | null {
    const row = this.#db.prepare("SELECT value FROM mcp_config_migration WHERE key = ?").get(key);
    if (!row) return null;
    const parsed = schema.safeParse(JSON.parse(String(row.value)));
    if (parsed.success) return parsed.data;
    this.#log.warn({ key }, "what was remembered of the migration cannot be read, and begins anew");
    return null;
  }

  #set(key: string, value: unknown): void {
    this.#db
      .prepare("INSERT OR REPLACE INTO mcp_config_migration (key, value) VALUES (?, ?)")
      .run(key, JSON.stringify(value));
  }
}
