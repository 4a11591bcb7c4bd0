/** Which task runs when: what `Admission` decides is written down in the ledger, told, and started. */
import type { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { CreateTask } from "../../shared/protocol/sidecar.ts";
import type { Task } from "../../shared/swarm/task.ts";
import type { Logger } from "../log.ts";
import { Admission, type AdmissionLimits, type Candidate } from "./admission.ts";
import { cannotWrite } from "./cannot-write.ts";
import type { Executor } from "./executor.ts";
import type { Ledger, TaskPatch, UnfinishedTask } from "./ledger.ts";
import type { TaskOutput } from "./task-output.ts";
import { NOTHING_RAN, type RunRequest } from "./tasks-run.ts";

export type TurnsOptions = {
  ledger: Ledger;
  method: Executor["method"];
  output: Pick<TaskOutput, "changed">;
  limits: Partial<AdmissionLimits> | undefined;
  /** Whether anybody could start a task now. Never throws. */
  canStart(): Promise<boolean>;
  /** A queued task's turn has come. */
  start(request: RunRequest): void;
  onChange(task: Task): void;
  now(): number;
  log: Logger;
  /** How long until what failed, because a disk is full or the swarm is away, is tried anew. */
  retryMs: number;
};

/** Starts of one queued task, where it seemed each time that somebody could start it. */
const STARTS = 3;

const GIVEN_UP: Task["error"] = {
  code: "swarm_unavailable",
  message: `The swarm was away for too long when the task's turn came. ${NOTHING_RAN}`,
};

export class TaskTurns {
  readonly #options: TurnsOptions;
  readonly #admission: Admission;
  #retry: NodeJS.Timeout | undefined;
  /** Of tasks that wait again. */
  readonly #failedStarts = new Map<string, number>();
  #isLooking = false;
  /** Since when nobody could start a task whose turn had come. */
  #awaySinceMs: number | null = null;
  #closed = false;

  constructor(options: TurnsOptions) {
    this.#options = options;
    this.#admission = new Admission(options.limits);
  }

  /**
   * Writes a new task down: to be started now by the caller, or as queued. One that is there already is found.
   * @throws HivegateError as `Ledger.begin` and `Admission.admit`; `swarm_unavailable` when there is no room for it
   */
  begin(create: CreateTask): { task: Task; created: boolean } {
    const { ledger, method, now } = this.#options;
    const { taskId, client, priority } = create;
    const nowMs = now();
    const isNew = !ledger.get(taskId) || ledger.neverRan(taskId);
    const candidate = { taskId, client, priority, createdAt: nowMs };
    const state = isNew ? this.#admission.admit(candidate, nowMs) : "queued";
    try {
      return ledger.begin(create, { method, state }, nowMs);
    } catch (thrown) {
      if (isNew) this.#admission.leave(taskId);
      throw this.#unwritten(thrown, taskId, NOTHING_RAN);
    }
  }

  /** Tasks of an earlier life of the sidecar take their places again. */
  resume(unfinished: readonly UnfinishedTask[]): void {
    for (const { task, client } of unfinished) {
      if (task.state === "queued") this.#admission.waits({ ...task, client });
      else this.#admission.runs({ taskId: task.taskId, client });
    }
  }

  /**
   * A task could not be started because nobody was there who could: it takes its place in the queue again, so often at
   * most. Whether it does.
   */
  again(taskId: string): boolean {
    const { ledger, log, method, now } = this.#options;
    const failedStarts = (this.#failedStarts.get(taskId) ?? 0) + 1;
    if (failedStarts >= STARTS) return false;
    try {
      const { task, client } = ledger.queueAgain(taskId, method, now());
      this.#failedStarts.set(taskId, failedStarts);
      this.#admission.waits({ ...task, client });
      this.#tell(task);
    } catch (err) {
      log.error({ err, taskId }, "a task that could not be started cannot wait again");
      return false;
    }
    this.#later();
    return true;
  }

  /** A task has ended: somebody else may run. */
  over(taskId: string): void {
    this.#leave(taskId);
    this.startNext();
  }

  /**
   * Starts as many of those that wait as may run now. While nobody could start them they wait on: a swarm that is away
   * for a moment must not cost every task in the queue.
   */
  startNext(): void {
    clearTimeout(this.#retry);
    if (this.#closed || this.#isLooking) return;
    if (this.#admission.head) void this.#look();
    else this.#awaySinceMs = null;
  }

  async #look(): Promise<void> {
    this.#isLooking = true;
    const canStart = await this.#options.canStart();
    this.#isLooking = false;
    if (this.#closed) return;
    if (!canStart) return this.#wait();
    this.#awaySinceMs = null;
    this.#startAll();
  }

  #wait(): void {
    const { log, now } = this.#options;
    const nowMs = now();
    if (this.#awaySinceMs === null) log.warn({}, "nobody can start tasks now: those in the queue wait on");
    this.#awaySinceMs ??= nowMs;
    const giveUpMs = nowMs - LIMITS.queuedTaskMs;
    if (this.#awaySinceMs <= giveUpMs) this.#giveUp(this.#admission.waitingSince(giveUpMs));
    this.#later();
  }

  #giveUp(candidates: readonly Candidate[]): void {
    for (const { taskId } of candidates) {
      try {
        this.#end(taskId, { state: "failed", error: GIVEN_UP, neverRan: true });
      } catch (err) {
        this.#options.log.error({ err, taskId }, "the end of a queued task could not be stored yet");
        return;
      }
    }
  }

  #later(): void {
    clearTimeout(this.#retry);
    this.#retry = setTimeout(() => this.startNext(), this.#options.retryMs).unref();
  }

  #startAll(): void {
    const { ledger, log, now } = this.#options;
    for (let next = this.#admission.next(); next; next = this.#admission.next()) {
      const { taskId } = next;
      let spawned: UnfinishedTask;
      try {
        spawned = ledger.spawn(taskId, now());
      } catch (err) {
        log.error({ err, taskId }, "the start of a queued task could not be stored yet");
        this.#admission.waits(next);
        this.#later();
        return;
      }
      this.#tell(spawned.task);
      this.#options.start({ ...spawned.task, verbose: spawned.verbose });
    }
  }

  /** Stops a queued task: it is never run. @throws HivegateError `swarm_unavailable` when the ledger cannot be written */
  stop(taskId: string): Task {
    try {
      return this.#end(taskId, { state: "stopped" });
    } catch (thrown) {
      throw this.#unwritten(thrown, taskId, "The task still waits for its turn.");
    }
  }

  /** Starts nothing any more. */
  close(): void {
    this.#closed = true;
    clearTimeout(this.#retry);
  }

  /** @throws when the ledger cannot be written: the task waits on */
  #end(taskId: string, patch: TaskPatch): Task {
    const nowMs = this.#options.now();
    const task = this.#options.ledger.change(taskId, { ...patch, endedAt: nowMs }, nowMs);
    this.#leave(taskId);
    this.#tell(task);
    return task;
  }

  #leave(taskId: string): void {
    this.#admission.leave(taskId);
    this.#failedStarts.delete(taskId);
  }

  /** What is no error of ours is SQLite's, for want of room: for the client, and for whoever runs the sidecar. */
  #unwritten(thrown: unknown, taskId: string, outcome: string): HivegateError {
    const error = cannotWrite(thrown, outcome);
    if (error !== thrown) this.#options.log.error({ err: thrown, taskId }, "the ledger cannot be written");
    return error;
  }

  #tell(task: Task): void {
    this.#options.output.changed(task.taskId, "state");
    this.#options.onChange(task);
  }
}
