import { watch } from "node:fs";
import { LIMITS } from "../../../shared/limits.ts";
import type { OutputSink, OutputStream } from "../executor.ts";
import { type OutputFiles, STREAMS } from "./output-files.ts";

/** Output on disk above this ends the task: nobody else empties the files. */
const OUTPUT_LIMIT_BYTES = 4 * LIMITS.taskOutputBytes;
/** Looks come with the file system's notices; this often when there are none to be had. */
const SLOWEST_LOOK_MS = 500;
/** Pieces delivered before others get their turn. */
const PIECES_PER_TURN = 32;

/** Delivers a task's output as it is written, until it is told to finish or let go. */
export class Follower {
  readonly #files: OutputFiles;
  readonly #sink: OutputSink;
  readonly #overLimit: () => void;
  readonly #stopWatching: () => void;
  #scheduled = false;
  #state: "following" | "over_limit" | "closed" = "following";

  /** `overLimit` is called once, when the task has written more than it may; it ends what writes. */
  constructor(files: OutputFiles, sink: OutputSink, overLimit: () => void) {
    this.#files = files;
    this.#sink = sink;
    this.#overLimit = overLimit;
    const watchers = STREAMS.flatMap((stream) => {
      try {
        return watch(files.path(stream), { persistent: false }, this.#schedule).on("error", () => {});
      } catch {
        return []; // The system has no more watches to give: the timer sees to it.
      }
    });
    const timer = setInterval(this.#schedule, SLOWEST_LOOK_MS).unref();
    this.#stopWatching = () => {
      clearInterval(timer);
      for (const watcher of watchers) watcher.close();
    };
    this.#schedule();
  }

  /**
   * Delivers what the task has written until now, as far as it may, and closes the files. What it left running
   * may go on writing, faster than it could be read: that is not waited for.
   */
  finish(): void {
    if (this.#state === "following") {
      const written = this.#files.writtenBytes();
      while (this.#deliver(written));
      if (isOverLimit(written)) this.#giveUp();
    }
    this.close();
  }

  /** Stops delivering. What is undelivered stays in the files. */
  close(): void {
    if (this.#state === "closed") return;
    this.#state = "closed";
    this.#stopWatching();
    this.#files.close();
  }

  readonly #schedule = (): void => {
    if (this.#scheduled) return;
    this.#scheduled = true;
    setImmediate(() => {
      this.#scheduled = false;
      if (this.#state !== "following") return;
      if (this.#deliver(null)) this.#schedule();
      if (isOverLimit(this.#files.writtenBytes())) this.#giveUp();
    });
  };

  /** Delivers some pieces, as far as `ends` when the streams are to end there; whether there may be more. */
  #deliver(ends: Record<OutputStream, number> | null): boolean {
    for (let piece = 0; piece < PIECES_PER_TURN; piece++) {
      const delivered = STREAMS.map((stream) =>
        this.#files.deliverPiece(stream, this.#sink, ends && Math.min(ends[stream], OUTPUT_LIMIT_BYTES)),
      );
      if (!delivered.includes(true)) return false;
    }
    return true;
  }

  #giveUp(): void {
    this.#state = "over_limit";
    this.#sink(
      "stderr",
      `[hivegate] The task wrote more than ${OUTPUT_LIMIT_BYTES} bytes. It is stopped, and the rest is lost.\n`,
    );
    this.#overLimit();
  }
}

const isOverLimit = ({ stdout, stderr }: Record<OutputStream, number>): boolean =>
  stdout + stderr > OUTPUT_LIMIT_BYTES;
