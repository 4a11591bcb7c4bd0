import type { Clock } from "../../shared/clock.ts";

/** `order` keeps timers of one time in the order in which they were set. */
type Timer = { readonly atMs: number; readonly order: number; run: (() => void) | null };

/** A clock that is moved by hand; what falls due is called in its order. */
export class ManualClock implements Clock {
  #nowMs = 1_700_000_000_000;
  #backMs = 0;
  #set = 0;
  #waiting = 0;
  /** A binary heap, the next one first. One that was called off stays, without its `run`, until it is due. */
  readonly #timers: Timer[] = [];

  now(): number {
    return this.#nowMs - this.#backMs;
  }

  /** Tells an earlier time from now on; timers do not notice. */
  setBack(byMs: number): void {
    this.#backMs += byMs;
  }

  after(delayMs: number, then: () => void): () => void {
    // As on every platform it tells whole milliseconds, and nothing comes early.
    const atMs = this.#nowMs + Math.ceil(Math.max(0, delayMs));
    const timer: Timer = { atMs, order: this.#set++, run: then };
    this.#push(timer);
    this.#waiting++;
    return () => {
      if (timer.run) this.#waiting--;
      timer.run = null;
    };
  }

  get waiting(): number {
    return this.#waiting;
  }

  /** Moves on, calling what falls due in its order. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    while (this.advanceToNext(untilMs)) {
      // Each call moves the clock to one timer.
    }
  }

  /** Moves on to the next timer and calls it. False: none is due by `untilMs`, which it is now. */
  advanceToNext(untilMs: number): boolean {
    for (let next = this.#timers[0]; next && next.atMs <= untilMs; next = this.#timers[0]) {
      this.#pop();
      const { run } = next;
      if (!run) continue;
      next.run = null;
      this.#waiting--;
      this.#nowMs = next.atMs;
      run();
      return true;
    }
    this.#nowMs = untilMs;
    return false;
  }

  #push(timer: Timer): void {
    const heap = this.#timers;
    let place = heap.length;
    while (place > 0) {
      const up = (place - 1) >> 1;
      const parent = heap[up];
      if (!parent || isBefore(parent, timer)) break;
      heap[place] = parent;
      place = up;
    }
    heap[place] = timer;
  }

  /** Takes the first one out: the last one sinks from its place. */
  #pop(): void {
    const heap = this.#timers;
    const last = heap.pop();
    if (!last || heap.length === 0) return;
    let place = 0;
    for (;;) {
      const left = 2 * place + 1;
      const [one, other] = [heap[left], heap[left + 1]];
      if (!one) break;
      const isOther = other !== undefined && isBefore(other, one);
      const child = isOther ? other : one;
      if (isBefore(last, child)) break;
      heap[place] = child;
      place = isOther ? left + 1 : left;
    }
    heap[place] = last;
  }
}

const isBefore = (a: Timer, b: Timer): boolean => a.atMs < b.atMs || (a.atMs === b.atMs && a.order < b.order);
