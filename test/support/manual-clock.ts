import type { Clock } from "../../shared/clock.ts";

/** A clock that is moved by hand; what falls due is called in its order. */
export class ManualClock implements Clock {
  #nowMs = 1_700_000_000_000;
  #timers: { atMs: number; then: () => void }[] = [];

  now(): number {
    return this.#nowMs;
  }

  after(delayMs: number, then: () => void): () => void {
    const timer = { atMs: this.#nowMs + delayMs, then };
    this.#timers.push(timer);
    return () => {
      this.#timers = this.#timers.filter((other) => other !== timer);
    };
  }

  get waiting(): number {
    return this.#timers.length;
  }

  /** Moves on, calling what falls due in its order. */
  advance(byMs: number): void {
    const untilMs = this.#nowMs + byMs;
    for (let next = this.#due(untilMs); next; next = this.#due(untilMs)) {
      this.#timers = this.#timers.filter((other) => other !== next);
      this.#nowMs = next.atMs;
      next.then();
    }
    this.#nowMs = untilMs;
  }

  #due(untilMs: number) {
    return this.#timers.filter(({ atMs }) => atMs <= untilMs).sort((a, b) => a.atMs - b.atMs)[0];
  }
}
