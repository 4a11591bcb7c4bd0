import { HivegateError } from "../errors.ts";
import { fullBucket, type Rate, type TokenBucket, take } from "./token-bucket.ts";

/** A rate for each of many clients, by name. Remembers `limit` of them; the one longest silent is forgotten first. */
export class RateLimiter {
  readonly #rate: Rate;
  readonly #limit: number;
  readonly #buckets = new Map<string, TokenBucket>();

  constructor(rate: Rate, limit: number) {
    this.#rate = rate;
    this.#limit = limit;
  }

  /** @throws HivegateError `rate_limited`, which says how long to wait */
  take(name: string, nowMs: number): void {
    const taken = take(this.#buckets.get(name) ?? fullBucket(this.#rate, nowMs), this.#rate, nowMs);
    // Deleting first moves the name to the end of the map.
    this.#buckets.delete(name);
    if (this.#buckets.size >= this.#limit) {
      const silent = this.#buckets.keys().next();
      if (!silent.done) this.#buckets.delete(silent.value);
    }
    this.#buckets.set(name, taken.bucket);
    if (!taken.allowed) {
      throw new HivegateError("rate_limited", `Too many requests. Wait ${taken.waitMs} ms, then go on.`, {
        retryAfterMs: taken.waitMs,
      });
    }
  }
}
