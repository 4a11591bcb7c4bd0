import type { Clock } from "../clock.ts";
import { type HoldLimits, HoldQueue, type HoldTotal } from "./hold-queue.ts";

export type TimedHoldOptions<T> = {
  limits: HoldLimits;
  /** What it holds together with others; no limit unless given. */
  total?: HoldTotal | undefined;
  clock: Clock;
  /** These were held for too long, and are no longer. */
  expired(items: T[]): void;
};

/** A `HoldQueue` that looks by itself for what expires, with one timer while anything is held. */
export class TimedHold<T> {
  readonly #options: TimedHoldOptions<T>;
  readonly #queue: HoldQueue<T>;
  #cancelExpiry: (() => void) | null = null;

  constructor(options: TimedHoldOptions<T>) {
    this.#options = options;
    this.#queue = new HoldQueue(options.limits, options.total);
  }

  get size(): number {
    return this.#queue.size;
  }

  get bytes(): number {
    return this.#queue.bytes;
  }

  /** False: there is no room for it. */
  hold(item: T, { bytes, urgent }: { bytes: number; urgent: boolean }): boolean {
    const nowMs = this.#options.clock.now();
    const isHeld = this.#queue.hold(item, { bytes, urgent, nowMs });
    if (isHeld) this.#expireLater(nowMs);
    return isHeld;
  }

  /** What goes next; it stays until `shift`. */
  peek(): T | undefined {
    return this.#queue.peek();
  }

  shift(): T | undefined {
    const item = this.#queue.shift();
    this.#restIfEmpty();
    return item;
  }

  /** Takes out what `isWanted`, in the order in which it would have gone; everything unless said. */
  takeOut(isWanted?: (item: T) => boolean): T[] {
    const items = this.#queue.takeOut(isWanted);
    this.#restIfEmpty();
    return items;
  }

  #expireLater(nowMs: number): void {
    const atMs = this.#queue.expiresMs;
    if (this.#cancelExpiry || atMs === null) return;
    const { clock, expired } = this.#options;
    this.#cancelExpiry = clock.after(Math.max(0, atMs - nowMs), () => {
      this.#cancelExpiry = null;
      const items = this.#queue.expired(clock.now());
      this.#expireLater(clock.now());
      if (items.length > 0) expired(items);
    });
  }

  #restIfEmpty(): void {
    if (this.#queue.size > 0) return;
    this.#cancelExpiry?.();
    this.#cancelExpiry = null;
  }
}
