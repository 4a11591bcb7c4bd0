/**
 * Cuts a byte stream into lines, whatever the chunks: a line may come in many pieces, a chunk may hold many
 * lines, a character may be split. Holds at most `limitBytes` of an unfinished line.
 */
export class LineSplitter {
  readonly #limitBytes: number;
  readonly #decoder = new TextDecoder();
  #pieces: string[] = [];
  #heldBytes = 0;

  constructor(limitBytes: number) {
    this.#limitBytes = limitBytes;
  }

  /**
   * The lines that this chunk completes, without their line ends; empty lines are left out.
   * @throws LineTooLong when an unfinished line outgrows the limit; the splitter is then of no more use
   */
  push(chunk: Uint8Array): string[] {
    const lines: string[] = [];
    let start = 0;
    for (let end = chunk.indexOf(10); end !== -1; end = chunk.indexOf(10, start)) {
      this.#hold(chunk.subarray(start, end), end - start);
      // 0x0A is never part of a longer UTF-8 sequence, so the decoder holds nothing back at a line end.
      const line = this.#pieces.join("").replace(/\r$/, "");
      if (line.length > 0) lines.push(line);
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

export class LineTooLong extends Error {
  constructor(limitBytes: number) {
    super(`a line is longer than ${limitBytes} bytes`);
    this.name = "LineTooLong";
  }
}
