import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { TelemetryLine } from "../../shared/protocol/sidecar.ts";
import type { Task } from "../../shared/swarm/task.ts";
import type { Logger } from "../log.ts";
import type { Collector, CollectorNews } from "./collector.ts";
import { TelemetryPicture } from "./picture.ts";

export type TelemetryHubOptions = {
  collectors: readonly Pick<Collector, "name" | "source" | "freshAtMs" | "start" | "stop">[];
  /** Tasks as the ledger knows them; the last 100 that changed go into a snapshot. */
  recentTasks(): Task[];
  /** New with each start of the sidecar: offsets count within it. */
  epoch: string;
  log: Logger;
  now: () => number;
};

type Reader = ReadableStreamDefaultController<Uint8Array>;

/**
 * Brings the telemetry of all servers, and the changes of tasks, to any number of readers. Every line is
 * encoded once for all of them, and the servers are asked only while somebody reads.
 */
export class TelemetryHub {
  readonly #options: TelemetryHubOptions;
  readonly #picture: TelemetryPicture;
  readonly #readers = new Set<Reader>();
  readonly #encoder = new TextEncoder();
  #keepAlive: NodeJS.Timeout | null = null;
  #closed = false;

  constructor(options: TelemetryHubOptions) {
    this.#options = options;
    this.#picture = new TelemetryPicture({
      epoch: options.epoch,
      servers: options.collectors,
      nowMs: options.now(),
    });
  }

  get readers(): number {
    return this.#readers.size;
  }

  /**
   * A stream of `TelemetryLine`s as NDJSON, with a snapshot first. It fails with `slow_consumer` when it is
   * not read.
   * @throws HivegateError `overloaded`, `shutting_down`
   */
  open(): ReadableStream<Uint8Array> {
    if (this.#closed) throw new HivegateError("shutting_down");
    if (this.#readers.size >= LIMITS.telemetryReaders) throw new HivegateError("overloaded");
    const snapshot = this.#encode(this.#picture.snapshot(this.#options.recentTasks(), this.#options.now()));
    let remove = () => {};
    return new ReadableStream<Uint8Array>(
      {
        start: (reader) => {
          reader.enqueue(snapshot);
          this.#add(reader);
          remove = () => this.#remove(reader);
        },
        cancel: () => remove(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: snapshot.length + LIMITS.telemetryReaderBacklogBytes }),
    );
  }

  /** Call it after each change of a task, whether somebody reads or not: offsets count all changes. */
  taskChanged(task: Task): void {
    this.#say(this.#picture.applyTask(task, this.#options.now()));
  }

  /** Ends all streams, and asks the servers no more. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers) {
      reader.close();
      this.#remove(reader);
    }
  }

  #add(reader: Reader): void {
    this.#readers.add(reader);
    if (this.#readers.size > 1) return;
    this.#keepAlive = setInterval(
      () => this.#say({ type: "alive", timestamp: this.#options.now() }),
      LIMITS.telemetryKeepAliveMs,
    );
    for (const collector of this.#options.collectors) {
      collector.start((news) => this.#heard(collector.name, news));
    }
  }

  #remove(reader: Reader): void {
    if (!this.#readers.delete(reader) || this.#readers.size > 0) return;
    if (this.#keepAlive) clearInterval(this.#keepAlive);
    // A timer that is cleared and then refreshed would run again.
    this.#keepAlive = null;
    for (const collector of this.#options.collectors) {
      collector.stop();
      // The next reader begins with what is known now, and has to see how old it is.
      if (collector.freshAtMs === null) continue;
      this.#picture.applyRest(collector.name, collector.freshAtMs, this.#options.now());
    }
  }

  #heard(server: string, news: CollectorNews): void {
    this.#say(
      news.kind === "agents"
        ? this.#picture.applyPoll(server, news.report.agents, news.nowMs)
        : this.#picture.applyFailure(server, news.staleSinceMs, news.nowMs),
    );
  }

  #say(line: TelemetryLine | null): void {
    if (!line || this.#readers.size === 0) return;
    const bytes = this.#encode(line);
    for (const reader of this.#readers) {
      // Zero or less: what may lie unread is used up.
      if ((reader.desiredSize ?? 0) > 0) reader.enqueue(bytes);
      else this.#cutOff(reader);
    }
    // It tells of a silence, and there was none.
    this.#keepAlive?.refresh();
  }

  #cutOff(reader: Reader): void {
    this.#options.log.warn("a telemetry reader is too slow: it is cut off");
    reader.error(new HivegateError("slow_consumer"));
    this.#remove(reader);
  }

  #encode(line: TelemetryLine): Uint8Array {
    return this.#encoder.encode(`${JSON.stringify(line)}\n`);
  }
}
