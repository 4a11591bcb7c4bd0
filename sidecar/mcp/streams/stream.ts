/** One streamed call: what the server says of it is kept for whoever reads it, now or a while later. */
import type { Clock } from "../../../shared/clock.ts";
import { asHivegateError, HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { ToolChunkData, ToolStream } from "../../../shared/protocol/tools.ts";
import { pulledStream } from "../../http/pulled-stream.ts";
import type { Exchange, Upstream } from "../upstream.ts";
import { callTool } from "./call-tool.ts";
import { ChunkBuffer } from "./chunk-buffer.ts";

const KEEP_ALIVE_MS = 15_000;

/** What was asked for, but for the arguments, which may be long. `key` and `likeness` know a repeated request again. */
export type StreamedCall = Omit<ToolStream, "done" | "created"> & {
  client: string;
  timeoutMs: number;
  trace?: NonNullable<Exchange["trace"]>;
  key: string | null;
  likeness: string;
};

export type StreamPorts = {
  clock: Clock;
  /** The call is over; its last chunk is there. */
  ended(stream: Stream): void;
  /** It was kept for as long as it is kept. */
  expired(stream: Stream): void;
};

export class Stream {
  readonly call: StreamedCall;
  readonly #ports: StreamPorts;
  readonly #chunks: ChunkBuffer;
  readonly #cancelled = new AbortController();
  readonly #readers = new Set<{ wake(): void }>();
  #isClosed = false;
  #cancelTimer = (): void => {};

  constructor(call: StreamedCall, ports: StreamPorts) {
    this.call = call;
    this.#ports = ports;
    this.#chunks = new ChunkBuffer(call, { bytes: LIMITS.toolStreamBytes, chunks: LIMITS.toolStreamChunks });
    this.#awaitReader();
  }

  get bytes(): number {
    return this.#chunks.bytes;
  }

  get isDone(): boolean {
    return this.#chunks.isDone;
  }

  get readers(): number {
    return this.#readers.size;
  }

  /** Calls the tool, and keeps whatever comes of it. Never throws. */
  async run(upstream: Upstream, given: Record<string, unknown>): Promise<void> {
    const { tool, streamId, client, timeoutMs, trace } = this.call;
    const { signal } = this.#cancelled;
    try {
      const answer = await callTool(
        upstream,
        { tool, arguments: given, progressToken: streamId },
        {
          ...{ client, signal, timeoutMs, ...(trace && { trace }) },
          onNotification: ({ method, params }) => {
            this.#chunks.add({ method, params });
            this.#wakeReaders();
          },
        },
      );
      this.#end(answer);
    } catch (thrown) {
      // Whoever cancelled it said why; how the upstream puts it is of no use to the client.
      const error = signal.aborted ? signal.reason : thrown;
      this.#end({ error: asHivegateError(error).toRpcError() });
    }
  }

  /** Tells the server that nobody waits any more. Nothing happens to a call that is over. */
  cancel(reason: HivegateError): void {
    this.#cancelled.abort(reason);
  }

  /**
   * The events after number `after`, then those to come, until the one that ends the call: that one in any case, so that
   * whoever reads a stream to its end knows how the call ended.
   */
  read(after: number): ReadableStream<Uint8Array> {
    let position = Math.min(after, this.#chunks.last - (this.isDone ? 1 : 0));
    const reader = pulledStream({
      clock: this.#ports.clock,
      keepAliveMs: KEEP_ALIVE_MS,
      next: () => {
        const page = this.#isClosed ? null : this.#chunks.read(position);
        position = page?.last ?? position;
        return page?.events ?? (this.isDone || this.#isClosed ? "over" : "nothing yet");
      },
      left: () => {
        this.#readers.delete(reader);
        if (!this.isDone && !this.#isClosed && this.#readers.size === 0) this.#awaitReader();
      },
    });
    this.#readers.add(reader);
    if (!this.isDone) this.#cancelTimer();
    return reader.body;
  }

  /** It is not kept any more: its readers hear nothing more of it. */
  close(): void {
    this.#isClosed = true;
    this.#cancelTimer();
    this.cancel(new HivegateError("shutting_down"));
    this.#wakeReaders();
  }

  #end(data: ToolChunkData): void {
    if (this.#isClosed) return;
    this.#chunks.end(data);
    this.#timer(LIMITS.toolStreamKeptMs, () => this.#ports.expired(this));
    this.#wakeReaders();
    this.#ports.ended(this);
  }

  /** A call that nobody reads takes up its server for nobody. */
  #awaitReader(): void {
    const unread = new HivegateError("cancelled", "The call was cancelled: nobody read what it told.");
    this.#timer(LIMITS.toolStreamUnreadMs, () => this.cancel(unread));
  }

  #timer(delayMs: number, then: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#ports.clock.after(delayMs, then);
  }

  #wakeReaders(): void {
    for (const reader of this.#readers) reader.wake();
  }
}
