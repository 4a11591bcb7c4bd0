/**
 * Cuts a byte stream into lines, whatever the chunks: a line may come in many pieces, a chunk may hold many
 * lines, a character may be split. Holds at most `limitBytes` of an unfinished line.
 */
export class LineSplitter {
  readonly #limitBytes: number;
  readonly #keepEmpty: boolean;
  readonly #decoder = new TextDecoder();
  #pieces: string[] = [];
  #heldBytes = 0;

  constructor(limitBytes: number, options: { keepEmpty: boolean } = { keepEmpty: false }) {
    this.#limitBytes = limitBytes;
    this.#keepEmpty = options.keepEmpty;
  }

  /**
   * The lines that this chunk completes, without their line ends; empty lines are left out unless
   * `keepEmpty`.
   * @throws LineTooLong when an unfinished line outgrows the limit; the splitter is then of no more use
   */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#hold(chunk.subarray(start, end), end - start);
      // 0x0A is never part of a longer UTF-8 sequence, so the decoder holds nothing back at a line end.
      const line = this.#pieces.join("").replace(/\r$/, "");
      if (line.length > 0 || this.#keepEmpty) lines.push(line);
      this.#pieces = [];
      this.#heldBytes = 0;
      start = end + 1;
    }
    if (start < chunk.length) this.#hold(chunk.subarray(start), chunk.length - start);
    return lines;
  }

  #hold(piece: Uint8Array, bytes: number): void {
    this.#heldBytes += bytes;
    if (this.#heldBytes > this.#limitBytes) throw new LineTooLong(this.#limitBytes);
    this.#pieces.push(this.#decoder.decode(piece, { stream: true }));
  }
}

/**
 * The lines of a byte stream, one by one. Leaving the loop cancels the stream.
 * @throws LineTooLong
 */
export async function* readLines(
  stream: ReadableStream<Uint8Array>,
  splitter: LineSplitter,
): AsyncGenerator<string, void, void> {
  const reader = stream.getReader();
  try {
    for (let read = await reader.read(); !read.done; read = await reader.read())
      yield* splitter.push(read.value);
  } finally {
    await reader.cancel().catch(() => {});
  }
}

export class LineTooLong extends Error {
  constructor(limitBytes: number) {
    super(`a line is longer than ${limitBytes} bytes`);
    this.name = "LineTooLong";
  }
}
