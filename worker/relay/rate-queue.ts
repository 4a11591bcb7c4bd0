/** Lets through at a rate what comes as it likes: what comes too fast waits, urgent items first, within a limit. */
import { fullBucket, type Rate, type TokenBucket, take } from "../../shared/pressure/token-bucket.ts";
import { HoldQueue, type HoldTotal } from "../../shared/relay/hold-queue.ts";

export class RateQueue<T> {
  readonly #rate: Rate;
  readonly #pass: (item: T) => void;
  readonly #countOf: (item: T) => number;
  readonly #waiting: HoldQueue<T>;
  #bucket: TokenBucket;

  /** `total`: what it holds together with others. */
  constructor(options: {
    rate: Rate;
    waitingBytes: number;
    total: HoldTotal;
    nowMs: number;
    pass(item: T): void;
    /** How many of what the rate is about it is. */
    countOf(item: T): number;
  }) {
    this.#rate = options.rate;
    this.#pass = options.pass;
    this.#countOf = options.countOf;
    // However long the rate makes them wait, it comes to their turn.
    const limits = { bytes: options.waitingBytes, ageMs: Number.POSITIVE_INFINITY };
    this.#waiting = new HoldQueue(limits, options.total);
    this.#bucket = fullBucket(options.rate, options.nowMs);
  }

  get size(): number {
    return this.#waiting.size;
  }

  get bytes(): number {
    return this.#waiting.bytes;
  }

  /** `waits`: it passes at a later `drain`. `full`: it is not taken. */
  push(item: T, how: { bytes: number; urgent: boolean; nowMs: number }): "passed" | "waits" | "full" {
    if (this.#waiting.size === 0 && this.#take(item, how.nowMs)) {
      this.#pass(item);
      return "passed";
    }
    return this.#waiting.hold(item, how) ? "waits" : "full";
  }

  /** Passes on what has its turn now. */
  drain(nowMs: number): void {
    for (let next = this.#waiting.peek(); next !== undefined; next = this.#waiting.peek()) {
      if (!this.#take(next, nowMs)) return;
      this.#waiting.shift();
      this.#pass(next);
    }
  }

  /** Takes out what waits and `isWanted`; everything unless said. */
  takeOut(isWanted?: (item: T) => boolean): T[] {
    return this.#waiting.takeOut(isWanted);
  }

  #take(item: T, nowMs: number): boolean {
    const { allowed, bucket } = take(this.#bucket, this.#rate, nowMs, this.#countOf(item));
    this.#bucket = bucket;
    return allowed;
  }
}
