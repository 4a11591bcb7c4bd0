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
  #cancel: () => void;

  constructor(clock: Clock, silenceMs: number, outer: AbortSignal) {
    this.#clock = clock;
    this.#silenceMs = silenceMs;
    this.signal = AbortSignal.any([outer, this.#silent.signal]);
    this.#cancel = this.#wait();
  }

  heard(): void {
    this.#cancel();
    this.#cancel = this.#wait();
  }

  stop(): void {
    this.#cancel();
  }

  #wait(): () => void {
    const reason = () => new DOMException("the stream has gone silent", "TimeoutError");
    return this.#clock.after(this.#silenceMs, () => this.#silent.abort(reason()));
  }
}
