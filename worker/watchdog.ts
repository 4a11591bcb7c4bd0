import type { Clock } from "../shared/clock.ts";

/**
 * Ends a stream that has gone silent: a connection whose other end is frozen, or gone without a word, looks
 * like one on which nothing happens. Its signal is aborted when `outer` is, or when nothing was heard for
 * `silenceMs`.
 */
export class Watchdog {
  readonly signal: AbortSignal;
  readonly #silent = new AbortController();
  readonly #clock: Clock;
  readonly #silenceMs: number;
  #heardMs: number;
  #cancel: () => void;

  constructor(clock: Clock, silenceMs: number, outer: AbortSignal) {
    this.#clock = clock;
    this.#silenceMs = silenceMs;
    this.signal = AbortSignal.any([outer, this.#silent.signal]);
    this.#heardMs = clock.now();
    this.#cancel = this.#wait(silenceMs);
  }

  heard(): void {
    this.#heardMs = this.#clock.now();
  }

  stop(): void {
    this.#cancel();
  }

  /** One timer for many lines: when it comes, it waits for what is left of the silence. */
  #wait(delayMs: number): () => void {
    return this.#clock.after(delayMs, () => {
      const leftMs = Math.min(this.#heardMs + this.#silenceMs - this.#clock.now(), this.#silenceMs);
      if (leftMs > 0) this.#cancel = this.#wait(leftMs);
      else this.#silent.abort(new DOMException("the stream has gone silent", "TimeoutError"));
    });
  }
}
