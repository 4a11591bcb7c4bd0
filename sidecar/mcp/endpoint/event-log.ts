/** Events of one session, numbered together, kept for a client that lost the stream on which they came. */
import { LIMITS } from "../../../shared/limits.ts";

export type KeptEvent = { id: string; text: string };
type Entry = KeptEvent & { seq: number; channel: string };

/** What all logs hold together. */
export type EventBudget = { bytes: number };

export class EventLog {
  readonly #budget: EventBudget;
  #entries: Entry[] = [];
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
    this.#entries.push({ id, seq, channel, text });
    this.#count(sizeOf(text));
    while (this.#isTooMuch()) {
      const oldest = this.#entries.shift();
      if (oldest) this.#count(-sizeOf(oldest.text));
    }
    return id;
  }

  /** What came on this channel after the event number `seq`, as far as it is still known. */
  after(channel: string, seq: number): KeptEvent[] {
    return this.#entries.filter((entry) => entry.channel === channel && entry.seq > seq);
  }

  has(channel: string): boolean {
    return this.#entries.some((entry) => entry.channel === channel);
  }

  clear(): void {
    this.#entries = [];
    this.#count(-this.#bytes);
  }

  #isTooMuch(): boolean {
    if (this.#bytes > LIMITS.mcpSessionEventBytes) return this.#entries.length > 0;
    return this.#budget.bytes > LIMITS.mcpEventBytes && this.#entries.length > 1;
  }

  #count(bytes: number): void {
    this.#bytes += bytes;
    this.#budget.bytes += bytes;
  }
}

/** Roughly, with what an entry takes beside its text. */
const sizeOf = (text: string): number => text.length + 100;

/** The channel and the number in an event's id; null when it is none of ours. */
export function parseEventId(id: string): { channel: string; seq: number } | null {
  const match = /^([a-z0-9]{1,12})\.(\d{1,15})$/.exec(id);
  return match?.[1] !== undefined && match[2] !== undefined
    ? { channel: match[1], seq: Number(match[2]) }
    : null;
}
