import { addAll, series } from "../metrics.ts";
import { ShardCounts } from "../session/shard-counts.ts";
import { SidecarCalls } from "../sidecar-calls.ts";
import type { ShardReport } from "./feed.ts";

/**
 * What a Hive knows to tell of itself and of its shards. Counters begin at 0 when the Hive loses its memory, which
 * Prometheus takes for what it is; gauges are as the shards told last.
 */
export class HiveMetrics {
  lines = 0;
  streams = 0;
  readonly sidecar = new SidecarCalls();
  readonly #added = new Map<string, number>(new ShardCounts().samples());
  readonly #gauges = new Map<string, ShardReport["gauges"]>();

  heard(shard: string, { added, gauges }: ShardReport): void {
    addAll(this.#added, Object.entries(added));
    this.#gauges.set(shard, gauges);
  }

  /** The shard has no clients any more, or is about to tell anew. */
  forget(shard: string): void {
    this.#gauges.delete(shard);
  }

  samples(): Map<string, number> {
    const samples = new Map(this.#added);
    for (const gauges of this.#gauges.values()) addAll(samples, Object.entries(gauges));
    samples.set(series("feed_lines_total"), this.lines);
    samples.set(series("feed_streams_total"), this.streams);
    addAll(samples, this.sidecar.samples());
    return samples;
  }
}
