import { LIMITS } from "../../shared/limits.ts";

export type Line = { text: string; partial: boolean };

/**
 * Cuts what a stream writes next into lines. `open` is its unfinished line so far, `text` a piece of at most
 * `LIMITS.taskEventBytes`. A line that gets longer than that is cut where the piece begins, and marked as partial.
 */
export function cutLines(open: string, text: string): { lines: Line[]; open: string } {
  const [first = "", ...rest] = text.split("\n");
  const lines: Line[] = [];
  let unfinished = open;
  if (!fits(open, first)) {
    lines.push({ text: open, partial: true });
    unfinished = "";
  }
  unfinished += first;
  for (const next of rest) {
    lines.push({ text: unfinished, partial: false });
    unfinished = next;
  }
  return { lines, open: unfinished };
}

/** A UTF-16 unit is at most three bytes of UTF-8, so most lines need no counting. */
const fits = (open: string, more: string): boolean =>
  (open.length + more.length) * 3 <= LIMITS.taskEventBytes ||
  Buffer.byteLength(open) + Buffer.byteLength(more) <= LIMITS.taskEventBytes;
