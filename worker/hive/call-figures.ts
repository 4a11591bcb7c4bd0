/** The figures of one tool, or of one server: what its calls came to, and how long they took. */
import { z } from "zod";
import { ewma } from "../../shared/metrics/ewma.ts";
import { QuantileSketch, SavedSketch } from "../../shared/metrics/quantiles.ts";
import type { KeptEvent } from "../mcp/events.ts";

const Counts = z.object({
  ok: z.number(),
  error: z.number(),
  /** By the gateway, which passed it on to nobody: not among the durations. */
  refused: z.number(),
  cancelled: z.number(),
  hit: z.number(),
  miss: z.number(),
  joined: z.number(),
});
type Counts = z.infer<typeof Counts>;

/** As it is stored. */
export const SavedFigures = z.object({
  counts: Counts,
  averageMs: z.number().nullable(),
  sketch: SavedSketch,
});
export type SavedFigures = z.infer<typeof SavedFigures>;

/** `average_ms` leans towards the last calls; durations are null before the first call that came to its end. */
export type FiguresReport = {
  count: number;
  errors: number;
  refused: number;
  cancelled: number;
  cache_hits: number;
  average_ms: number | null;
  p50_ms: number | null;
  p95_ms: number | null;
  p99_ms: number | null;
};

export const QUANTILES = [0.5, 0.95, 0.99] as const;

/** How much the last call weighs in the moving average. */
const WEIGHT = 0.1;

export class CallFigures {
  readonly counts: Counts;
  readonly sketch: QuantileSketch;
  #averageMs: number | null;

  constructor(saved?: SavedFigures) {
    this.counts = saved ? { ...saved.counts } : { ...NONE };
    this.sketch = new QuantileSketch(saved?.sketch);
    this.#averageMs = saved?.averageMs ?? null;
  }

  add({ outcome, cache, durationMs }: Pick<KeptEvent, "outcome" | "cache" | "durationMs">): void {
    this.counts[outcome]++;
    if (cache) this.counts[cache]++;
    if (outcome === "refused" || outcome === "cancelled") return;
    this.#averageMs = ewma(this.#averageMs, durationMs, WEIGHT);
    this.sketch.observe(durationMs);
  }

  /** The average stays that of whoever has one: two averages have no order in time. */
  merge(other: CallFigures): void {
    for (const name of Counts.keyof().options) this.counts[name] += other.counts[name];
    this.sketch.merge(other.sketch);
    this.#averageMs ??= other.#averageMs;
  }

  report(): FiguresReport {
    const { ok, error, refused, cancelled, hit } = this.counts;
    const [p50, p95, p99] = QUANTILES.map((quantile) => this.sketch.quantileMs(quantile));
    return {
      ...{ count: ok + error + cancelled, errors: error, refused, cancelled, cache_hits: hit },
      average_ms: this.#averageMs,
      ...{ p50_ms: p50 ?? null, p95_ms: p95 ?? null, p99_ms: p99 ?? null },
    };
  }

  saved(): SavedFigures {
    return { counts: this.counts, averageMs: this.#averageMs, sketch: this.sketch.saved() };
  }
}

const NONE: Counts = { ok: 0, error: 0, refused: 0, cancelled: 0, hit: 0, miss: 0, joined: 0 };
