/**
 * One hive: holds the only telemetry stream from its sidecar, and only while some shard watches. Keeps the
 * picture, so that a shard that comes later starts whole, and passes every line on as it came.
 */
import { type Clock, pause } from "../../shared/clock.ts";
import { type Backoff, backoffMs } from "../../shared/pressure/backoff.ts";
import type { TelemetryLine } from "../../shared/protocol/sidecar.ts";
import { Picture } from "../../shared/swarm/picture.ts";
import { type FeedMessage, RESYNC } from "./feed.ts";

/** The Hive's end of a feed to a shard. */
export interface ShardSocket {
  send(text: string): void;
  close(): void;
}

export type HivePorts = {
  clock: Clock;
  random(): number;
  telemetry(signal: AbortSignal): AsyncIterable<{ line: TelemetryLine; text: string }>;
  log(message: string, error: unknown): void;
};

const RETRY: Backoff = { firstMs: 250, mostMs: 10_000 };

export class Hive {
  readonly #ports: HivePorts;
  readonly #shards = new Map<string, ShardSocket>();
  readonly #picture = new Picture();
  #stream: AbortController | null = null;
  #live = false;

  constructor(ports: HivePorts) {
    this.#ports = ports;
  }

  /** A feed to a shard is open. Replaces the shard's earlier one. */
  shardConnected(shard: string, socket: ShardSocket): void {
    this.#shards.get(shard)?.close();
    this.#shards.set(shard, socket);
    this.#sync(socket);
    if (!this.#stream && this.#shards.size > 0) void this.#watch();
  }

  shardReceived(shard: string, text: string): void {
    const socket = this.#shards.get(shard);
    if (socket && text === RESYNC) this.#sync(socket);
  }

  /** The last shard to go ends the stream: nobody watches, nothing is polled. */
  shardClosed(shard: string, socket: ShardSocket): void {
    if (this.#shards.get(shard) !== socket) return;
    this.#shards.delete(shard);
    if (this.#shards.size > 0) return;
    this.#stream?.abort();
    this.#stream = null;
    this.#live = false;
  }

  async #watch(): Promise<void> {
    const stream = new AbortController();
    this.#stream = stream;
    for (let attempt = 0; !stream.signal.aborted; attempt++) {
      try {
        for await (const { line, text } of this.#ports.telemetry(stream.signal)) {
          if (stream.signal.aborted) return;
          attempt = 0;
          if (!this.#take(line, text)) break;
        }
      } catch (error) {
        if (!stream.signal.aborted) this.#ports.log("telemetry stream", error);
      }
      if (stream.signal.aborted) return;
      this.#lose();
      await pause(this.#ports.clock, backoffMs(RETRY, attempt, this.#ports.random()), stream.signal);
    }
  }

  /** False: a line is missing, and the stream has to be opened anew. */
  #take(line: TelemetryLine, text: string): boolean {
    const outcome = this.#picture.apply(line);
    if (outcome === "gap") return false;
    if (line.type === "change") this.#broadcast(text);
    if (line.type === "snapshot") {
      this.#live = true;
      this.#broadcast(encode({ type: "sync", live: true, snapshot: line }));
    }
    return true;
  }

  #lose(): void {
    this.#live = false;
    this.#broadcast(encode({ type: "lost" }));
  }

  #broadcast(text: string): void {
    for (const socket of this.#shards.values()) socket.send(text);
  }

  #sync(socket: ShardSocket): void {
    const { epoch } = this.#picture;
    if (epoch === null) return;
    const snapshot = this.#picture.toSnapshot(epoch, this.#ports.clock.now());
    socket.send(encode({ type: "sync", live: this.#live, snapshot }));
  }
}

const encode = (message: FeedMessage): string => JSON.stringify(message);
