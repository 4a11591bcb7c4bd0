type Kept<V> = { value: V; bytes: number; untilMs: number };

/** Values by key, each until its time. Holds `limitBytes` in all; what was used longest ago goes first. */
export class ByteCache<V> {
  readonly #limitBytes: number;
  /** In the order of their last use: a map keeps that of insertion. */
  readonly #kept = new Map<string, Kept<V>>();
  #bytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  get bytes(): number {
    return this.#bytes;
  }

  get size(): number {
    return this.#kept.size;
  }

  get(key: string, nowMs: number): V | undefined {
    const kept = this.#kept.get(key);
    if (!kept) return undefined;
    if (kept.untilMs <= nowMs) {
      this.delete(key);
      return undefined;
    }
    this.#kept.delete(key);
    this.#kept.set(key, kept);
    return kept.value;
  }

  /** In place of what the key held. What is larger than the whole cache is not kept. */
  set(key: string, value: V, bytes: number, untilMs: number): void {
    this.delete(key);
    if (bytes > this.#limitBytes) return;
    this.#kept.set(key, { value, bytes, untilMs });
    this.#bytes += bytes;
    for (const oldest of this.#kept.keys()) {
      if (this.#bytes <= this.#limitBytes) break;
      this.delete(oldest);
    }
  }

  delete(key: string): void {
    const kept = this.#kept.get(key);
    if (!kept) return;
    this.#kept.delete(key);
    this.#bytes -= kept.bytes;
  }

  /** What is there and not over, the longest unused first. */
  *values(nowMs: number): Generator<V, void, void> {
    for (const { value, untilMs } of this.#kept.values()) if (untilMs > nowMs) yield value;
  }
}
