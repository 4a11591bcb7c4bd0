/** How long to wait between tries: `firstMs` doubling up to `mostMs`, with full jitter on the upper half. */
export type Backoff = { firstMs: number; mostMs: number };

/** Milliseconds to wait before try number `attempt` (0 is the first retry). `random` is in [0, 1). */
export function backoffMs(backoff: Backoff, attempt: number, random: number): number {
  const ceiling = Math.min(backoff.mostMs, backoff.firstMs * 2 ** Math.min(attempt, 30));
  return Math.round(ceiling / 2 + (ceiling / 2) * random);
}
