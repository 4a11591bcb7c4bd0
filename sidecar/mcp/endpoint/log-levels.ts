/** A 2025 server has one log level for all its clients: the most talkative that one of them asked for. Each hears what it wants. */

import type { Upstream } from "../upstream.ts";
import type { RpcError } from "./refused.ts";
import { isLower } from "./translate/log-level.ts";

type Known = { connections: number; level: string };

export class LogLevels {
  readonly #known = new WeakMap<Upstream, Known>();

  /** The server's error, where it does not agree. @throws as `Upstream.exchange` */
  async want(
    level: string,
    upstream: Upstream,
    client: string,
    signal: AbortSignal,
  ): Promise<RpcError | null> {
    const { capabilities, era } = await upstream.info();
    // One of 2026 is told with each request; one that has no log has nothing to be set.
    if (era === "2026" || capabilities.logging === undefined) return null;
    const known = this.#known.get(upstream);
    const isNew = known?.connections !== upstream.connections;
    if (!isNew && !isLower(level, known.level)) return null;
    const answer = await upstream.exchange(
      { method: "logging/setLevel", params: { level } },
      { client, signal },
    );
    if ("error" in answer) return answer.error;
    this.#known.set(upstream, { connections: upstream.connections, level });
    return null;
  }
}
