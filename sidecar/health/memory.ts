import type { Logger } from "../log.ts";

/** Bytes that this process holds. */
export type Memory = { rss_bytes: number; heap_used_bytes: number };

export type MemoryWatchOptions = {
  measure(): Memory;
  log: Logger;
  /** Above it there is a line in the log, and another when it is below again. */
  limitBytes: number;
};

const EVERY_MS = 30_000;

/** Watches what this process holds: everything in it has a limit, so more than the limits' sum means a leak. */
export class MemoryWatch {
  readonly #options: MemoryWatchOptions;
  readonly #timer: NodeJS.Timeout;
  #isAbove = false;

  constructor(options: MemoryWatchOptions) {
    this.#options = options;
    this.#timer = setInterval(() => this.#look(), EVERY_MS).unref();
  }

  get memory(): Memory {
    return this.#options.measure();
  }

  close(): void {
    clearInterval(this.#timer);
  }

  #look(): void {
    const { log, limitBytes } = this.#options;
    const memory = this.memory;
    const isAbove = memory.rss_bytes > limitBytes;
    if (isAbove === this.#isAbove) return;
    this.#isAbove = isAbove;
    if (isAbove) log.warn({ ...memory, limitBytes }, "the sidecar holds more memory than it should");
    else log.info(memory, "the sidecar's memory is as it should be again");
  }
}
