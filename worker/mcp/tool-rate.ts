/**
 * How often each client may call each tool that one rule is about. Names of tools are the clients' own words: whatever
 * names a client makes up, they never make room for more calls of another, and cost other clients nothing.
 */
import { LIMITS } from "../../shared/limits.ts";
import { rateLimited } from "../../shared/pressure/rate-limiter.ts";
import { fullBucket, isFull, type Rate, type TokenBucket, take } from "../../shared/pressure/token-bucket.ts";

/** By tool, the one longest not called first. */
type Buckets = Map<string, TokenBucket>;

/** No tool is called so: the bucket of all that find no room for their own. */
const REST = "";

export class ToolRate {
  readonly #rate: Rate;
  /** By subject, the one longest silent first. */
  readonly #clients = new Map<string, Buckets>();
  #held = 0;

  constructor(rate: Rate) {
    this.#rate = rate;
  }

  /** @throws HivegateError `rate_limited` */
  take(subject: string, tool: string, nowMs: number): void {
    const buckets = this.#bucketsOf(subject);
    const name = this.#hasRoom(buckets, tool, nowMs) ? tool : REST;
    // One that was counted with the rest until now goes on from there.
    const before = buckets.get(name) ?? buckets.get(REST) ?? fullBucket(this.#rate, nowMs);
    const { allowed, waitMs, bucket } = take(before, this.#rate, nowMs);
    if (!buckets.delete(name)) this.#held++;
    buckets.set(name, bucket);
    if (this.#held > LIMITS.ratedTools) this.#forgetSilent();
    if (!allowed) throw rateLimited(waitMs);
  }

  #bucketsOf(subject: string): Buckets {
    const buckets: Buckets = this.#clients.get(subject) ?? new Map();
    this.#clients.delete(subject);
    this.#clients.set(subject, buckets);
    return buckets;
  }

  /** A bucket that is full again says no more than none: it makes room. */
  #hasRoom(buckets: Buckets, tool: string, nowMs: number): boolean {
    if (buckets.has(tool) || buckets.size < LIMITS.ratedToolsPerClient) return true;
    for (const [oldest, bucket] of buckets) {
      if (!isFull(bucket, this.#rate, nowMs)) return false;
      buckets.delete(oldest);
      this.#held--;
      return true;
    }
    return false;
  }

  #forgetSilent(): void {
    for (const [subject, buckets] of this.#clients) {
      this.#clients.delete(subject);
      this.#held -= buckets.size;
      return;
    }
  }
}
