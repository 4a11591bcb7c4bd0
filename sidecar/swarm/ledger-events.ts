/**
 * What happened in each task, as rows of the ledger: lines of output, changes of state, gaps, numbered in one
 * sequence. Output is in the ledger and not in files beside it so that a number is given, a line is kept, the line that
 * is still being written goes on, and it is noted how far output was read, all at once or not at all: a sidecar that is
 * killed leaves neither holes nor doubles.
 * Nothing is synced to disk for it. Every method that writes is to be called within a transaction.
 */
import type { OnlyEvents } from "../../shared/protocol/sidecar.ts";
import type { Task, TaskEvent } from "../../shared/swarm/task.ts";
import type { KeptBytes, OutputStream } from "./executor.ts";
import { readEvent } from "./ledger-rows.ts";
import type { Statements } from "./ledger-statements.ts";
import { cutLines } from "./output-lines.ts";

const STREAMS = ["stdout", "stderr"] as const satisfies OutputStream[];

/** The last number given, the bytes held, and each stream's line that has not ended yet. */
type Head = { seq: number; bytes: number; open: Record<OutputStream, string> };
type NewEvent = {
  timestamp: number;
  kind: TaskEvent["kind"];
  text: string;
  stream?: OutputStream;
  partial?: boolean;
};

/** A row's own cost, so that many tiny events count as well. */
const EVENT_BYTES = 64;
/** Text read at a time, so that long lines do not make an answer too long. */
const PAGE_BYTES = 1024 * 1024;

export class LedgerEvents {
  readonly #statements: Statements;
  readonly #taskOutputBytes: number;
  /** Of tasks that are being written to. */
  readonly #heads = new Map<string, Head>();

  constructor(statements: Statements, { taskOutputBytes }: { taskOutputBytes: number }) {
    this.#statements = statements;
    this.#taskOutputBytes = taskOutputBytes;
  }

  /** Adds an event; what was kept longest goes when the task holds too much. */
  add(taskId: string, event: NewEvent): void {
    const head = this.#head(taskId);
    this.#append(taskId, head, event);
    this.#dropOldest(taskId, head);
  }

  /** Adds a piece of output, line by line. Whether the stream's last line is unfinished: nobody is told of it yet. */
  addOutput(
    taskId: string,
    stream: OutputStream,
    text: string,
    timestamp: number,
    throughBytes?: number,
  ): boolean {
    const head = this.#head(taskId);
    if (throughBytes !== undefined) this.#statements.keepBytes.run(taskId, stream, throughBytes);
    const { lines, open } = cutLines(head.open[stream], text);
    for (const line of lines) this.#append(taskId, head, { timestamp, kind: "output", stream, ...line });
    if (open !== head.open[stream]) this.#setOpen(taskId, head, stream, open);
    this.#dropOldest(taskId, head);
    return open !== "";
  }

  /** Unfinished lines of these streams are told as far as they have come. */
  closeLines(taskId: string, timestamp: number, streams: readonly OutputStream[] = STREAMS): void {
    const head = this.#head(taskId);
    for (const stream of streams) {
      const text = head.open[stream];
      if (text === "") continue;
      this.#append(taskId, head, { timestamp, kind: "output", stream, text, partial: true });
      this.#setOpen(taskId, head, stream, "");
    }
    this.#dropOldest(taskId, head);
  }

  /**
   * The next events after number `after`, `limit` at most. Where those next in line are no longer kept, the first is a
   * `gap` that bears the number of the last one lost. Of changes of state alone there are no gaps.
   */
  read(task: Task, after: number, limit: number, only: OnlyEvents | null): TaskEvent[] {
    const { taskId } = task;
    const statement = only === null ? this.#statements.events : this.#statements.stateEvents;
    const events: TaskEvent[] = [];
    let bytes = 0;
    for (const row of statement.iterate(taskId, after, limit)) {
      events.push(readEvent(row, task));
      bytes += Number(row.bytes);
      if (bytes >= PAGE_BYTES) break;
    }
    const first = events[0];
    if (only !== null || !first || first.seq === after + 1) return events;
    const reason = "Older output is no longer kept.";
    return [{ taskId, seq: first.seq - 1, timestamp: first.timestamp, kind: "gap", reason }, ...events];
  }

  /** Up to about `limitChars` of a task's standard output, without its unfinished line: its beginning, or its end. */
  output(taskId: string, which: "beginning" | "end", limitChars: number): string {
    const statement = which === "end" ? this.#statements.lastOutput : this.#statements.firstOutput;
    const pieces: string[] = [];
    let chars = 0;
    for (const row of statement.iterate(taskId)) {
      const text = `${row.text}${row.partial === 1 ? "" : "\n"}`;
      pieces.push(text);
      chars += text.length;
      if (chars >= limitChars) break;
    }
    return which === "end"
      ? pieces.reverse().join("").slice(-limitChars)
      : pieces.join("").slice(0, limitChars);
  }

  /** How far output that can be read again was kept. */
  keptBytes(taskId: string): KeptBytes {
    const bytesOf = (stream: OutputStream) =>
      Number(this.#statements.bytesKept.get(taskId, stream)?.bytes ?? 0);
    return { stdout: bytesOf("stdout"), stderr: bytesOf("stderr") };
  }

  /** Keeps the last event of a task alone, so that numbering goes on from it. */
  dropOutput(taskId: string): void {
    this.#statements.dropAllButLast.run(taskId, taskId);
    this.#heads.delete(taskId);
  }

  /** What the task's events take. */
  bytesOf(taskId: string): number {
    return this.#head(taskId).bytes;
  }

  /** The task is written to no more; without an id: what was counted in a transaction did not happen. */
  forget(taskId?: string): void {
    if (taskId === undefined) this.#heads.clear();
    else this.#heads.delete(taskId);
  }

  #append(taskId: string, head: Head, event: NewEvent): void {
    const bytes = Buffer.byteLength(event.text) + EVENT_BYTES;
    const { timestamp, kind, stream = null, text, partial = false } = event;
    const row = [timestamp, kind, stream, text, partial ? 1 : 0, bytes];
    this.#statements.append.run(taskId, head.seq + 1, ...row);
    head.seq += 1;
    head.bytes += bytes;
  }

  /** In the ledger too, for a sidecar that comes later. */
  #setOpen(taskId: string, head: Head, stream: OutputStream, text: string): void {
    if (text === "") this.#statements.endLine.run(taskId, stream);
    else this.#statements.openLine.run(taskId, stream, text);
    head.open[stream] = text;
  }

  /** Always leaves the newest event, so that numbering goes on from it. */
  #dropOldest(taskId: string, head: Head): void {
    if (head.bytes <= this.#taskOutputBytes) return;
    const through = this.#statements.oldest.get(taskId, head.seq, head.bytes - this.#taskOutputBytes);
    if (!through) return;
    this.#statements.drop.run(taskId, Number(through.seq));
    head.bytes -= Number(through.bytes);
  }

  #head(taskId: string): Head {
    const known = this.#heads.get(taskId);
    if (known) return known;
    const row = this.#statements.head.get(taskId);
    const open = { stdout: "", stderr: "" };
    for (const stream of STREAMS)
      open[stream] = String(this.#statements.line.get(taskId, stream)?.text ?? "");
    const head = { seq: Number(row?.seq ?? 0), bytes: Number(row?.bytes ?? 0), open };
    this.#heads.set(taskId, head);
    return head;
  }
}
