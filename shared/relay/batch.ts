/**
 * The frames of a link, each a binary WebSocket message: `hello` (JSON), `batch` (its number, how many of the
 * receiver's batches its sender has had, and records), `acknowledge` for when there is nothing to send, and `large`
 * before a batch of so many bytes that nothing else is heard for a while.
 */
import { z } from "zod";
import { fromRaw, HEAD_BYTES, parsed, RelayFormatError, type RelayRecord, toRaw } from "./records.ts";

/**
 * What either side says first. `instance` is new after each reset or restart of a side; `peer` is the instance that
 * it last spoke with, null when it has not yet; `received` counts the batches that it has had of that one.
 */
export const Hello = z.object({
  instance: z.string(),
  peer: z.string().nullable(),
  received: z.number().int().nonnegative(),
});
export type Hello = z.infer<typeof Hello>;

export type LinkFrame =
  | ({ type: "hello" } & Hello)
  | { type: "batch"; number: number; acknowledged: number; records: RelayRecord[] }
  | { type: "acknowledge"; acknowledged: number }
  | { type: "large"; bytes: number };

const FRAME = { hello: 1, batch: 2, acknowledge: 3, large: 4 } as const;

/** The frame's kind, and two counts that may grow beyond 32 bits. */
const BATCH_HEAD_BYTES = 17;
/** The frame's kind, and one such count. */
const COUNT_BYTES = 9;
const FIRST_BYTES = 16 * 1024;
/** A buffer that had to grow beyond this for a large message is not kept. */
const KEPT_BYTES = 1024 * 1024;
/** A character of a string takes at most three bytes of UTF-8. */
const MOST_BYTES_PER_CHAR = 3;

const encoder = new TextEncoder();

export function encodeHello(hello: Hello): Uint8Array {
  return encoder.encode(`${String.fromCharCode(FRAME.hello)}${JSON.stringify(hello)}`);
}

export const encodeAcknowledge = (acknowledged: number): Uint8Array =>
  encodeCount(FRAME.acknowledge, acknowledged);

export const encodeLarge = (bytes: number): Uint8Array => encodeCount(FRAME.large, bytes);

function encodeCount(frame: number, count: number): Uint8Array {
  const bytes = new Uint8Array(COUNT_BYTES);
  bytes[0] = frame;
  new DataView(bytes.buffer).setFloat64(1, count);
  return bytes;
}

/** Records written one behind the other, until they are taken as one batch. */
export class BatchWriter {
  #bytes = new Uint8Array(FIRST_BYTES);
  #view = new DataView(this.#bytes.buffer);
  #end = BATCH_HEAD_BYTES;

  /** Bytes of the records so far. */
  get bytes(): number {
    return this.#end - BATCH_HEAD_BYTES;
  }

  add(record: RelayRecord): void {
    const { kind, channel, body } = toRaw(record);
    this.#makeRoom(HEAD_BYTES + (typeof body === "string" ? body.length * MOST_BYTES_PER_CHAR : body.length));
    const start = this.#end + HEAD_BYTES;
    const length = this.#write(body, start);
    this.#view.setUint8(this.#end, kind);
    this.#view.setUint32(this.#end + 1, channel);
    this.#view.setUint32(this.#end + 5, length);
    this.#end = start + length;
  }

  /** The batch as a frame; what is added from now on belongs to the next one. */
  take(number: number, acknowledged: number): Uint8Array {
    this.#view.setUint8(0, FRAME.batch);
    this.#view.setFloat64(1, number);
    this.#view.setFloat64(9, acknowledged);
    const frame = this.#bytes.slice(0, this.#end);
    this.clear();
    return frame;
  }

  clear(): void {
    this.#end = BATCH_HEAD_BYTES;
    if (this.#bytes.length > KEPT_BYTES) this.#become(new Uint8Array(FIRST_BYTES));
  }

  #write(body: string | Uint8Array, at: number): number {
    if (typeof body === "string") return encoder.encodeInto(body, this.#bytes.subarray(at)).written;
    this.#bytes.set(body, at);
    return body.length;
  }

  #makeRoom(bytes: number): void {
    const needed = this.#end + bytes;
    if (needed <= this.#bytes.length) return;
    const larger = new Uint8Array(Math.max(needed, this.#bytes.length * 2));
    larger.set(this.#bytes.subarray(0, this.#end));
    this.#become(larger);
  }

  #become(bytes: Uint8Array<ArrayBuffer>): void {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer);
  }
}

/** A batch that was sent before, with what has been received since. */
export function acknowledging(batch: Uint8Array, acknowledged: number): Uint8Array {
  new DataView(batch.buffer, batch.byteOffset).setFloat64(9, acknowledged);
  return batch;
}

/** Binary messages in it are views of `bytes`. @throws RelayFormatError */
export function decodeFrame(bytes: Uint8Array): LinkFrame {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  const kind = bytes[0];
  if (kind === FRAME.hello) return { type: "hello", ...parsed(Hello, bytes.subarray(1)) };
  if (kind === FRAME.acknowledge && bytes.length === COUNT_BYTES)
    return { type: "acknowledge", acknowledged: count(view.getFloat64(1)) };
  if (kind === FRAME.large && bytes.length === COUNT_BYTES)
    return { type: "large", bytes: count(view.getFloat64(1)) };
  if (kind !== FRAME.batch || bytes.length < BATCH_HEAD_BYTES)
    throw new RelayFormatError("not a link's frame");
  return {
    type: "batch",
    number: count(view.getFloat64(1)),
    acknowledged: count(view.getFloat64(9)),
    records: recordsIn(bytes, view),
  };
}

function recordsIn(bytes: Uint8Array, view: DataView): RelayRecord[] {
  const records: RelayRecord[] = [];
  let at = BATCH_HEAD_BYTES;
  while (at < bytes.length) {
    const start = at + HEAD_BYTES;
    if (start > bytes.length) throw new RelayFormatError("a record's head is cut off");
    const end = start + view.getUint32(at + 5);
    if (end > bytes.length) throw new RelayFormatError("a record's body is cut off");
    records.push(fromRaw(view.getUint8(at), view.getUint32(at + 1), bytes.subarray(start, end)));
    at = end;
  }
  return records;
}

function count(value: number): number {
  if (!Number.isSafeInteger(value) || value < 0) throw new RelayFormatError("not a count");
  return value;
}
