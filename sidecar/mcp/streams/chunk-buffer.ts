/** The chunks of one streamed call, numbered, each kept as the event that its readers are sent. No more than its limits. */
import type { CallId, ToolChunk, ToolChunkData } from "../../../shared/protocol/tools.ts";
import { formatEvent } from "../../../shared/wire/sse.ts";

export type BufferLimits = { bytes: number; chunks: number };

/** Chunks taken at a time: a page ends with the one that reaches this. */
const PAGE_BYTES = 256 * 1024;

type Kept = { seq: number; event: Uint8Array };

export class ChunkBuffer {
  readonly #call: { id: CallId; stream_id: string };
  readonly #limits: BufferLimits;
  readonly #kept: Kept[] = [];
  #seq = 0;
  #bytes = 0;
  #isDone = false;

  constructor(call: { id: CallId; streamId: string }, limits: BufferLimits) {
    this.#call = { id: call.id, stream_id: call.streamId };
    this.#limits = limits;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The number of the newest chunk; 0: there is none. */
  get last(): number {
    return this.#seq;
  }

  /** Whether the last chunk is there. */
  get isDone(): boolean {
    return this.#isDone;
  }

  /** Something that the server said of the call. What was said longest ago goes when this is too much. */
  add(data: ToolChunkData): void {
    if (this.#isDone) return;
    this.#keep(data, false);
    const { bytes, chunks } = this.#limits;
    while (this.#kept.length > 1 && (this.#bytes > bytes || this.#kept.length > chunks)) this.#dropFirst();
  }

  /** How the call ended: kept whatever its size, and for nothing that came before. */
  end(data: ToolChunkData): void {
    if (this.#isDone) return;
    this.#keep(data, true);
    this.#isDone = true;
  }

  /** The next events after number `after`, and the number of the last of them; null: there are none. */
  read(after: number): { events: Uint8Array; last: number } | null {
    const first = this.#kept[0]?.seq;
    if (first === undefined || after >= this.#seq) return null;
    const page: Uint8Array[] = [];
    const missed = first - 1 - after;
    if (missed > 0) page.push(this.#event(first - 1, { missed }, false));
    let last = Math.max(after, first - 1);
    let bytes = 0;
    for (const { seq, event } of this.#kept.slice(last + 1 - first)) {
      if (bytes >= PAGE_BYTES) break;
      page.push(event);
      bytes += event.length;
      last = seq;
    }
    return { events: Buffer.concat(page), last };
  }

  #keep(data: ToolChunkData, done: boolean): void {
    const seq = this.#seq + 1;
    const event = this.#event(seq, data, done);
    this.#seq = seq;
    this.#kept.push({ seq, event });
    this.#bytes += event.length;
  }

  #dropFirst(): void {
    this.#bytes -= this.#kept.shift()?.event.length ?? 0;
  }

  #event(seq: number, data: ToolChunkData, done: boolean): Uint8Array {
    const chunk: ToolChunk = {
      jsonrpc: "2.0",
      id: this.#call.id,
      stream: true,
      stream_id: this.#call.stream_id,
      seq,
      data,
      done,
    };
    return Buffer.from(formatEvent({ id: seq, event: "chunk", data: JSON.stringify(chunk) }));
  }
}
