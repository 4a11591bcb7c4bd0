import { Counter, Histogram, type Registry } from "prom-client";

export type CallLabels<Label extends string> = Record<Label, string>;
export type ObserveCall<Label extends string> = (
  labels: CallLabels<Label>,
  outcome: string,
  durationMs: number,
) => void;
export type CallCounts<Label extends string> = {
  observe: ObserveCall<Label>;
  /** Drops what was counted of `labels` as if they had never been. */
  forget(labels: CallLabels<Label>): void;
};

/** From what is answered at once to what takes as long as it may. */
const BUCKETS_S = [0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30];

/**
 * Counts calls of one kind by outcome (`NAMEs_total`) and keeps how long they took (`NAME_duration_seconds`).
 * Every label value comes from the configuration or a fixed list, so there are never more series than those, if what is
 * not configured any more is forgotten.
 */
export function countCalls<const Label extends string>(
  registry: Registry,
  { name, what, labels }: { name: string; what: string; labels: readonly Label[] },
): CallCounts<Label> {
  const outcomes = new Set<string>();
  const calls = new Counter({
    name: `${name}s_total`,
    help: `${what}, by outcome: ok, or what went wrong.`,
    labelNames: [...labels, "outcome"],
    registers: [registry],
  });
  const durations = new Histogram({
    name: `${name}_duration_seconds`,
    help: `${what}: how long they took, whatever the outcome.`,
    labelNames: [...labels],
    buckets: BUCKETS_S,
    registers: [registry],
  });
  return {
    observe(values, outcome, durationMs) {
      outcomes.add(outcome);
      calls.inc({ ...values, outcome });
      durations.observe(values, durationMs / 1000);
    },
    forget(values) {
      for (const outcome of outcomes) calls.remove({ ...values, outcome });
      durations.remove(values);
    },
  };
}
