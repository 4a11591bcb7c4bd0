/**
 * What the sidecar knows about tasks, kept in SQLite: it is written down before it is acted on or told, so
 * that a task is never run twice and a reader can go on where it stopped, whoever was restarted in between.
 */
import type { DatabaseSync } from "node:sqlite";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { CreateTask, OnlyEvents } from "../../shared/protocol/sidecar.ts";
import { hasEnded, Task, type TaskEvent } from "../../shared/swarm/task.ts";
import type { Logger } from "../log.ts";
import { transaction } from "../sqlite/transaction.ts";
import type { Executor, KeptBytes, OutputStream } from "./executor.ts";
import { LedgerBreakers } from "./ledger-breakers.ts";
import { LedgerEvents } from "./ledger-events.ts";
import { fingerprintOfRow, refusalOf, sameOrThrow } from "./ledger-idempotency.ts";
import { readTask, storeState, Unfinished } from "./ledger-rows.ts";
import { openDatabase } from "./ledger-schema.ts";
import { prepareStatements, type Statements } from "./ledger-statements.ts";
import { asListed } from "./tasks-listed.ts";

export type UnfinishedTask = {
  task: Task;
  handle: string | null;
  stopAsked: boolean;
  client: string;
  verbose: boolean;
};

/** How a task begins. */
export type Beginning = { method: Executor["method"]; state: "queued" | "spawning" };

/** What may change in a task after it began. `neverRan`: it is certain that nothing was run for it. */
export type TaskPatch = Partial<
  Pick<
    Task,
    "method" | "note" | "state" | "swarmId" | "startedAt" | "pausedAt" | "endedAt" | "exitCode" | "error"
  > & {
    neverRan: boolean;
  }
>;

/** Takes the place of an end that was none: readers stop at an end. */
const BEGAN_AGAIN = "It could not be started at first, and was asked for again.";

/** Bounds that a test may want to be small; all say what they mean in `LIMITS`. */
export type LedgerLimits = Pick<
  { [Name in keyof typeof LIMITS]: number },
  "taskOutputBytes" | "keptOutputBytes" | "endedTasks" | "rememberedTasks"
>;

export class Ledger {
  readonly #db: DatabaseSync;
  readonly #limits: LedgerLimits;
  readonly #statements: Statements;
  readonly #events: LedgerEvents;

  constructor(directory: string, limits: Partial<LedgerLimits> = {}) {
    this.#db = openDatabase(directory);
    this.#limits = { ...LIMITS, ...limits };
    this.#statements = prepareStatements(this.#db);
    this.#events = new LedgerEvents(this.#statements, this.#limits);
  }

  /**
   * Writes a task down before anything is run for it, durably even against a loss of power. A task that is
   * there already is given back as it is, unless it never ran: then it begins anew. At most `endedTasks`
   * ended ones are kept; of `rememberedTasks` before them it is known that they are not to be run again.
   * @throws HivegateError `idempotency_conflict` when the id was used for something else, `task_ended` when
   * the task is one of those no longer kept
   */
  begin(create: CreateTask, { method, state }: Beginning, nowMs: number): { task: Task; created: boolean } {
    const row = this.#statements.get.get(create.taskId);
    const known = row && sameOrThrow(row, create);
    if (known && row.never_ran !== 1) return { task: known, created: false };
    const remembered = this.#statements.fingerprint.get(create.taskId);
    if (remembered) throw refusalOf(remembered.fingerprint, create);
    const { taskId, task: text, priority, timeoutMs, client } = create;
    const spawningAt = state === "spawning" ? nowMs : null;
    const task = this.#durably(() => {
      if (known) {
        this.#statements.beginAgain.run(method, state, spawningAt, taskId);
        this.#statements.noEnd.run(BEGAN_AGAIN, taskId, taskId);
      } else {
        const asked = [text, priority, create.verbose ? 1 : 0, timeoutMs, client];
        this.#statements.insert.run(taskId, ...asked, method, state, nowMs, spawningAt);
      }
      return this.#tellState(this.#require(taskId), nowMs);
    });
    return { task, created: true };
  }

  /** A queued task's turn has come: written down before anything is run for it, as durably as its beginning. */
  spawn(taskId: string, nowMs: number): UnfinishedTask {
    return this.#durably(() => {
      this.#store({ ...this.#require(taskId), state: "spawning", spawningAt: nowMs }, false, nowMs);
      return unfinished(this.#statements.get.get(taskId));
    });
  }

  /** Nothing could be run for a task whose turn had come: it waits again. */
  queueAgain(taskId: string, method: Executor["method"], nowMs: number): UnfinishedTask {
    return this.#transaction(() => {
      this.#statements.beginAgain.run(method, "queued", null, taskId);
      this.#tellState(this.#require(taskId), nowMs);
      return unfinished(this.#statements.get.get(taskId));
    });
  }

  /** Keeps the handle by which the executor finds a task's process again. */
  remember(taskId: string, handle: string): void {
    this.#statements.remember.run(handle, taskId);
  }

  /** The same, not to be lost with the power either: what is done next may go on where this host does not. */
  rememberDurably(taskId: string, handle: string): void {
    this.#durably(() => this.remember(taskId, handle));
  }

  /** Keeps that a task was asked to stop, or (when stopping failed) that it was not. */
  askStop(taskId: string, asked: boolean): void {
    this.#statements.askStop.run(asked ? 1 : 0, taskId);
  }

  /** Changes a task and adds the `state` event that says so. Ended tasks over the limits go, oldest first. */
  change(taskId: string, { neverRan = false, ...patch }: TaskPatch, nowMs: number): Task {
    return this.#transaction(() => this.#store({ ...this.#require(taskId), ...patch }, neverRan, nowMs));
  }

  /**
   * Adds a piece of output, at most `LIMITS.taskEventBytes` long. Whether the stream's last line is unfinished, which
   * readers do not see before it ends or `closeLines` is called. `throughBytes`: see `OutputSink`.
   */
  addOutput(
    taskId: string,
    stream: OutputStream,
    text: string,
    nowMs: number,
    throughBytes?: number,
  ): boolean {
    return this.#transaction(() => this.#events.addOutput(taskId, stream, text, nowMs, throughBytes));
  }

  /** How far each stream of a task's output was kept, as far as it can be read again. */
  keptBytes(taskId: string): KeptBytes {
    return this.#events.keptBytes(taskId);
  }

  /** Lets readers see unfinished lines as far as they have come. */
  closeLines(taskId: string, nowMs: number, streams?: readonly OutputStream[]): void {
    this.#transaction(() => this.#events.closeLines(taskId, nowMs, streams));
  }

  /** Says where output was lost, and why. */
  addGap(taskId: string, reason: string, nowMs: number): void {
    this.#transaction(() => {
      this.#events.closeLines(taskId, nowMs);
      this.#events.add(taskId, { timestamp: nowMs, kind: "gap", text: reason });
    });
  }

  /** Up to `limit` events that follow number `after`, or of changes of state alone: see `LedgerEvents.read`. */
  events(taskId: string, after: number, limit: number, only: OnlyEvents | null = null): TaskEvent[] {
    const task = this.get(taskId);
    return task ? this.#events.read(task, after, limit, only) : [];
  }

  /** Up to about `limitChars` of the finished lines of a task's standard output: its beginning, or its end. */
  output(taskId: string, which: "beginning" | "end", limitChars: number): string {
    return this.#events.output(taskId, which, limitChars);
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

  /** All that are under way and the last that ended, of these swarms or of all. Newest first, with long texts cut. */
  list(swarmIds: readonly string[] | null = null): Task[] {
    const swarms = swarmIds && JSON.stringify(swarmIds);
    const rows = this.#statements.list.all({ swarms, ended: LIMITS.listedEndedTasks });
    return rows.map((row) => asListed(readTask(row)));
  }

  /** Tasks whose end is not known yet, oldest first. */
  unfinished(): UnfinishedTask[] {
    return this.#statements.unfinished.all().map(unfinished);
  }

  /** The circuit breakers' states, which live in the same database. */
  breakers(log: Logger): LedgerBreakers {
    return new LedgerBreakers(this.#db, log);
  }

  close(): void {
    this.#db.close();
  }

  #store(changed: Task, neverRan: boolean, nowMs: number): Task {
    const task = Task.parse(changed);
    const { taskId, state, swarmId, spawningAt, startedAt, pausedAt, endedAt, exitCode, error } = task;
    const { code, message } = error ?? { code: null, message: null };
    const end = [endedAt, exitCode, code, message, neverRan ? 1 : 0];
    const begun = [state, swarmId, spawningAt, startedAt, pausedAt];
    this.#statements.update.run(task.method, task.note ?? null, ...begun, ...end, taskId);
    if (hasEnded(state)) this.#events.closeLines(taskId, nowMs);
    this.#tellState(task, nowMs);
    if (hasEnded(state)) {
      this.#statements.keepSize.run(this.#events.bytesOf(taskId), taskId);
      this.#events.forget(taskId);
      this.#forgetOverdue();
      this.#dropOverdueOutput();
    }
    return task;
  }

  #tellState(task: Task, nowMs: number): Task {
    this.#events.add(task.taskId, { timestamp: nowMs, kind: "state", text: storeState(task) });
    return task;
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

  /** Ended tasks keep their output while there is room for all of it; the database's file gets no larger for it. */
  #dropOverdueOutput(): void {
    let bytes = Number(this.#statements.keptBytes.get()?.bytes ?? 0);
    if (bytes <= this.#limits.keptOutputBytes) return;
    for (const row of this.#statements.endedFirst.all()) {
      if (bytes <= this.#limits.keptOutputBytes) return;
      const taskId = String(row.task_id);
      this.#events.dropOutput(taskId);
      this.#statements.keepSize.run(0, taskId);
      bytes -= Number(row.output_bytes);
    }
  }

  #require(taskId: string): Task {
    const task = this.get(taskId);
    if (!task) throw new HivegateError("unknown_task");
    return task;
  }

  /** As `#transaction`, and on the disk when it returns. */
  #durably<T>(work: () => T): T {
    this.#db.exec("PRAGMA synchronous = FULL");
    try {
      return this.#transaction(work);
    } finally {
      this.#db.exec("PRAGMA synchronous = NORMAL");
    }
  }

  #transaction<T>(work: () => T): T {
    try {
      return transaction(this.#db, work);
    } catch (thrown) {
      // What was counted in the meantime did not happen.
      this.#events.forget();
      throw thrown;
    }
  }
}

const unfinished = (row: unknown): UnfinishedTask => ({ task: readTask(row), ...Unfinished.parse(row) });
