import type { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { McpConnection } from "./connection.ts";

export type LeavingLimits = {
  /** How long each may take. */
  waitMs?: number;
  /** Of more that have something under way the oldest is ended. */
  busy?: number;
};

/**
 * Connections that were replaced or taken away, until nothing is left of them: what they have under way may come to its
 * end, within a limit of time, and of so many at once.
 */
export class Leaving {
  /** The one that left first is the first. */
  readonly #connections = new Set<McpConnection>();
  readonly #limits: Required<LeavingLimits>;

  constructor({ waitMs = LIMITS.replacedServerMs, busy = LIMITS.enabledServers }: LeavingLimits = {}) {
    this.#limits = { waitMs, busy };
  }

  /** Whoever asks it from now on gets `refusal`. Resolves when nothing is left of it. */
  async add(connection: McpConnection, refusal: HivegateError): Promise<void> {
    this.#connections.add(connection);
    const gone = connection.retire(refusal, this.#limits.waitMs);
    const busy = [...this.#connections].filter(({ isBusy }) => isBusy);
    for (const oldest of busy.slice(0, Math.max(0, busy.length - this.#limits.busy))) oldest.hurry();
    await gone;
    this.#connections.delete(connection);
  }

  /** Whoever waits for an answer gets `shutting_down`. Resolves when nothing is left of any of them. */
  async close(): Promise<void> {
    await Promise.all([...this.#connections].map((connection) => connection.close()));
  }
}
