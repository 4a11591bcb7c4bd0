/**
 * Quantiles of durations within 1 % of the true value, in bounded memory (the idea of DDSketch): values are counted in
 * classes each of which is so much wider than the one below. Two sketches add up to that of all their values.
 */
import { z } from "zod";
import { seriesOf } from "./text.ts";

const RELATIVE_ERROR = 0.01;
const GROWTH = (1 + RELATIVE_ERROR) / (1 - RELATIVE_ERROR);
const LOG_GROWTH = Math.log(GROWTH);
/** Durations beyond these count as these: there are no more than 1,150 classes. */
const LEAST_MS = 0.01;
const MOST_MS = 24 * 60 * 60 * 1000;

/** As it is stored: `[class, count]`, how many took no time that could be measured, and what all took together. */
export const SavedSketch = z.object({
  zeros: z.number(),
  sumMs: z.number(),
  classes: z.array(z.tuple([z.number(), z.number()])),
});
export type SavedSketch = z.infer<typeof SavedSketch>;

export class QuantileSketch {
  readonly #classes = new Map<number, number>();
  #zeros: number;
  #count: number;
  #sumMs: number;

  constructor(saved: SavedSketch = { zeros: 0, sumMs: 0, classes: [] }) {
    this.#zeros = saved.zeros;
    this.#count = saved.zeros;
    this.#sumMs = saved.sumMs;
    for (const [place, count] of saved.classes) this.#add(place, count);
  }

  get count(): number {
    return this.#count;
  }

  observe(durationMs: number): void {
    this.#sumMs += durationMs;
    if (durationMs < LEAST_MS) {
      this.#zeros++;
      this.#count++;
    } else this.#add(Math.ceil(Math.log(Math.min(durationMs, MOST_MS)) / LOG_GROWTH), 1);
  }

  /** The duration that the share `quantile` (0 to 1) took at most; null: there were none. */
  quantileMs(quantile: number): number | null {
    if (this.#count === 0) return null;
    const rank = Math.max(1, Math.ceil(quantile * this.#count));
    let seen = this.#zeros;
    if (seen >= rank) return 0;
    for (const [place, count] of this.#ascending()) {
      seen += count;
      if (seen >= rank) return middleMs(place);
    }
    return null;
  }

  merge(other: QuantileSketch): void {
    this.#zeros += other.#zeros;
    this.#count += other.#zeros;
    this.#sumMs += other.#sumMs;
    for (const [place, count] of other.#classes) this.#add(place, count);
  }

  /** As a summary, in seconds. */
  *samples(
    name: string,
    labels: Readonly<Record<string, string>>,
    quantiles: readonly number[],
  ): Generator<[series: string, value: number], void, void> {
    for (const quantile of quantiles) {
      const ms = this.quantileMs(quantile);
      if (ms !== null) yield [seriesOf(name, { ...labels, quantile: String(quantile) }), ms / 1000];
    }
    yield [seriesOf(`${name}_sum`, labels), this.#sumMs / 1000];
    yield [seriesOf(`${name}_count`, labels), this.#count];
  }

  saved(): SavedSketch {
    return { zeros: this.#zeros, sumMs: this.#sumMs, classes: this.#ascending() };
  }

  #add(place: number, count: number): void {
    this.#classes.set(place, (this.#classes.get(place) ?? 0) + count);
    this.#count += count;
  }

  #ascending(): [place: number, count: number][] {
    return [...this.#classes].sort(([one], [other]) => one - other);
  }
}

/** As far, relatively, from a class's lower end as from its upper one. */
const middleMs = (place: number): number => (2 * GROWTH ** place) / (GROWTH + 1);
