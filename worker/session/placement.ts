/**
 * Which shard takes a client: the first one that is not full, so that there are never more than needed. A
 * shard found full is passed over for a while. No register is kept: a shard knows by itself whether it is full.
 */
import { LIMITS } from "../../shared/limits.ts";
import type { SessionState } from "./session.ts";

/** How long a shard that was full is believed to be. */
const PASSED_OVER_MS = 10_000;

export class Placement {
  readonly #full = new Map<string, number>();

  /**
   * The names of a hive's shards, in the order in which to ask them. Relays have shards of their own: each holds a
   * link to the sidecar and so never hibernates.
   */
  *candidates(
    { hive, kind }: Pick<SessionState, "hive" | "kind">,
    nowMs: number,
  ): Generator<string, void, void> {
    const isRelay = kind === "relay";
    const most = isRelay ? LIMITS.relayLinks : LIMITS.shardsPerHive;
    for (let i = 0; i < most; i++) {
      const shard = isRelay ? `${hive}/relay/${i}` : `${hive}/${i}`;
      if ((this.#full.get(shard) ?? Number.NEGATIVE_INFINITY) + PASSED_OVER_MS <= nowMs) yield shard;
    }
  }

  isFull(shard: string, nowMs: number): void {
    this.#full.set(shard, nowMs);
  }
}
