import { Histogram } from "../shared/metrics/histogram.ts";
import type { Observe } from "../shared/metrics/timed.ts";
import { series } from "./metrics.ts";

const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 35];

/** What one object asks of the sidecar: how it went, and how long it took. */
export class SidecarCalls {
  readonly #outcomes = new Map<string, number>([["ok", 0]]);
  readonly #durations = new Histogram(BUCKETS_S);

  readonly observe: Observe = (outcome, durationMs) => {
    this.#outcomes.set(outcome, (this.#outcomes.get(outcome) ?? 0) + 1);
    this.#durations.observe(durationMs / 1000);
  };

  *samples(): Generator<readonly [string, number], void, void> {
    for (const [outcome, count] of this.#outcomes)
      yield [series("sidecar_requests_total", { outcome }), count];
    yield* this.#durations.samples(series("sidecar_request_duration_seconds"));
  }
}
