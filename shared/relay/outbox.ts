import { acknowledging, BatchWriter } from "./batch.ts";
import type { RelayRecord } from "./records.ts";

/**
 * A batch is not made larger than this, but for a single large record: of a longer one the other end would see nothing
 * while this one still writes, and both would work in turns.
 */
const BATCH_BYTES = 32 * 1024;

/** What one end of a link has to say: records, made into numbered batches, kept until the other end has had them. */
export class Outbox {
  readonly #open = new BatchWriter();
  /** Not acknowledged, the oldest first; the last one has the number `#made`. */
  #kept: Uint8Array[] = [];
  #keptBytes = 0;
  #made = 0;

  /** Bytes that the other end has not acknowledged. */
  get bytes(): number {
    return this.#keptBytes + this.#open.bytes;
  }

  /** Batches that were made and are not acknowledged. */
  get kept(): number {
    return this.#kept.length;
  }

  /** Bytes of the oldest one of those. */
  get oldestBytes(): number {
    return this.#kept[0]?.length ?? 0;
  }

  /** The batch that was full before this record, if it was. */
  add(record: RelayRecord, received: number): Uint8Array | null {
    const full = this.#open.bytes >= BATCH_BYTES ? this.make(received) : null;
    this.#open.add(record);
    return full;
  }

  /** A batch of the records so far, if there are any. `received`: how many of the other end's batches came. */
  make(received: number): Uint8Array | null {
    if (this.#open.bytes === 0) return null;
    this.#made++;
    const batch = this.#open.take(this.#made, received);
    this.#kept.push(batch);
    this.#keptBytes += batch.length;
    return batch;
  }

  /** All that may have been lost with a socket, to be sent again. */
  again(received: number): Uint8Array[] {
    return this.#kept.map((batch) => acknowledging(batch, received));
  }

  /** Drops what the other end has had: how many batches, or null when it cannot have had so many. */
  confirm(acknowledged: number): number | null {
    if (acknowledged > this.#made) return null;
    const had = Math.max(0, this.#kept.length - (this.#made - acknowledged));
    for (const batch of this.#kept.splice(0, had)) this.#keptBytes -= batch.length;
    return had;
  }

  clear(): void {
    this.#open.clear();
    this.#kept = [];
    this.#keptBytes = 0;
    this.#made = 0;
  }
}
