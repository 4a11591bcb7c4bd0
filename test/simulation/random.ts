/** Seeded randomness (mulberry32): the same seed gives the same world, on every machine. */
export class Random {
  #state: number;

  constructor(seed: number) {
    this.#state = seed | 0;
  }

  /** In [0, 1). */
  readonly next = (): number => {
    this.#state = (this.#state + 0x6d2b79f5) | 0;
    let t = Math.imul(this.#state ^ (this.#state >>> 15), 1 | this.#state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };

  /** A whole number, both ends included. */
  between(least: number, most: number): number {
    return least + Math.floor(this.next() * (most - least + 1));
  }

  chance(probability: number): boolean {
    return this.next() < probability;
  }

  pick<T>(values: readonly T[]): T | undefined {
    return values[Math.floor(this.next() * values.length)];
  }

  /** Like `pick`, of a list that is known to hold something. */
  of<T>(first: T, ...others: T[]): T {
    return this.pick([first, ...others]) ?? first;
  }

  /** Some of them, maybe none. */
  some<T>(values: readonly T[]): T[] {
    return values.filter(() => this.chance(0.5));
  }

  /** Of entries with a weight each. */
  weighted<T extends { weight: number }>(entries: readonly T[]): T | undefined {
    let left = this.next() * entries.reduce((sum, { weight }) => sum + weight, 0);
    return entries.find(({ weight }) => {
      left -= weight;
      return left < 0;
    });
  }

  /** Short mostly, and now and then long: how pauses and delays are in a network. */
  pauseMs(mostMs: number): number {
    return Math.round(mostMs * this.next() ** 4);
  }

  uuid(): string {
    const hex = (digits: number) =>
      Math.floor(this.next() * 16 ** digits)
        .toString(16)
        .padStart(digits, "0");
    return `${hex(8)}-${hex(4)}-4${hex(3)}-8${hex(3)}-${hex(6)}${hex(6)}`;
  }
}
