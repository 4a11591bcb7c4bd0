import type { Clock } from "../../shared/clock.ts";

/**
 * The clock of one process. Its timers go when the process ends, and wait while its machine sleeps: what fell
 * due meanwhile is called when it wakes.
 */
export class OwnClock implements Clock {
  readonly #clock: Clock;
  readonly #timers = new Set<() => void>();
  #overdue: (() => void)[] | null = null;
  #ended = false;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  get waiting(): number {
    return this.#timers.size;
  }

  now(): number {
    return this.#clock.now();
  }

  after(delayMs: number, then: () => void): () => void {
    if (this.#ended) return () => {};
    const cancel = () => {
      this.#timers.delete(cancel);
      cancelTimer();
    };
    const due = () => {
      if (!this.#timers.has(cancel)) return;
      if (this.#overdue) {
        this.#overdue.push(due);
        return;
      }
      this.#timers.delete(cancel);
      then();
    };
    const cancelTimer = this.#clock.after(delayMs, due);
    this.#timers.add(cancel);
    return cancel;
  }

  sleep(): void {
    this.#overdue ??= [];
  }

  wake(): void {
    const overdue = this.#overdue ?? [];
    this.#overdue = null;
    for (const due of overdue) due();
  }

  end(): void {
    this.#ended = true;
    for (const cancel of [...this.#timers]) cancel();
  }
}
