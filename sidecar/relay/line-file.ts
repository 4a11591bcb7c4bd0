import { type FileHandle, open, rename } from "node:fs/promises";
import { withinMs } from "../swarm/tasks-deadline.ts";

/** So much may wait to be written; lines above it are lost, and counted. */
const WAITING_CHARS = 8 * 1024 * 1024;
/** Lines are written so many characters at a time: one by one they would cost more than what they tell of. */
const WRITE_CHARS = 64 * 1024;
const FLUSH_EVERY_MS = 1_000;
const CLOSE_WITHIN_MS = 500;

export type LineFileOptions = {
  file: string;
  /** A file that has grown to this is moved to `….1`, in place of the one before. */
  fileBytes: number;
  /** There was no room for a line. */
  lost(): void;
  /** The file cannot be written. Said once, until it can be again. */
  failed(error: unknown): void;
};

/** A file to which lines are added in the background. */
export class LineFile {
  readonly #options: LineFileOptions;
  readonly #writeChars: number;
  readonly #flushing: NodeJS.Timeout;
  #lines = "";
  /** What is being written, or could not be. */
  #unwritten: Buffer = Buffer.alloc(0);
  #handle: FileHandle | null = null;
  #fileBytes = 0;
  #writing: Promise<void> | null = null;
  #isFailing = false;
  #isClosed = false;

  constructor(options: LineFileOptions) {
    this.#options = options;
    this.#writeChars = Math.min(WRITE_CHARS, options.fileBytes);
    this.#flushing = setInterval(() => void this.#flush(), FLUSH_EVERY_MS).unref();
    void this.#flush();
  }

  /** `line` ends with its newline. */
  write(line: string): void {
    if (this.#isClosed) return;
    if (this.#lines.length + this.#unwritten.length + line.length > WAITING_CHARS) {
      this.#options.lost();
      return;
    }
    this.#lines += line;
    // A file that fails is tried again in a while.
    if (this.#lines.length >= this.#writeChars && !this.#isFailing) void this.#flush();
  }

  /** Resolves when all is written, or could not be in time. What is said from now on is not written. */
  async close(): Promise<void> {
    if (this.#isClosed) return;
    this.#isClosed = true;
    clearInterval(this.#flushing);
    await withinMs(this.#finish(), CLOSE_WITHIN_MS, undefined);
  }

  /** Once more at the end: what was said last may have come too late for a writing that was under way. */
  async #finish(): Promise<void> {
    await this.#flush();
    await this.#flush();
    await this.#handle?.close();
  }

  #flush(): Promise<void> {
    this.#writing ??= this.#tryToWrite().finally(() => {
      this.#writing = null;
    });
    return this.#writing;
  }

  async #tryToWrite(): Promise<void> {
    try {
      await this.#writeAll();
      this.#isFailing = false;
    } catch (error) {
      if (!this.#isFailing) this.#options.failed(error);
      this.#isFailing = true;
      const handle = this.#handle;
      this.#handle = null;
      await handle?.close().catch(() => {
        // Another one is opened next time.
      });
    }
  }

  async #writeAll(): Promise<void> {
    let handle = await this.#open();
    while (this.#unwritten.length > 0 || this.#lines !== "") {
      if (this.#unwritten.length === 0) {
        this.#unwritten = Buffer.from(this.#lines);
        this.#lines = "";
      }
      const { bytesWritten } = await handle.write(this.#unwritten);
      this.#unwritten = this.#unwritten.subarray(bytesWritten);
      this.#fileBytes += bytesWritten;
      // Between two lines: a full disk takes a part.
      if (this.#unwritten.length > 0 || this.#fileBytes < this.#options.fileBytes) continue;
      await this.#moveAside(handle);
      handle = await this.#open();
    }
  }

  async #open(): Promise<FileHandle> {
    if (this.#handle) return this.#handle;
    const handle = await open(this.#options.file, "a");
    this.#fileBytes = (await handle.stat()).size;
    this.#handle = handle;
    return handle;
  }

  async #moveAside(handle: FileHandle): Promise<void> {
    const { file } = this.#options;
    this.#handle = null;
    await handle.close();
    await rename(file, `${file}.1`);
  }
}
