/** Time as the Hive and the shards see it. */
export interface Clock {
  /** Milliseconds since the epoch. */
  now(): number;
  /** Calls `then` after `delayMs`; the answer calls it off. */
  after(delayMs: number, then: () => void): () => void;
}

export const systemClock: Clock = {
  now: () => Date.now(),
  after(delayMs, then) {
    const timer = setTimeout(then, delayMs);
    return () => clearTimeout(timer);
  },
};
