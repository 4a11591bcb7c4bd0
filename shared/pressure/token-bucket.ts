/** A rate limit: `burst` at once, `perSecond` after that. Plain state, so that it can be stored. */
export type TokenBucket = { tokens: number; atMs: number };
export type Rate = { burst: number; perSecond: number };

export const fullBucket = (rate: Rate, nowMs: number): TokenBucket => ({ tokens: rate.burst, atMs: nowMs });

/**
 * Takes so many tokens, if there is one at least: others are owed. `waitMs` is how long until the next one when there
 * is none.
 */
export function take(
  bucket: TokenBucket,
  rate: Rate,
  nowMs: number,
  taken = 1,
): { allowed: boolean; waitMs: number; bucket: TokenBucket } {
  const earned = (Math.max(0, nowMs - bucket.atMs) / 1000) * rate.perSecond;
  const tokens = Math.min(rate.burst, bucket.tokens + earned);
  if (tokens >= 1) return { allowed: true, waitMs: 0, bucket: { tokens: tokens - taken, atMs: nowMs } };
  const waitMs = Math.ceil(((1 - tokens) / rate.perSecond) * 1000);
  return { allowed: false, waitMs, bucket: { tokens, atMs: nowMs } };
}

/** Whether it is as if nothing had ever been taken. */
export const isFull = ({ tokens, atMs }: TokenBucket, rate: Rate, nowMs: number): boolean =>
  tokens + (Math.max(0, nowMs - atMs) / 1000) * rate.perSecond >= rate.burst;

/** One token back, for what should not have cost any. */
export const returned = ({ tokens, atMs }: TokenBucket, rate: Rate): TokenBucket => ({
  tokens: Math.min(rate.burst, tokens + 1),
  atMs,
});
