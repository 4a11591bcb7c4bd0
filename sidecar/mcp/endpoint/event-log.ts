/** Events of one session, numbered together, kept for a client that lost the stream on which they came. */
import { LIMITS } from "../../../shared/limits.ts";
import { Tally } from "./tally.ts";

export type KeptEvent = { id: string; text: string };
type Entry = KeptEvent & { seq: number; channel: string; bytes: number };

/** Roughly what an event takes beside its text. */
const ENTRY_BYTES = 100;

/** What all logs hold together, and whose events go when that is too much. */
export class EventBudget {
  #bytes = 0;
  /** Those that hold something, the one that was added to longest ago first. */
  readonly #logs = new Set<EventLog>();

  get bytes(): number {
    return this.#bytes;
  }

  /** Something was added to this log. */
  added(log: EventLog, bytes: number): void {
    this.#bytes += bytes;
    this.#logs.delete(log);
    this.#logs.add(log);
    for (const oldest of this.#logs) {
      while (this.#bytes > LIMITS.mcpEventBytes && oldest.bytes > 0) oldest.drop();
      if (this.#bytes <= LIMITS.mcpEventBytes) return;
    }
  }

  dropped(log: EventLog, bytes: number): void {
    this.#bytes -= bytes;
    if (log.bytes === 0) this.#logs.delete(log);
  }
}

export class EventLog {
  readonly #budget: EventBudget;
  readonly #entries: Entry[] = [];
  /** How many there are of each channel. */
  readonly #ofChannel = new Tally();
  #bytes = 0;
  #seq = 0;

  constructor(budget: EventBudget) {
    this.#budget = budget;
  }

  get bytes(): number {
    return this.#bytes;
  }

  /** The event's id, which says by itself to which channel it belongs. */
  append(channel: string, text: string): string {
    const seq = ++this.#seq;
    const id = `${channel}.${seq}`;
    const bytes = Buffer.byteLength(text) + ENTRY_BYTES;
    while (this.#bytes > 0 && this.#bytes + bytes > LIMITS.mcpSessionEventBytes) this.drop();
    if (bytes <= LIMITS.mcpSessionEventBytes) this.#keep({ id, seq, channel, text, bytes });
    return id;
  }

  /** What came on this channel after the event number `seq`, as far as it is still known. */
  after(channel: string, seq: number): KeptEvent[] {
    return this.#entries.filter((entry) => entry.channel === channel && entry.seq > seq);
  }

  has(channel: string): boolean {
    return this.#ofChannel.of(channel) > 0;
  }

  /** Forgets the oldest event. */
  drop(): void {
    const oldest = this.#entries.shift();
    if (!oldest) return;
    this.#ofChannel.add(oldest.channel, -1);
    this.#bytes -= oldest.bytes;
    this.#budget.dropped(this, oldest.bytes);
  }

  clear(): void {
    while (this.#bytes > 0) this.drop();
  }

  #keep(entry: Entry): void {
    this.#entries.push(entry);
    this.#ofChannel.add(entry.channel, 1);
    this.#bytes += entry.bytes;
    this.#budget.added(this, entry.bytes);
  }
}

/** The channel and the number in an event's id; null when it is none of ours. */
export function parseEventId(id: string): { channel: string; seq: number } | null {
  const match = /^([a-z0-9]{1,12})\.(\d{1,15})$/.exec(id);
  return match?.[1] !== undefined && match[2] !== undefined
    ? { channel: match[1], seq: Number(match[2]) }
    : null;
}
