/**
 * A task's output on disk: its processes write to files of their own, so nothing is lost while no sidecar
 * reads. How far each file has been delivered is kept beside it.
 *
 * Guarantee: in order, at least once; a sidecar that is killed between delivering a piece and noting it
 * delivers that one piece again after its restart.
 */
import {
  closeSync,
  constants,
  fstatSync,
  mkdirSync,
  openSync,
  readFileSync,
  readSync,
  rmSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { join } from "node:path";
import { LIMITS } from "../../../shared/limits.ts";
import type { OutputSink } from "../executor.ts";

export const STREAMS = ["stdout", "stderr"] as const;
export type Stream = (typeof STREAMS)[number];

/** A byte becomes at most three bytes of text (U+FFFD where it is no UTF-8), so this much always fits an event. */
const PIECE_BYTES = Math.floor(LIMITS.taskEventBytes / 3);
/** Offsets are written in place, in one small write of a fixed width: a kill leaves the old or the new one. */
const OFFSET_DIGITS = 16;

export class OutputFiles {
  readonly #dir: string;
  readonly #files: Record<Stream, number>;
  readonly #offsetsFile: number;
  readonly #offsets: Record<Stream, number>;
  readonly #buffer = Buffer.alloc(PIECE_BYTES);

  /** Opens the files under `dir`, made if they are not there. */
  constructor(dir: string) {
    mkdirSync(dir, { recursive: true, mode: 0o700 });
    this.#dir = dir;
    this.#files = {
      stdout: openSync(this.path("stdout"), "a+"),
      stderr: openSync(this.path("stderr"), "a+"),
    };
    this.#offsetsFile = openOffsets(join(dir, "offsets"));
    this.#offsets = { stdout: this.#readOffset("stdout"), stderr: this.#readOffset("stderr") };
  }

  path(stream: Stream): string {
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
  writtenBytes(): Record<Stream, number> {
    return { stdout: fstatSync(this.#files.stdout).size, stderr: fstatSync(this.#files.stderr).size };
  }

  /**
   * Delivers the next piece of a stream; false when there is none. A character whose end is not written yet
   * waits for it, unless the stream is to end at `endBytes`: what is written after that is never delivered.
   */
  deliverPiece(stream: Stream, sink: OutputSink, endBytes: number | null): boolean {
    const offset = this.#offsets[stream];
    const wanted = Math.min(PIECE_BYTES, Math.max(0, (endBytes ?? Number.POSITIVE_INFINITY) - offset));
    const read = readSync(this.#files[stream], this.#buffer, 0, wanted, offset);
    const whole = wholeCharacters(this.#buffer.subarray(0, read));
    const taken = whole === 0 && endBytes !== null ? read : whole;
    if (taken === 0) return false;
    sink(stream, this.#buffer.toString("utf8", 0, taken));
    this.#offsets[stream] += taken;
    this.#writeOffset(stream);
    return true;
  }

  close(): void {
    for (const descriptor of [...this.descriptors(), this.#offsetsFile]) closeSync(descriptor);
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  #readOffset(stream: Stream): number {
    const digits = Buffer.alloc(OFFSET_DIGITS);
    readSync(this.#offsetsFile, digits, 0, OFFSET_DIGITS, this.#positionOf(stream));
    return Number(digits.toString("latin1")) || 0;
  }

  #writeOffset(stream: Stream): void {
    const digits = String(this.#offsets[stream]).padStart(OFFSET_DIGITS, "0");
    writeSync(this.#offsetsFile, digits, this.#positionOf(stream));
  }

  #positionOf(stream: Stream): number {
    return STREAMS.indexOf(stream) * OFFSET_DIGITS;
  }
}

/** The file has its full size from the start, so that noting an offset needs no space on a full disk. */
function openOffsets(path: string): number {
  const descriptor = openSync(path, constants.O_RDWR | constants.O_CREAT, 0o600);
  if (fstatSync(descriptor).size === 0) writeSync(descriptor, "0".repeat(STREAMS.length * OFFSET_DIGITS), 0);
  return descriptor;
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
