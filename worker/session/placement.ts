/**
 * Which shard takes a client: the first one that is not full, so that there are never more than needed. A
 * shard found full is passed over for a while. No register is kept: a shard knows by itself whether it is full.
 */
import { LIMITS } from "../../shared/limits.ts";
import type { SessionState } from "./session.ts";

/** How long a shard that was full is believed to be. */
const PASSED_OVER_MS = 10_000;

const numbered = (count: number, prefix: string): string[] =>
  Array.from({ length: count }, (_, i) => `${prefix}/${i}`);

const streamShards = (hive: string): string[] => numbered(LIMITS.shardsPerHive, hive);
/** All shards that a hive's relays may be on. */
export const relayShards = (hive: string): string[] => numbered(LIMITS.relayLinks, `${hive}/relay`);

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
    for (const shard of kind === "relay" ? relayShards(hive) : streamShards(hive)) {
      if ((this.#full.get(shard) ?? Number.NEGATIVE_INFINITY) + PASSED_OVER_MS <= nowMs) yield shard;
    }
  }

  isFull(shard: string, nowMs: number): void {
    this.#full.set(shard, nowMs);
  }
}
