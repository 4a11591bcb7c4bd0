/**
 * Which shard takes a client: the first one that is not full, so that there are never more than needed. A
 * shard found full is passed over for a while. No register is kept: a shard knows by itself whether it is full.
 */
import { LIMITS } from "../../shared/limits.ts";

/** How long a shard that was full is believed to be. */
const PASSED_OVER_MS = 10_000;

export class Placement {
  readonly #full = new Map<string, number>();

  /** The names of a hive's shards, in the order in which to ask them. */
  *candidates(hive: string, nowMs: number): Generator<string, void, void> {
    for (let i = 0; i < LIMITS.shardsPerHive; i++) {
      const shard = `${hive}/${i}`;
      if ((this.#full.get(shard) ?? Number.NEGATIVE_INFINITY) + PASSED_OVER_MS <= nowMs) yield shard;
    }
  }

  isFull(shard: string, nowMs: number): void {
    this.#full.set(shard, nowMs);
  }
}
