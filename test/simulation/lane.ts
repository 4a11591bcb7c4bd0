/** One direction of a connection: in order and with latency. It may stall, and be cut with things on their way. */
import type { Clock } from "../../shared/clock.ts";

export type Data = string | Uint8Array;
/** What travels: data, or the news that the other end has closed. */
export type Item = { data: Data } | { code: number; reason: string };

export class Lane {
  readonly #clock: Clock;
  readonly #latencyMs: () => number;
  readonly #deliver: (item: Item) => void;
  readonly #items: { item: Item; atMs: number }[] = [];
  #lastMs = 0;
  #holds = 0;
  #isCut = false;
  #cancel: (() => void) | null = null;
  unreadBytes = 0;

  constructor(clock: Clock, latencyMs: () => number, deliver: (item: Item) => void) {
    this.#clock = clock;
    this.#latencyMs = latencyMs;
    this.#deliver = deliver;
  }

  send(item: Item): void {
    if (this.#isCut) return;
    this.#lastMs = Math.max(this.#lastMs, this.#clock.now() + this.#latencyMs());
    this.#items.push({ item, atMs: this.#lastMs });
    this.unreadBytes += bytesOf(item);
    this.#schedule();
  }

  hold(): void {
    this.#holds++;
    this.#cancel?.();
    this.#cancel = null;
  }

  release(): void {
    this.#holds = Math.max(0, this.#holds - 1);
    this.#schedule();
  }

  releaseAll(): void {
    this.#holds = 0;
    this.#schedule();
  }

  cut(): void {
    this.#isCut = true;
    this.#cancel?.();
    this.#cancel = null;
    this.#items.length = 0;
  }

  #schedule(): void {
    const next = this.#items[0];
    if (!next || this.#holds > 0 || this.#cancel) return;
    this.#cancel = this.#clock.after(next.atMs - this.#clock.now(), () => {
      this.#cancel = null;
      this.#items.shift();
      this.unreadBytes -= bytesOf(next.item);
      this.#deliver(next.item);
      this.#schedule();
    });
  }
}

const bytesOf = (item: Item): number => ("data" in item ? item.data.length : 0);
