/** A task's output cut into lines, the last few of them. */
import { withoutControls } from "../../shared/client/plain-text.ts";

export type OutputLine = { id: string; kind: "stdout" | "stderr" | "note"; text: string };

const LINES_KEPT = 2_000;
const LINE_CHARS = 4_000;

export class OutputLines {
  /** The unfinished line of each stream, by its place in `#lines`. */
  readonly #open = new Map<OutputLine["kind"], { id: string; raw: string }>();
  #lines = new Map<string, OutputLine>();
  #count = 0;

  /** A changed line is a new object, an unchanged one the same. */
  get lines(): OutputLine[] {
    return [...this.#lines.values()];
  }

  /** Output as it came: a piece may begin and end anywhere in a line. */
  add(kind: "stdout" | "stderr", text: string): void {
    const pieces = text.split("\n");
    pieces.forEach((piece, index) => {
      const isLast = index === pieces.length - 1;
      if (isLast && piece === "") return;
      this.#extend(kind, piece);
      if (!isLast) this.#open.delete(kind);
    });
    this.#trim();
  }

  /** A remark that is no output. */
  note(text: string): void {
    this.#put({ id: this.#nextId(), kind: "note", text });
    this.#trim();
  }

  #extend(kind: "stdout" | "stderr", piece: string): void {
    const open = this.#open.get(kind) ?? { id: this.#nextId(), raw: "" };
    // What is beyond the limit is not shown, so it is not kept either.
    open.raw = (open.raw + piece).slice(-2 * LINE_CHARS);
    this.#open.set(kind, open);
    this.#put({ id: open.id, kind, text: shown(open.raw) });
  }

  #put(line: OutputLine): void {
    this.#lines.set(line.id, line);
  }

  #trim(): void {
    for (const id of this.#lines.keys()) {
      if (this.#lines.size <= LINES_KEPT) break;
      this.#lines.delete(id);
    }
  }

  #nextId(): string {
    return String(++this.#count);
  }
}

/** As a terminal would leave it: what follows a carriage return has overwritten what was before. */
function shown(raw: string): string {
  const line = raw.replace(/\r+$/, "");
  const text = withoutControls(line.slice(line.lastIndexOf("\r") + 1));
  return text.length > LINE_CHARS ? `${text.slice(0, LINE_CHARS)} …` : text;
}
