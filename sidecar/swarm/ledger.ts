/**
 * What the sidecar knows about tasks, kept in SQLite: it is written down before it is acted on or told, so
 * that a task is never run twice and a reader can go on where it stopped, whoever was restarted in between.
 */
import type { DatabaseSync } from "node:sqlite";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { CreateTask } from "../../shared/protocol/sidecar.ts";
import { hasEnded, Task, type TaskEvent } from "../../shared/swarm/task.ts";
import type { Logger } from "../log.ts";
import type { Executor } from "./executor.ts";
import { LedgerBreakers } from "./ledger-breakers.ts";
import { fingerprintOfRow, refusalOf, sameOrThrow } from "./ledger-idempotency.ts";
import { readEvent, readTask, storeState, Unfinished } from "./ledger-rows.ts";
import { openDatabase } from "./ledger-schema.ts";
import { prepareStatements, type Statements } from "./ledger-statements.ts";
import { asListed } from "./tasks-listed.ts";

export type UnfinishedTask = { task: Task; handle: string | null; stopAsked: boolean };

/** What may change in a task after it began. `neverRan`: it is certain that nothing was run for it. */
export type TaskPatch = Partial<
  Pick<Task, "state" | "swarmId" | "startedAt" | "endedAt" | "exitCode" | "error"> & { neverRan: boolean }
>;

/** A row's own cost, so that many tiny events count as well. */
const EVENT_BYTES = 64;

/** Bounds that a test may want to be small; all say what they mean in `LIMITS`. */
export type LedgerLimits = { taskOutputBytes: number; endedTasks: number; rememberedTasks: number };

type NewEvent = { timestamp: number; kind: TaskEvent["kind"]; stream: string | null; text: string };

export class Ledger {
  readonly #db: DatabaseSync;
  readonly #limits: LedgerLimits;
  readonly #statements: Statements;
  /** The last number given and the bytes held, for tasks that are being written to. */
  readonly #heads = new Map<string, { seq: number; bytes: number }>();

  constructor(directory: string, limits: LedgerLimits = LIMITS) {
    this.#db = openDatabase(directory);
    this.#limits = limits;
    this.#statements = prepareStatements(this.#db);
  }

  /**
   * Writes a task down before anything is run for it, durably even against a loss of power. A task that is
   * there already is given back as it is, unless it never ran: then it begins anew. At most `endedTasks`
   * ended ones are kept; of `rememberedTasks` before them it is known that they are not to be run again.
   * @throws HivegateError `idempotency_conflict` when the id was used for something else, `task_ended` when
   * the task is one of those no longer kept
   */
  begin(create: CreateTask, method: Executor["method"], nowMs: number): { task: Task; created: boolean } {
    const row = this.#statements.get.get(create.taskId);
    const known = row && sameOrThrow(row, create);
    if (known && row.never_ran !== 1) return { task: known, created: false };
    const remembered = this.#statements.fingerprint.get(create.taskId);
    if (remembered) throw refusalOf(remembered.fingerprint, create);
    const { taskId, task: text, priority } = create;
    this.#db.exec("PRAGMA synchronous = FULL");
    try {
      const task = this.#transaction(() => {
        if (known) this.#statements.beginAgain.run(method, taskId);
        else this.#statements.insert.run(taskId, text, priority, create.verbose ? 1 : 0, method, nowMs);
        const begun = this.#require(taskId);
        this.#append(taskId, { timestamp: nowMs, kind: "state", stream: null, text: storeState(begun) });
        return begun;
      });
      return { task, created: true };
    } finally {
      this.#db.exec("PRAGMA synchronous = NORMAL");
    }
  }

  /** Keeps the handle by which the executor finds a task's process again. */
  remember(taskId: string, handle: string): void {
    this.#statements.remember.run(handle, taskId);
  }

  /** Keeps that a task was asked to stop, or (when stopping failed) that it was not. */
  askStop(taskId: string, asked: boolean): void {
    this.#statements.askStop.run(asked ? 1 : 0, taskId);
  }

  /** Changes a task and adds the `state` event that says so. Ended tasks over the limit go, oldest first. */
  change(taskId: string, { neverRan = false, ...patch }: TaskPatch, nowMs: number): Task {
    return this.#transaction(() => {
      const task = Task.parse({ ...this.#require(taskId), ...patch });
      const { state, swarmId, startedAt, endedAt, exitCode, error } = task;
      const { code, message } = error ?? { code: null, message: null };
      const end = [endedAt, exitCode, code, message, neverRan ? 1 : 0];
      this.#statements.update.run(state, swarmId, startedAt, ...end, taskId);
      this.#append(taskId, { timestamp: nowMs, kind: "state", stream: null, text: storeState(task) });
      if (hasEnded(state)) {
        this.#heads.delete(taskId);
        this.#forgetOverdue();
      }
      return task;
    });
  }

  /** Adds a piece of output; what was kept longest goes when the task holds too much. */
  addOutput(taskId: string, stream: "stdout" | "stderr", text: string, nowMs: number): void {
    this.#append(taskId, { timestamp: nowMs, kind: "output", stream, text });
  }

  /** Says where output was lost, and why. */
  addGap(taskId: string, reason: string, nowMs: number): void {
    this.#append(taskId, { timestamp: nowMs, kind: "gap", stream: null, text: reason });
  }

  /**
   * At most `limit` events that follow number `after`. Where those next in line are no longer kept, the first
   * is a `gap` that bears the number of the last one lost: numbers go up, and none is left out in silence.
   */
  events(taskId: string, after: number, limit: number): TaskEvent[] {
    const task = this.get(taskId);
    if (!task) return [];
    const events = this.#statements.events.all(taskId, after, limit).map((row) => readEvent(row, task));
    const first = events[0];
    if (!first || first.seq === after + 1) return events;
    const reason = "Older output is no longer kept.";
    return [{ taskId, seq: first.seq - 1, timestamp: first.timestamp, kind: "gap", reason }, ...events];
  }

  /** Up to about `limitChars` of a task's standard output: its beginning, or its end. */
  output(taskId: string, which: "beginning" | "end", limitChars: number): string {
    const statement = which === "end" ? this.#statements.lastOutput : this.#statements.firstOutput;
    const pieces: string[] = [];
    let chars = 0;
    for (const row of statement.iterate(taskId)) {
      const text = String(row.text);
      pieces.push(text);
      chars += text.length;
      if (chars >= limitChars) break;
    }
    return which === "end"
      ? pieces.reverse().join("").slice(-limitChars)
      : pieces.join("").slice(0, limitChars);
  }

  get(taskId: string): Task | undefined {
    const row = this.#statements.get.get(taskId);
    return row && readTask(row);
  }

  /**
   * Whether it is certain that nothing was run for this task. A task that failed without having been seen
   * running may have run all the same: the sidecar was killed before it could write that down.
   */
  neverRan(taskId: string): boolean {
    return this.#statements.get.get(taskId)?.never_ran === 1;
  }

  /** Newest first, with long texts cut. */
  list(limit: number = LIMITS.listedTasks): Task[] {
    return this.#statements.list.all(limit).map((row) => asListed(readTask(row)));
  }

  /** Tasks whose end is not known yet, oldest first. */
  unfinished(): UnfinishedTask[] {
    return this.#statements.unfinished
      .all()
      .map((row) => ({ task: readTask(row), ...Unfinished.parse(row) }));
  }

  /** The circuit breakers' states, which live in the same database. */
  breakers(log: Logger): LedgerBreakers {
    return new LedgerBreakers(this.#db, log);
  }

  close(): void {
    this.#db.close();
  }

  #append(taskId: string, event: NewEvent): void {
    const head = this.#head(taskId);
    const bytes = Buffer.byteLength(event.text) + EVENT_BYTES;
    const { timestamp, kind, stream, text } = event;
    this.#statements.append.run(taskId, head.seq + 1, timestamp, kind, stream, text, bytes);
    head.seq += 1;
    head.bytes += bytes;
    if (head.bytes > this.#limits.taskOutputBytes) this.#dropOldest(taskId, head);
  }

  /** Always leaves the newest event, so that numbering goes on from it. */
  #dropOldest(taskId: string, head: { seq: number; bytes: number }): void {
    let dropThrough = 0;
    let { bytes } = head;
    for (const row of this.#statements.sizes.iterate(taskId, head.seq)) {
      if (bytes <= this.#limits.taskOutputBytes) break;
      dropThrough = Number(row.seq);
      bytes -= Number(row.bytes);
    }
    this.#statements.drop.run(taskId, dropThrough);
    head.bytes = bytes;
  }

  #head(taskId: string): { seq: number; bytes: number } {
    const known = this.#heads.get(taskId);
    if (known) return known;
    const row = this.#statements.head.get(taskId);
    const head = { seq: Number(row?.seq ?? 0), bytes: Number(row?.bytes ?? 0) };
    this.#heads.set(taskId, head);
    return head;
  }

  /** Deletes ended tasks over the limit; those that ran leave behind what keeps them from running again. */
  #forgetOverdue(): void {
    for (const row of this.#statements.overdue.all(this.#limits.endedTasks)) {
      const taskId = String(row.task_id);
      if (row.never_ran !== 1) this.#statements.keepFingerprint.run(taskId, fingerprintOfRow(row));
      this.#statements.delete.run(taskId);
    }
    this.#statements.forgetRemembered.run(this.#limits.rememberedTasks);
  }

  #require(taskId: string): Task {
    const task = this.get(taskId);
    if (!task) throw new HivegateError("unknown_task");
    return task;
  }

  #transaction<T>(work: () => T): T {
    this.#db.exec("BEGIN IMMEDIATE");
    try {
      const result = work();
      this.#db.exec("COMMIT");
      return result;
    } catch (thrown) {
      // What was counted in the meantime did not happen.
      this.#heads.clear();
      // Where the disk is full SQLite has rolled back by itself, and another one would hide the reason.
      if (this.#db.isTransaction) this.#db.exec("ROLLBACK");
      throw thrown;
    }
  }
}
