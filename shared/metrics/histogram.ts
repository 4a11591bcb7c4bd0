import { seriesOf } from "./text.ts";

/** How long things took, in seconds, as Prometheus keeps it: how many took at most so long. */
export class Histogram {
  readonly #bounds: readonly number[];
  readonly #counts: number[];
  #sum = 0;

  /** `bounds` in seconds, ascending. */
  constructor(bounds: readonly number[]) {
    this.#bounds = bounds;
    this.#counts = [...bounds, Number.POSITIVE_INFINITY].map(() => 0);
  }

  observe(seconds: number): void {
    const found = this.#bounds.findIndex((bound) => seconds <= bound);
    const place = found === -1 ? this.#bounds.length : found;
    this.#counts[place] = (this.#counts[place] ?? 0) + 1;
    this.#sum += seconds;
  }

  *samples(name: string): Generator<[series: string, value: number], void, void> {
    let count = 0;
    for (const [place, within] of this.#counts.entries()) {
      count += within;
      const le = String(this.#bounds[place] ?? "+Inf");
      yield [seriesOf(`${name}_bucket`, { le }), count];
    }
    yield [`${name}_sum`, this.#sum];
    yield [`${name}_count`, count];
  }
}
