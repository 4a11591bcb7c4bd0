/** How much one session may ask for: frames in all, and among them those that cost more than an answer. */
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import {
  fullBucket,
  type Rate,
  returned,
  type TokenBucket,
  take,
} from "../../shared/pressure/token-bucket.ts";

const RATES = {
  frames: { burst: LIMITS.clientFrameBurst, perSecond: LIMITS.clientFramesPerSecond },
  /** Requests that make the swarm's host look. */
  lookUps: { burst: LIMITS.lookUpBurst, perSecond: LIMITS.lookUpsPerSecond },
  /** Requests that may be answered by a snapshot. */
  snapshots: { burst: LIMITS.snapshotBurst, perSecond: LIMITS.snapshotsPerSecond },
} as const satisfies Record<string, Rate>;

type Kind = keyof typeof RATES;

export class SessionRates {
  readonly #buckets: Record<Kind, TokenBucket>;

  constructor(nowMs: number) {
    this.#buckets = {
      frames: fullBucket(RATES.frames, nowMs),
      lookUps: fullBucket(RATES.lookUps, nowMs),
      snapshots: fullBucket(RATES.snapshots, nowMs),
    };
  }

  /** @throws HivegateError `rate_limited`, which says how long to wait */
  take(kind: Kind, nowMs: number): void {
    const { allowed, waitMs, bucket } = take(this.#buckets[kind], RATES[kind], nowMs);
    this.#buckets[kind] = bucket;
    if (!allowed)
      throw new HivegateError("rate_limited", `Too many requests. Wait ${waitMs} ms, then go on.`);
  }

  /** That frame was asked for by us: it costs the client nothing. */
  giveBack(): void {
    this.#buckets.frames = returned(this.#buckets.frames, RATES.frames);
  }
}
