/**
 * Streamed calls that the sessions of one shard read. Each is read once for each session: it is one client's, who rarely
 * has two sessions that want the same. A session that is behind holds up its own streams alone, and so the sidecar.
 */
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { ToolChunk } from "../../shared/protocol/tools.ts";

/** `Reader` is a session, told apart by identity. */
export type ToolFeedPorts<Reader> = {
  open(
    reader: Reader,
    streamId: string,
    after: number,
    signal: AbortSignal,
  ): AsyncIterable<{ chunk: ToolChunk; text: string }>;
  deliver(reader: Reader, text: string): void;
  /** Whether the session has read so far that more may be sent. */
  hasRoom(reader: Reader): boolean;
  /** Waits until it has; false: it is gone, or took too long. */
  whenRoom(reader: Reader): Promise<boolean>;
  /** A stream ended before its call did, for another reason than that the session left it. */
  lost(reader: Reader, streamId: string): void;
  /** Whether the session reads anything, each time that this may have changed. */
  reads(reader: Reader, anything: boolean): void;
  log(message: string, error: unknown): void;
};

export class ToolFeeds<Reader> {
  readonly #ports: ToolFeedPorts<Reader>;
  readonly #feeds = new Map<Reader, Map<string, AbortController>>();

  constructor(ports: ToolFeedPorts<Reader>) {
    this.#ports = ports;
  }

  /** @throws HivegateError `overloaded` when the session reads as many as it may, beside this one */
  mayRead(reader: Reader, streamId: string | null = null): void {
    const feeds = this.#feeds.get(reader);
    const most = LIMITS.toolStreamsPerSession;
    const others = (feeds?.size ?? 0) - (streamId !== null && feeds?.has(streamId) ? 1 : 0);
    if (others >= most)
      throw new HivegateError("overloaded", `Read at most ${most} streamed calls at a time.`);
  }

  /** In place of what the session read of this call before. @throws HivegateError `overloaded` */
  read(reader: Reader, streamId: string, after: number): void {
    this.mayRead(reader, streamId);
    const feeds = this.#feeds.get(reader) ?? new Map<string, AbortController>();
    feeds.get(streamId)?.abort();
    const feed = new AbortController();
    this.#feeds.set(reader, feeds.set(streamId, feed));
    this.#ports.reads(reader, true);
    void this.#run(reader, streamId, after, feed);
  }

  /** The session is gone. */
  leaveAll(reader: Reader): void {
    const feeds = this.#feeds.get(reader);
    this.#feeds.delete(reader);
    for (const feed of feeds?.values() ?? []) feed.abort();
  }

  /** The session reads nothing any more, and is told so: it may ask again. */
  loseAll(reader: Reader): void {
    const streamIds = [...(this.#feeds.get(reader)?.keys() ?? [])];
    this.leaveAll(reader);
    if (streamIds.length === 0) return;
    this.#ports.reads(reader, false);
    for (const streamId of streamIds) this.#ports.lost(reader, streamId);
  }

  async #run(reader: Reader, streamId: string, after: number, feed: AbortController): Promise<void> {
    let isDone = false;
    try {
      for await (const { chunk, text } of this.#ports.open(reader, streamId, after, feed.signal)) {
        const hasRoom = this.#ports.hasRoom(reader) || (await this.#ports.whenRoom(reader));
        if (!hasRoom || feed.signal.aborted) break;
        this.#ports.deliver(reader, `{"type":"tool_chunk","chunk":${text}}`);
        isDone = chunk.done;
      }
    } catch (error) {
      if (!feed.signal.aborted) this.#ports.log("tool stream", error);
    }
    if (!this.#ended(reader, streamId, feed) || isDone) return;
    this.#ports.lost(reader, streamId);
  }

  /** False: another feed has taken its place, or the session has left. */
  #ended(reader: Reader, streamId: string, feed: AbortController): boolean {
    const feeds = this.#feeds.get(reader);
    if (feeds?.get(streamId) !== feed) return false;
    feeds.delete(streamId);
    if (feeds.size === 0) this.#feeds.delete(reader);
    this.#ports.reads(reader, feeds.size > 0);
    return true;
  }
}
