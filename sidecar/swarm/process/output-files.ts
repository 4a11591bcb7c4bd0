/**
 * A task's output on disk: its processes write to files of their own, so nothing is lost while no sidecar
 * reads. How far it was read is kept by whoever keeps what was read, both at once: so no piece comes twice.
 */
import {
  closeSync,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { join } from "node:path";
import { LIMITS } from "../../../shared/limits.ts";
import type { KeptBytes, OutputSink, OutputStream } from "../executor.ts";

export const STREAMS = ["stdout", "stderr"] as const satisfies OutputStream[];

/** A byte becomes at most three bytes of text (U+FFFD where it is no UTF-8), so this much always fits an event. */
const PIECE_BYTES = Math.floor(LIMITS.taskEventBytes / 3);

export class OutputFiles {
  readonly #dir: string;
  readonly #files: Record<OutputStream, number>;
  readonly #offsets: KeptBytes;
  readonly #buffer = Buffer.alloc(PIECE_BYTES);

  /** Opens the files under `dir`, made if they are not there. What they hold up to `kept` is not delivered again. */
  constructor(dir: string, kept: KeptBytes = { stdout: 0, stderr: 0 }) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#dir = dir;
    this.#files = {
      stdout: openSync(this.path("stdout"), "a+"),
      stderr: openSync(this.path("stderr"), "a+"),
    };
    this.#offsets = { ...kept };
  }

  path(stream: OutputStream): string {
    return join(this.#dir, stream);
  }

  /** The descriptors that a process writes to. */
  descriptors(): [number, number] {
    return [this.#files.stdout, this.#files.stderr];
  }

  /** Notes the task's first process, for a sidecar that comes later. */
  noteLeader(pid: number): void {
    try {
      writeFileSync(join(this.#dir, "leader"), String(pid));
    } catch {
      // The process runs already, and is found by its marker all the same.
    }
  }

  /** The task's first process; null when it could not be noted. */
  leader(): number | null {
    try {
      return Number.parseInt(readFileSync(join(this.#dir, "leader"), "latin1"), 10) || null;
    } catch {
      return null;
    }
  }

  /** Bytes written so far, delivered or not. */
  writtenBytes(): Record<OutputStream, number> {
    return { stdout: fstatSync(this.#files.stdout).size, stderr: fstatSync(this.#files.stderr).size };
  }

  /**
   * Delivers the next piece of a stream; false when there is none. A character whose end is not written yet
   * waits for it, unless the stream is to end at `endBytes`: what is written after that is never delivered.
   */
  deliverPiece(stream: OutputStream, sink: OutputSink, endBytes: number | null): boolean {
    const offset = this.#offsets[stream];
    const wanted = Math.min(PIECE_BYTES, Math.max(0, (endBytes ?? Number.POSITIVE_INFINITY) - offset));
    const read = readSync(this.#files[stream], this.#buffer, 0, wanted, offset);
    const whole = wholeCharacters(this.#buffer.subarray(0, read));
    const taken = whole === 0 && endBytes !== null ? read : whole;
    if (taken === 0) return false;
    this.#offsets[stream] += taken;
    sink(stream, this.#buffer.toString("utf8", 0, taken), this.#offsets[stream]);
    return true;
  }

  close(): void {
    for (const descriptor of this.descriptors()) closeSync(descriptor);
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }
}

/** How many of these bytes come before a UTF-8 character that is cut off at the end. */
function wholeCharacters(bytes: Uint8Array): number {
  for (let back = 1; back <= Math.min(3, bytes.length); back++) {
    const byte = bytes[bytes.length - back] ?? 0;
    if (byte < 0x80) break;
    if (byte >= 0xc0) {
      const length = byte >= 0xf0 ? 4 : byte >= 0xe0 ? 3 : 2;
      return length > back ? bytes.length - back : bytes.length;
    }
  }
  return bytes.length;
}
