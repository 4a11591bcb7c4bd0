/**
 * Docker's multiplexed stream: frames of an 8-byte header (stream type, three zeros, length as a big-endian
 * 32-bit number) and a payload. Headers, payloads and characters may be split anywhere between chunks.
 */
import { LIMITS } from "../../../shared/limits.ts";
import type { OutputSink } from "../executor.ts";

const HEADER_BYTES = 8;

/** A byte becomes at most three bytes of text (U+FFFD where it is no UTF-8), so this much always fits an event. */
const PIECE_BYTES = Math.floor(LIMITS.taskEventBytes / 3);

type Stream = "stdout" | "stderr";

/** Type 0 is stdin echoed; the daemon uses it nowhere for exec, Docker's own client writes it to stdout. */
const STREAMS: readonly (Stream | undefined)[] = ["stdout", "stdout", "stderr"];

/** A byte order mark is output like any other. */
const decoder = () => new TextDecoder("utf-8", { ignoreBOM: true });

/** The stream is not what Docker promises: what follows cannot be told apart, so nothing more is read. */
export class MalformedStream extends Error {
  constructor(type: number) {
    super(`Docker's output stream is malformed: there is no stream type ${type}`);
    this.name = "MalformedStream";
  }
}

/** Takes the stream's chunks and gives its text, in order, in pieces of at most `LIMITS.taskEventBytes`. */
export class Demultiplexer {
  readonly #sink: OutputSink;
  readonly #decoders = { stdout: decoder(), stderr: decoder() };
  readonly #header = new Uint8Array(HEADER_BYTES);
  #headerBytes = 0;
  #payloadBytesLeft = 0;
  #stream: Stream = "stdout";

  constructor(sink: OutputSink) {
    this.#sink = sink;
  }

  /** @throws MalformedStream; the demultiplexer is then of no more use */
  push(chunk: Uint8Array): void {
    let rest = chunk;
    while (rest.length > 0) {
      rest = this.#payloadBytesLeft > 0 ? this.#takePayload(rest) : this.#takeHeader(rest);
    }
  }

  /** Gives what is left of a character that was cut off by the end of the stream. */
  end(): void {
    for (const stream of ["stdout", "stderr"] as const) {
      const text = this.#decoders[stream].decode();
      if (text.length > 0) this.#sink(stream, text);
    }
  }

  #takeHeader(bytes: Uint8Array): Uint8Array {
    const taken = bytes.subarray(0, HEADER_BYTES - this.#headerBytes);
    this.#header.set(taken, this.#headerBytes);
    this.#headerBytes += taken.length;
    if (this.#headerBytes === HEADER_BYTES) {
      const view = new DataView(this.#header.buffer);
      const stream = STREAMS[view.getUint8(0)];
      if (stream === undefined) throw new MalformedStream(view.getUint8(0));
      this.#stream = stream;
      this.#payloadBytesLeft = view.getUint32(4);
      this.#headerBytes = 0;
    }
    return bytes.subarray(taken.length);
  }

  #takePayload(bytes: Uint8Array): Uint8Array {
    const taken = bytes.subarray(0, Math.min(this.#payloadBytesLeft, PIECE_BYTES));
    this.#payloadBytesLeft -= taken.length;
    const text = this.#decoders[this.#stream].decode(taken, { stream: true });
    if (text.length > 0) this.#sink(this.#stream, text);
    return bytes.subarray(taken.length);
  }
}
