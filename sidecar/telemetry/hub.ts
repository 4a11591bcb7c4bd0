import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ConfigChanged } from "../../shared/protocol/config.ts";
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

/**
 * Who reads: a name of its own choice, how often it wants news, and where it stopped reading before. `NAME.1`, `NAME.2`
 * and so on are one reader that comes again. It takes the place of its earlier stream, which it has lost even if that
 * is not known here, and what it had still said of that one does not reach the new one.
 */
export type TelemetryRequest = {
  reader: string;
  intervalMs: number | null;
  position: Position | null;
  /** Whether it wants to hear of the MCP servers' configuration. */
  config?: boolean;
};

/** What is told of the MCP servers' configuration: `Configs` has it. */
export type ConfigNews = {
  readonly status: { revision: number };
  onChange(listener: (change: ConfigChanged) => void): void;
};

export type TelemetryFigures = {
  readers: number;
  isWatched: boolean;
  backlogBytes: number;
  /** Readers cut off because they were too slow, since the start. */
  cutOff: number;
  offset: number;
  agents: number;
};

type Reader = {
  name: string;
  stream: ReadableStreamDefaultController<Uint8Array>;
  /** What may lie unread. */
  mostBytes: number;
  intervalMs: number | null;
  config: boolean;
};

/** A name without the number of its stream. */
const whoIs = (name: string): string => name.replace(/\.\d+$/, "");

/**
 * Brings the telemetry of all servers, and the changes of tasks, to any number of readers. Every line is
 * encoded once for all of them. The servers are asked as often as the most demanding reader wants, and not
 * at all while nobody wants anything.
 */
export class TelemetryHub {
  readonly #options: TelemetryHubOptions;
  readonly #picture: TelemetryPicture;
  #sources: readonly TelemetrySource[];
  /** What each source told last. */
  readonly #reports = new Map<TelemetrySource, PoolReport>();
  /** By name, without the number of the stream. */
  readonly #readers = new Map<string, Reader>();
  readonly #encoder = new TextEncoder();
  #keepAlive: NodeJS.Timeout | null = null;
  #stopContainer: (() => void) | null = null;
  #configs: ConfigNews | null = null;
  #intervalMs: number | null = null;
  #cutOffs = 0;
  #closed = false;

  constructor(options: TelemetryHubOptions) {
    this.#options = options;
    const { epoch, sources, tasks } = options;
    this.#sources = sources;
    this.#picture = new TelemetryPicture({ epoch, servers: this.#servers(), tasks, nowMs: options.now() });
  }

  /** What the container used when it was measured last; null while nobody watches. */
  get container(): ContainerFigures | null {
    return this.#picture.container;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** For metrics. `backlogBytes` is what the slowest reader has not read, its snapshot included. */
  get figures(): TelemetryFigures {
    const backlogs = [...this.#readers.values()].map(
      ({ stream, mostBytes }) => mostBytes - (stream.desiredSize ?? mostBytes),
    );
    return {
      readers: this.#readers.size,
      isWatched: this.#intervalMs !== null,
      backlogBytes: Math.max(0, ...backlogs),
      cutOff: this.#cutOffs,
      ...this.#picture.figures,
    };
  }

  /**
   * A stream of `TelemetryLine`s as NDJSON. It begins with what the reader missed since its position, or with a
   * snapshot. It fails with `slow_consumer` when it is not read. A reader that comes again replaces itself.
   * @throws HivegateError `overloaded`, `shutting_down`
   */
  open({ reader: name, intervalMs, position, config = false }: TelemetryRequest): ReadableStream<Uint8Array> {
    if (this.#closed) throw new HivegateError("shutting_down");
    if (!this.#readers.has(whoIs(name)) && this.#readers.size >= LIMITS.telemetryReaders)
      throw new HivegateError("overloaded");
    const first = this.#first(position, config);
    const mostBytes = first.length + LIMITS.telemetryReaderBacklogBytes;
    let remove = () => {};
    return new ReadableStream<Uint8Array>(
      {
        start: (stream) => {
          stream.enqueue(first);
          const opened = { name, stream, mostBytes, intervalMs, config };
          remove = () => this.#remove(opened);
          this.#add(opened);
        },
        cancel: () => remove(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: mostBytes }),
    );
  }

  /** A reader's clients want news more or less often. @throws HivegateError `not_found` when nobody of that name reads */
  demand(name: string, intervalMs: number | null): void {
    const known = this.#readers.get(whoIs(name));
    if (known?.name !== name) throw new HivegateError("not_found");
    known.intervalMs = intervalMs;
    this.#follow();
  }

  /** Call it after each change of a task, whether somebody reads or not: offsets count all changes. */
  taskChanged(task: Task): void {
    this.#say(this.#picture.applyTask(task, this.#options.now()));
  }

  /** Tells of the MCP servers' configuration too. That is no part of the picture, and moves no offset. */
  watchConfigs(configs: ConfigNews): void {
    this.#configs = configs;
    configs.onChange((change) => this.#say(change, ({ config }) => config));
  }

  /**
   * These are the sources from now on. Those that there were before go on; new ones are asked at once, if anybody wants
   * news. The agents of those that are not among them any more are gone.
   */
  sourcesChanged(sources: readonly TelemetrySource[]): void {
    const gone = this.#sources.filter((source) => !sources.includes(source));
    const come = sources.filter((source) => !this.#sources.includes(source));
    this.#sources = sources;
    for (const source of gone) {
      this.#reports.delete(source);
      source.watch(null, () => {});
    }
    if (this.#intervalMs !== null) this.#watch(come, this.#intervalMs);
    const pools = new Set(gone.map(({ pool }) => pool));
    this.#say(this.#picture.applySources(this.#servers(), pools, this.#options.now()));
    if (gone.length > 0) this.#tellAgain();
  }

  /** Ends all streams, and asks the servers no more. */
  close(): void {
    this.#closed = true;
    for (const reader of this.#readers.values()) {
      reader.stream.close();
      this.#remove(reader);
    }
  }

  #first(position: Position | null, config: boolean): Uint8Array {
    const lines = [...(config ? this.#configLine() : []), this.#firstLine(position)];
    return this.#encoder.encode(lines.map((line) => `${JSON.stringify(line)}\n`).join(""));
  }

  #configLine(): TelemetryLine[] {
    return this.#configs ? [{ type: "config_revision", revision: this.#configs.status.revision }] : [];
  }

  #firstLine(position: Position | null): TelemetryLine {
    const nowMs = this.#options.now();
    const missed = position ? this.#picture.missedSince(position, nowMs) : "snapshot";
    if (missed === "snapshot") return this.#picture.snapshot(nowMs);
    return missed === "up_to_date" ? { type: "alive", timestamp: nowMs } : missed;
  }

  #add(reader: Reader): void {
    const who = whoIs(reader.name);
    const before = this.#readers.get(who);
    this.#readers.set(who, reader);
    before?.stream.close();
    this.#keepAlive ??= setInterval(
      () => this.#say({ type: "alive", timestamp: this.#options.now() }),
      LIMITS.telemetryKeepAliveMs,
    );
    this.#follow();
  }

  #remove(reader: Reader): void {
    const who = whoIs(reader.name);
    if (this.#readers.get(who) !== reader) return;
    this.#readers.delete(who);
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
    this.#watch(this.#sources, intervalMs);
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
    this.#say(this.#picture.applyServers(this.#servers(), this.#options.now()));
  }

  #servers(): ServerState[] {
    return this.#sources.flatMap((source) => source.servers());
  }

  #watch(sources: readonly TelemetrySource[], intervalMs: number | null): void {
    for (const source of sources) source.watch(intervalMs, (news) => this.#heard(source, news));
  }

  #heard(source: TelemetrySource, { report, servers }: CollectorNews): void {
    const nowMs = this.#options.now();
    if (report) this.#reports.set(source, report);
    this.#say(
      report
        ? this.#picture.applyPoll(source.pool, report, servers, nowMs)
        : this.#picture.applyServers(servers, nowMs),
    );
  }

  /** Agents of pools that are gone may be known to others too, and those that went left room for others. */
  #tellAgain(): void {
    for (const source of this.#sources) {
      const report = this.#reports.get(source);
      if (report) this.#heard(source, { report, servers: source.servers() });
    }
  }

  #say(line: TelemetryLine | null, isFor: (reader: Reader) => boolean = () => true): void {
    if (!line || this.#readers.size === 0) return;
    const bytes = this.#encode(line);
    const slow: Reader[] = [];
    for (const reader of [...this.#readers.values()].filter(isFor)) {
      // Zero or less: what may lie unread is used up.
      if ((reader.stream.desiredSize ?? 0) > 0) reader.stream.enqueue(bytes);
      else slow.push(reader);
    }
    // It tells of a silence, and there was none, but for those who do not hear of configuration.
    if (line.type !== "config_changed") this.#keepAlive?.refresh();
    // Only when everybody has this line: what comes of their end may be a line itself.
    for (const reader of slow) this.#cutOff(reader);
  }

  #cutOff(reader: Reader): void {
    // What came of another one's end may have been a line too many for this one.
    if (this.#readers.get(whoIs(reader.name)) !== reader) return;
    this.#cutOffs++;
    this.#options.log.warn("a telemetry reader is too slow: it is cut off");
    reader.stream.error(new HivegateError("slow_consumer"));
    this.#remove(reader);
  }

  #encode(line: TelemetryLine): Uint8Array {
    return this.#encoder.encode(`${JSON.stringify(line)}\n`);
  }
}
