import type { Clock } from "../../shared/clock.ts";
import type { ShardReport } from "../hive/feed.ts";

type Samples = Iterable<readonly [series: string, value: number]>;

export type ShardReporterPorts = {
  clock: Clock;
  /** What was counted since this shard has its memory. */
  counts(): Samples;
  /** What is so now. */
  gauges(): Samples;
  /** False: there is no feed. */
  send(report: ShardReport): boolean;
};

const EVERY_MS = 10_000;
/** After a silence it waits for what an event brings about, which may take until the slowest mode's next tick. */
const SETTLE_MS = 2_000;

/**
 * Tells the Hive what this shard counts, for metrics: a while after something happened, and seldom. Where
 * nothing happens there is no timer, so that the shard can hibernate. Counters are told as what was added, so
 * that a shard that loses its memory takes nothing away from the sum.
 */
export class ShardReporter {
  readonly #ports: ShardReporterPorts;
  readonly #told = new Map<string, number>();
  #toldGauges: string | null = null;
  #toldMs = Number.NEGATIVE_INFINITY;
  #cancel: (() => void) | null = null;

  constructor(ports: ShardReporterPorts) {
    this.#ports = ports;
  }

  /** Something happened that may be counted. */
  noted(): void {
    if (this.#cancel) return;
    const { clock } = this.#ports;
    const sinceMs = Math.max(0, clock.now() - this.#toldMs);
    this.#cancel = clock.after(Math.max(SETTLE_MS, EVERY_MS - sinceMs), () => this.tell());
  }

  /** The Hive that listens now may know nothing. */
  startOver(): void {
    this.#toldGauges = null;
    this.noted();
  }

  /** Tells now, if there is news; what cannot be told is told with what comes next. */
  tell(): void {
    this.#cancel?.();
    this.#cancel = null;
    const now = [...this.#ports.counts()];
    const added = now.flatMap(([series, value]) => {
      const more = value - (this.#told.get(series) ?? 0);
      return more === 0 ? [] : [[series, more] as const];
    });
    const gauges = Object.fromEntries(this.#ports.gauges());
    const gaugesText = JSON.stringify(gauges);
    if (added.length === 0 && gaugesText === this.#toldGauges) return;
    if (!this.#ports.send({ type: "report", added: Object.fromEntries(added), gauges })) return;
    for (const [series, value] of now) this.#told.set(series, value);
    this.#toldGauges = gaugesText;
    this.#toldMs = this.#ports.clock.now();
  }
}
