import { LIMITS } from "../../../shared/limits.ts";
import { LineSplitter, LineTooLong } from "../../../shared/wire/lines.ts";
import { parseLine } from "./parse-line.ts";

/**
 * Takes a stream's chunks and gives the message in each of its lines, for as long as it is `wanted`: a message may have
 * made its receiver hang up. A line above the limit calls `tooLong`; what comes after it is of no more use.
 */
export function messageLines(to: {
  onMessage(message: unknown): void;
  wanted(): boolean;
  tooLong(error: LineTooLong): void;
}): (chunk: Uint8Array) => void {
  const splitter = new LineSplitter(LIMITS.mcpLineBytes);
  return (chunk) => {
    if (!to.wanted()) return;
    try {
      for (const line of splitter.push(chunk)) {
        if (!to.wanted()) return;
        to.onMessage(parseLine(line));
      }
    } catch (error) {
      if (!(error instanceof LineTooLong)) throw error;
      to.tooLong(error);
    }
  };
}
