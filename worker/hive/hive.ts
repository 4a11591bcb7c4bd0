/**
 * One hive: holds the only telemetry stream from its sidecar, and only while some shard watches. Keeps the
 * picture, so that a shard that comes later starts whole, and passes every line on as it came.
 */
import { type Clock, pause } from "../../shared/clock.ts";
import { HivegateError } from "../../shared/errors.ts";
import { CIRCUIT_LEVELS } from "../../shared/metrics/circuit-levels.ts";
import { timed } from "../../shared/metrics/timed.ts";
import { type Backoff, backoffMs } from "../../shared/pressure/backoff.ts";
import { BREAKER_RULES, type BreakerRules } from "../../shared/pressure/breaker.ts";
import { Guard } from "../../shared/pressure/guarded.ts";
import type { Position } from "../../shared/protocol/sidecar.ts";
import { Picture } from "../../shared/swarm/picture.ts";
import { EVERYTHING, seenOfMissed } from "../../shared/swarm/view.ts";
import { series } from "../metrics.ts";
import type { TelemetryRequest, TelemetryText } from "../sidecar-client.ts";
import { DemandLine } from "./demand-line.ts";
import { type FeedMessage, FeedNews, type HiveStatus, ShardMessage } from "./feed.ts";
import { HiveMetrics } from "./hive-metrics.ts";

/** The Hive's end of a feed to a shard. */
export interface ShardSocket {
  send(news: FeedNews): void;
  close(): void;
}

export type HivePorts = {
  clock: Clock;
  random(): number;
  uuid(): string;
  telemetry(request: TelemetryRequest, signal: AbortSignal): AsyncIterable<TelemetryText>;
  demand(reader: string, intervalMs: number | null): Promise<void>;
  /** The circuit breaker's state outlives the Hive's memory. */
  store: { load(): unknown; save(state: unknown): void };
  log(message: string, error: unknown): void;
};

type Watcher = { socket: ShardSocket; intervalMs: number | null; watching: boolean };

/** A stream that opens is proof enough. */
const RULES: BreakerRules = { ...BREAKER_RULES, mostMs: 30_000, successesToClose: 1 };
const RETRY: Backoff = { firstMs: 250, mostMs: 10_000 };
const GOOD_AFTER_MS = 5_000;

export class Hive {
  readonly #ports: HivePorts;
  readonly #shards = new Map<string, Watcher>();
  readonly #picture = new Picture();
  readonly #guard: Guard;
  readonly #demand: DemandLine;
  readonly #metrics = new HiveMetrics();
  /** Of the MCP servers' configuration, as the sidecar told last. */
  #configRevision: number | null = null;
  /** Its name at the sidecar, followed by how often it has come there: see `TelemetryRequest`. */
  readonly #reader: string;
  #stream: AbortController | null = null;
  #live = false;
  /** When the sidecar was heard last; before that, since when it is missed. */
  #heardMs: number;
  /** A line did not fit: the place held is not to be gone on from. */
  #startOver = false;

  constructor(ports: HivePorts) {
    this.#ports = ports;
    this.#guard = new Guard({
      rules: RULES,
      clock: ports.clock,
      random: ports.random,
      saved: ports.store.load(),
      changed: (state) => {
        ports.store.save(state);
        this.#tellStatus();
      },
    });
    const { clock, log } = ports;
    this.#demand = new DemandLine({
      ...{ clock, log },
      demand: (reader, intervalMs) => this.#counted(() => ports.demand(reader, intervalMs)),
    });
    this.#reader = ports.uuid();
    this.#heardMs = ports.clock.now();
  }

  /** A feed to a shard is open. Replaces the shard's earlier one. */
  shardConnected(shard: string, socket: ShardSocket): void {
    this.#shards.get(shard)?.socket.close();
    this.#shards.set(shard, { socket, intervalMs: null, watching: false });
    if (!this.#stream) void this.#watch();
  }

  shardReceived(shard: string, text: string): void {
    const watcher = this.#shards.get(shard);
    if (!watcher) return;
    const message = ShardMessage.parse(JSON.parse(text));
    if (message.type === "report") {
      this.#metrics.heard(shard, message);
      return;
    }
    watcher.intervalMs = message.intervalMs;
    this.#demand.want(this.#wanted());
    if (message.type === "demand") return;
    watcher.watching = true;
    send(watcher, { type: "status", status: this.#status() });
    // What is in force while nobody listens is not known.
    if (this.#live && this.#configRevision !== null)
      send(watcher, { type: "config_revision", revision: this.#configRevision });
    this.#catchUp(watcher, message.position);
  }

  /** The last shard to go ends the stream: nobody watches, nothing is polled. */
  shardClosed(shard: string, socket: ShardSocket): void {
    if (this.#shards.get(shard)?.socket !== socket) return;
    this.#shards.delete(shard);
    this.#metrics.forget(shard);
    if (this.#shards.size > 0) {
      this.#demand.want(this.#wanted());
      return;
    }
    // Nobody is left to be told: the sidecar forgets a reader with its stream.
    this.#demand.close();
    this.#stream?.abort();
    this.#stream = null;
    this.#live = false;
  }

  /** For metrics: what is known here of this hive's clients and of the way to its sidecar. */
  samples(): Map<string, number> {
    const samples = this.#metrics.samples();
    const isMissed = this.#shards.size > 0 && !this.#live;
    const staleMs = isMissed ? this.#ports.clock.now() - this.#heardMs : 0;
    samples.set(series("shards"), this.#shards.size);
    samples.set(series("feed_live"), Number(this.#live));
    samples.set(series("stale_seconds"), Math.max(0, staleMs) / 1000);
    samples.set(
      series("circuit_state", { dependency: "sidecar" }),
      CIRCUIT_LEVELS[this.#guard.circuit.state],
    );
    return samples;
  }

  async #watch(): Promise<void> {
    const stream = new AbortController();
    this.#stream = stream;
    for (let attempt = 0; !stream.signal.aborted; attempt++) {
      const sinceMs = this.#ports.clock.now();
      try {
        await this.#read(stream.signal);
      } catch (error) {
        if (!stream.signal.aborted && !isCircuitOpen(error)) this.#ports.log("telemetry stream", error);
      }
      if (stream.signal.aborted) return;
      // One that opens and fails at once is no better than one that does not open.
      if (this.#ports.clock.now() - sinceMs >= GOOD_AFTER_MS) attempt = 0;
      this.#demand.close();
      this.#lose();
      const waitMs = this.#guard.retryInMs || backoffMs(RETRY, attempt, this.#ports.random());
      await pause(this.#ports.clock, waitMs, stream.signal);
    }
  }

  /** Reads one stream to its end. What the breaker guards is that it opens, with a line. */
  async #read(signal: AbortSignal): Promise<void> {
    const reader = `${this.#reader}.${++this.#metrics.streams}`;
    const intervalMs = this.#wanted();
    const lines = this.#ports.telemetry({ reader, intervalMs, position: this.#position() }, signal);
    const iterator = lines[Symbol.asyncIterator]();
    try {
      let next = await this.#guard.run(
        () => this.#counted(() => firstOf(iterator)),
        () => (signal.aborted ? null : true),
      );
      // Everybody may have left just then, and others have come since: this stream is not theirs.
      if (signal.aborted) return;
      this.#startOver = false;
      this.#demand.open(reader, intervalMs);
      this.#demand.want(this.#wanted());
      while (!next.done && !signal.aborted && this.#take(next.value)) next = await iterator.next();
    } finally {
      await iterator.return?.();
    }
  }

  #counted<T>(request: () => Promise<T>): Promise<T> {
    return timed(request, this.#metrics.sidecar.observe, { now: () => this.#ports.clock.now() });
  }

  #position(): Position | null {
    const { epoch, offset } = this.#picture;
    return epoch === null || this.#startOver ? null : { epoch, offset };
  }

  /** False: a line is missing, and the stream has to be opened anew. */
  #take({ line, text }: TelemetryText): boolean {
    if (this.#picture.apply(line) === "gap") {
      this.#startOver = true;
      return false;
    }
    this.#metrics.lines++;
    this.#heardMs = this.#ports.clock.now();
    if (!this.#live) {
      this.#live = true;
      this.#tellStatus();
    }
    if ("revision" in line) this.#configRevision = line.revision;
    if (line.type !== "alive") this.#broadcast(new FeedNews(line, text));
    return true;
  }

  #lose(): void {
    if (!this.#live) return;
    this.#live = false;
    this.#tellStatus();
  }

  /** What a shard missed, or the whole picture if that is not remembered. */
  #catchUp(watcher: Watcher, position: Position | null): void {
    const { epoch, offset } = this.#picture;
    if (epoch === null) return;
    const timestamp = this.#ports.clock.now();
    if (!position || !this.#picture.remembers(position)) {
      send(watcher, { ...this.#picture.toSnapshot(epoch, timestamp), asked: true });
      return;
    }
    const change = seenOfMissed(this.#picture.missedSince(position.offset), this.#picture, EVERYTHING) ?? {};
    send(watcher, { type: "change", epoch, from: position.offset, offset, timestamp, change });
  }

  /** The shortest interval that any shard's clients want; null: none of them wants news. */
  #wanted(): number | null {
    const wanted = [...this.#shards.values()].flatMap(({ intervalMs }) => intervalMs ?? []);
    return wanted.length > 0 ? Math.min(...wanted) : null;
  }

  #status(): HiveStatus {
    const staleSince = this.#live ? null : this.#heardMs;
    return { live: this.#live, staleSince, circuit: this.#guard.circuit };
  }

  #tellStatus(): void {
    this.#broadcast(new FeedNews({ type: "status", status: this.#status() }));
  }

  #broadcast(news: FeedNews): void {
    for (const { socket, watching } of this.#shards.values()) if (watching) socket.send(news);
  }
}

const send = ({ socket }: Watcher, message: FeedMessage): void => socket.send(new FeedNews(message));

/** @throws HivegateError `sidecar_unreachable` when the stream ends before it has said anything */
async function firstOf(iterator: AsyncIterator<TelemetryText>): Promise<IteratorResult<TelemetryText>> {
  const first = await iterator.next();
  if (first.done) throw new HivegateError("sidecar_unreachable");
  return first;
}

const isCircuitOpen = (error: unknown): boolean =>
  error instanceof HivegateError && error.code === "circuit_open";
