/** The streamed calls of all clients: each its client's alone, and no more of them than there is room for. */
import { createHash } from "node:crypto";
import type { Clock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { StartToolStream, ToolStream } from "../../../shared/protocol/tools.ts";
import type { Upstream } from "../upstream.ts";
import { SpentKeys } from "./spent-keys.ts";
import { Stream, type StreamedCall } from "./stream.ts";

export type ToolStreamsPorts = {
  /** The MCP server of this name; null: there is none. */
  upstream(name: string): Upstream | null;
  clock: Clock;
  uuid(): string;
};

export type ToolStreamFigures = { underWay: number; kept: number; readers: number; bytes: number };

export class ToolStreams {
  readonly #ports: ToolStreamsPorts;
  /** In the order in which they were started, and those that ended in the order in which they did. */
  readonly #streams = new Map<string, Stream>();
  readonly #spent = new SpentKeys();
  #isClosed = false;

  constructor(ports: ToolStreamsPorts) {
    this.#ports = ports;
  }

  /** What there is now; readers have a connection of their own each. */
  readonly figures = (): ToolStreamFigures => {
    const all = this.#all();
    const kept = all.filter(({ isDone }) => isDone).length;
    return { underWay: all.length - kept, kept, readers: readersOf(all), bytes: bytesOf(all) };
  };

  /**
   * Begins a call and does not wait for it. A request that comes again under its key finds what it began.
   * @throws HivegateError `unknown_server`, `idempotency_conflict`, `unknown_stream` (what it began had to make room),
   * `overloaded`, `shutting_down`
   */
  start(client: string, request: StartToolStream): ToolStream {
    if (this.#isClosed) throw new HivegateError("shutting_down");
    const { key = null, server, tool, id = null, arguments: given } = request;
    const likeness = likenessOf([server, tool, given]);
    const known =
      key === null ? undefined : this.#all(({ call }) => call.client === client && call.key === key)[0];
    if (known && known.call.likeness !== likeness)
      throw new HivegateError("idempotency_conflict", "This key was used for another call. Use a new key.");
    if (known) return said(known, false);
    if (key !== null && this.#spent.has(client, key, this.#ports.clock.now()))
      throw new HivegateError(
        "unknown_stream",
        "The call of this key was made and is forgotten. Use a new key.",
      );
    const upstream = this.#ports.upstream(server);
    if (!upstream) throw new HivegateError("unknown_server");
    this.#makeRoom(client);
    const { timeoutMs = LIMITS.toolStreamSilenceMs, trace } = request;
    const streamId = this.#ports.uuid();
    const stream = this.#add({
      ...{ streamId, server, tool, id, client },
      ...{ timeoutMs, key, likeness, ...(trace && { trace }) },
    });
    void stream.run(upstream, given);
    return said(stream, true);
  }

  /** @throws HivegateError `unknown_stream` */
  get(client: string, streamId: string): ToolStream {
    return said(this.#of(client, streamId), false);
  }

  /**
   * Its events after number `after` as Server-Sent Events, until its last one.
   * @throws HivegateError `unknown_stream`, `overloaded`
   */
  read(client: string, streamId: string, after: number): ReadableStream<Uint8Array> {
    const stream = this.#of(client, streamId);
    const own = this.#all(({ call }) => call.client === client);
    if (readersOf(own) >= LIMITS.toolReadersPerClient || readersOf(this.#all()) >= LIMITS.toolReaders)
      throw new HivegateError(
        "overloaded",
        "Too many streamed calls are read. Close some, or try again later.",
      );
    return stream.read(after);
  }

  /** Its last chunk tells of it. One that is over stays as it is. @throws HivegateError `unknown_stream` */
  cancel(client: string, streamId: string): ToolStream {
    const stream = this.#of(client, streamId);
    stream.cancel(new HivegateError("cancelled"));
    return said(stream, false);
  }

  /** Ends every call and every reader's stream. */
  close(): void {
    this.#isClosed = true;
    for (const stream of this.#all()) this.#forget(stream);
  }

  #add(call: StreamedCall): Stream {
    const stream = new Stream(call, {
      clock: this.#ports.clock,
      ended: (ended) => this.#ended(ended),
      expired: (expired) => this.#forget(expired),
    });
    this.#streams.set(call.streamId, stream);
    return stream;
  }

  #of(client: string, streamId: string): Stream {
    const stream = this.#streams.get(streamId);
    if (stream?.call.client !== client) throw new HivegateError("unknown_stream");
    return stream;
  }

  /** Whatever is over goes before anything new is refused. @throws HivegateError `overloaded` */
  #makeRoom(client: string): void {
    const own = this.#all(({ call }) => call.client === client);
    if (own.length >= LIMITS.toolStreamsPerClient) this.#forgetOldest(own, "of one client");
    if (this.#streams.size >= LIMITS.toolStreams) this.#forgetOldest(this.#all(), "here");
  }

  #forgetOldest(streams: Stream[], whose: string): void {
    const oldest = streams.find(({ isDone }) => isDone);
    if (!oldest)
      throw new HivegateError(
        "overloaded",
        `${streams.length} streamed calls ${whose} are under way. Try again later.`,
      );
    this.#giveUp(oldest);
  }

  /** One that is read goes as well: its reader may be one that reads nothing. */
  #ended(stream: Stream): void {
    this.#streams.delete(stream.call.streamId);
    this.#streams.set(stream.call.streamId, stream);
    let bytes = bytesOf(this.#all());
    for (const oldest of this.#all(({ isDone }) => isDone)) {
      if (bytes <= LIMITS.toolStreamsBytes) return;
      bytes -= oldest.bytes;
      this.#giveUp(oldest);
    }
  }

  /** Its time is not over, so it may still be asked for by its key. */
  #giveUp(stream: Stream): void {
    const { client, key } = stream.call;
    if (key !== null) this.#spent.add(client, key, this.#ports.clock.now());
    this.#forget(stream);
  }

  #forget(stream: Stream): void {
    this.#streams.delete(stream.call.streamId);
    stream.close();
  }

  #all(which: (stream: Stream) => boolean = () => true): Stream[] {
    return [...this.#streams.values()].filter(which);
  }
}

const bytesOf = (streams: Stream[]): number => streams.reduce((sum, { bytes }) => sum + bytes, 0);
const readersOf = (streams: Stream[]): number => streams.reduce((sum, { readers }) => sum + readers, 0);

function said({ call, isDone }: Stream, created: boolean): ToolStream {
  const { streamId, server, tool, id } = call;
  return { streamId, server, tool, id, done: isDone, created };
}

/** A request need not be kept to be known again. */
const likenessOf = (request: unknown): string =>
  createHash("sha256").update(JSON.stringify(request)).digest("base64");
