/**
 * Remembers nonces until they expire, so that a signed request works once. Two generations of one lifetime
 * each: forgetting costs nothing per nonce, and no timer is needed.
 */
export class NonceMemory {
  readonly #lifeMs: number;
  readonly #limit: number;
  #current = new Set<string>();
  #previous = new Set<string>();
  #turnsAtMs = Number.NEGATIVE_INFINITY;

  constructor(options: { lifeMs: number; limit: number }) {
    this.#lifeMs = options.lifeMs;
    this.#limit = options.limit;
  }

  /** `fresh` the first time, `replayed` after that, `full` when no more can be remembered safely. */
  use(nonce: string, nowMs: number): "fresh" | "replayed" | "full" {
    this.#turn(nowMs);
    if (this.#current.has(nonce) || this.#previous.has(nonce)) return "replayed";
    if (this.#current.size + this.#previous.size >= this.#limit) return "full";
    this.#current.add(nonce);
    return "fresh";
  }

  #turn(nowMs: number): void {
    if (nowMs < this.#turnsAtMs) return;
    // After a silence of two lifetimes even the current generation is out of date.
    this.#previous = nowMs < this.#turnsAtMs + this.#lifeMs ? this.#current : new Set();
    this.#current = new Set();
    this.#turnsAtMs = nowMs + this.#lifeMs;
  }
}
