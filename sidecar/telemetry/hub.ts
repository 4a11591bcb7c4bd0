import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type {
  ContainerFigures,
  Position,
  ServerState,
  TelemetryLine,
} from "../../shared/protocol/sidecar.ts";
import type { Task } from "../../shared/swarm/task.ts";
import type { Logger } from "../log.ts";
import { type PoolReport, TelemetryPicture } from "./picture.ts";

/** What a poll came to: what the pool's servers tell, null if none of them answered, and how each of them is. */
export type CollectorNews = { report: PoolReport | null; servers: ServerState[] };

/** What asks the servers of one pool. */
export interface TelemetrySource {
  readonly pool: string;
  /** How each of its servers is, as of now. */
  servers(): ServerState[];
  /** Asks about this often, and tells what came; null: not at all. */
  watch(intervalMs: number | null, tell: (news: CollectorNews) => void): void;
}

export type TelemetryHubOptions = {
  sources: readonly TelemetrySource[];
  /** Tells of the container that the swarm lives in, until it is stopped. */
  watchContainer(tell: (figures: ContainerFigures | null) => void): () => void;
  /** Tasks as the ledger knows them. */
  tasks: readonly Task[];
  /** New with each start of the sidecar: offsets count within it. */
  epoch: string;
  log: Logger;
  now: () => number;
};

/** Who reads: a name of its own choice, how often it wants news, and where it stopped reading before. */
export type TelemetryRequest = { reader: string; intervalMs: number | null; position: Position | null };

type Reader = { stream: ReadableStreamDefaultController<Uint8Array>; intervalMs: number | null };

/**
 * Brings the telemetry of all servers, and the changes of tasks, to any number of readers. Every line is
 * encoded once for all of them. The servers are asked as often as the most demanding reader wants, and not
 * at all while nobody wants anything.
 */
export class TelemetryHub {
  readonly #options: TelemetryHubOptions;
  readonly #picture: TelemetryPicture;
  readonly #readers = new Map<string, Reader>();
  readonly #encoder = new TextEncoder();
  #keepAlive: NodeJS.Timeout | null = null;
  #stopContainer: (() => void) | null = null;
  #intervalMs: number | null = null;
  #closed = false;

  constructor(options: TelemetryHubOptions) {
    this.#options = options;
    const { epoch, sources, tasks } = options;
    const servers = sources.flatMap((source) => source.servers());
    this.#picture = new TelemetryPicture({ epoch, servers, tasks, nowMs: options.now() });
  }

  /** What the container used when it was measured last; null while nobody watches. */
  get container(): ContainerFigures | null {
    return this.#picture.container;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /**
   * A stream of `TelemetryLine`s as NDJSON. It begins with what the reader missed since its position, or with a
   * snapshot. It fails with `slow_consumer` when it is not read. A reader that comes again replaces itself.
   * @throws HivegateError `overloaded`, `shutting_down`
   */
  open({ reader, intervalMs, position }: TelemetryRequest): ReadableStream<Uint8Array> {
    if (this.#closed) throw new HivegateError("shutting_down");
    const before = this.#readers.get(reader);
    if (!before && this.#readers.size >= LIMITS.telemetryReaders) throw new HivegateError("overloaded");
    const first = this.#encode(this.#firstLine(position));
    let remove = () => {};
    return new ReadableStream<Uint8Array>(
      {
        start: (stream) => {
          stream.enqueue(first);
          const opened = { stream, intervalMs };
          remove = () => this.#remove(reader, opened);
          this.#add(reader, opened);
        },
        cancel: () => remove(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: first.length + LIMITS.telemetryReaderBacklogBytes }),
    );
  }

  /** A reader's clients want news more or less often. @throws HivegateError `not_found` when nobody of that name reads */
  demand(reader: string, intervalMs: number | null): void {
    const known = this.#readers.get(reader);
    if (!known) throw new HivegateError("not_found");
    known.intervalMs = intervalMs;
    this.#follow();
  }

  /** Call it after each change of a task, whether somebody reads or not: offsets count all changes. */
  taskChanged(task: Task): void {
    this.#say(this.#picture.applyTask(task, this.#options.now()));
  }

  /** Ends all streams, and asks the servers no more. */
  close(): void {
    this.#closed = true;
    for (const [name, reader] of this.#readers) {
      reader.stream.close();
      this.#remove(name, reader);
    }
  }

  #firstLine(position: Position | null): TelemetryLine {
    const nowMs = this.#options.now();
    const missed = position ? this.#picture.missedSince(position, nowMs) : "snapshot";
    if (missed === "snapshot") return this.#picture.snapshot(nowMs);
    return missed === "up_to_date" ? { type: "alive", timestamp: nowMs } : missed;
  }

  #add(name: string, reader: Reader): void {
    const before = this.#readers.get(name);
    this.#readers.set(name, reader);
    before?.stream.close();
    this.#keepAlive ??= setInterval(
      () => this.#say({ type: "alive", timestamp: this.#options.now() }),
      LIMITS.telemetryKeepAliveMs,
    );
    this.#follow();
  }

  #remove(name: string, reader: Reader): void {
    if (this.#readers.get(name) !== reader) return;
    this.#readers.delete(name);
    this.#follow();
    if (this.#readers.size > 0 || !this.#keepAlive) return;
    clearInterval(this.#keepAlive);
    // A timer that is cleared and then refreshed would run again.
    this.#keepAlive = null;
  }

  /** Asks as often as the most demanding reader wants. */
  #follow(): void {
    const wanted = [...this.#readers.values()].flatMap(({ intervalMs }) => intervalMs ?? []);
    const intervalMs = wanted.length > 0 ? Math.min(...wanted) : null;
    if (intervalMs === this.#intervalMs) return;
    this.#intervalMs = intervalMs;
    for (const source of this.#options.sources)
      source.watch(intervalMs, (news) => this.#heard(source.pool, news));
    if (intervalMs !== null) {
      this.#stopContainer ??= this.#options.watchContainer((figures) =>
        this.#say(this.#picture.applyContainer(figures, this.#options.now())),
      );
      return;
    }
    this.#stopContainer?.();
    this.#stopContainer = null;
    this.#say(this.#picture.applyContainer(null, this.#options.now()));
    // Whoever comes next begins with what is known now, and has to see how old it is.
    const servers = this.#options.sources.flatMap((source) => source.servers());
    this.#say(this.#picture.applyServers(servers, this.#options.now()));
  }

  #heard(pool: string, { report, servers }: CollectorNews): void {
    const nowMs = this.#options.now();
    this.#say(
      report
        ? this.#picture.applyPoll(pool, report, servers, nowMs)
        : this.#picture.applyServers(servers, nowMs),
    );
  }

  #say(line: TelemetryLine | null): void {
    if (!line || this.#readers.size === 0) return;
    const bytes = this.#encode(line);
    const slow: [string, Reader][] = [];
    for (const [name, reader] of this.#readers) {
      // Zero or less: what may lie unread is used up.
      if ((reader.stream.desiredSize ?? 0) > 0) reader.stream.enqueue(bytes);
      else slow.push([name, reader]);
    }
    // It tells of a silence, and there was none.
    this.#keepAlive?.refresh();
    // Only when everybody has this line: what comes of their end may be a line itself.
    for (const [name, reader] of slow) this.#cutOff(name, reader);
  }

  #cutOff(name: string, reader: Reader): void {
    if (this.#readers.get(name) !== reader) return;
    this.#options.log.warn("a telemetry reader is too slow: it is cut off");
    reader.stream.error(new HivegateError("slow_consumer"));
    this.#remove(name, reader);
  }

  #encode(line: TelemetryLine): Uint8Array {
    return this.#encoder.encode(`${JSON.stringify(line)}\n`);
  }
}
