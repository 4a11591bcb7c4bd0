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
    const waitMs = this.tryTake(name, nowMs);
    if (waitMs > 0) throw rateLimited(waitMs);
  }

  /** How long to wait; 0: it is taken. */
  tryTake(name: string, nowMs: number): number {
    const taken = take(this.#buckets.get(name) ?? fullBucket(this.#rate, nowMs), this.#rate, nowMs);
    // Deleting first moves the name to the end of the map.
    this.#buckets.delete(name);
    if (this.#buckets.size >= this.#limit) {
      const silent = this.#buckets.keys().next();
      if (!silent.done) this.#buckets.delete(silent.value);
    }
    this.#buckets.set(name, taken.bucket);
    return taken.waitMs;
  }
}

export const rateLimited = (waitMs: number): HivegateError =>
  new HivegateError("rate_limited", `Too many requests. Wait ${waitMs} ms, then go on.`, {
    retryAfterMs: waitMs,
  });
