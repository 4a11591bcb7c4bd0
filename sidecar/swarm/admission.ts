/**
 * Who may start a task, and when: rates, how many run at once in all and for each client, and in which order the
 * others wait. A queue in memory beside the ledger, which knows of the same tasks after a restart.
 */
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { RateLimiter } from "../../shared/pressure/rate-limiter.ts";
import type { Priority } from "../../shared/swarm/task.ts";

export type Candidate = { taskId: string; client: string; priority: Priority; createdAt: number };

/** Bounds that a test may want to be small; all say what they mean in `LIMITS`. */
export type AdmissionLimits = Pick<
  { [Name in keyof typeof LIMITS]: number },
  | "runningTasks"
  | "tasksPerClient"
  | "queuedTasks"
  | "queuedTasksPerClient"
  | "clientTaskBurst"
  | "clientTasksPerSecond"
  | "hiveTaskBurst"
  | "hiveTasksPerSecond"
>;

/**
 * How much later a task's place in the queue is than its coming. So higher priorities go first, yet none waits for
 * ever: a task is passed only by those that came within the difference after it.
 */
const HANDICAP_MS: Record<Priority, number> = { High: 0, Medium: 10 * 60_000, Low: 30 * 60_000 };

const HIVE = "hive";

export class Admission {
  readonly #limits: AdmissionLimits;
  readonly #clientRate: RateLimiter;
  readonly #hiveRate: RateLimiter;
  /** Each running task's client. */
  readonly #running = new Map<string, string>();
  /** In the order of their places. */
  #waiting: Candidate[] = [];

  constructor(limits: Partial<AdmissionLimits> = {}) {
    this.#limits = { ...LIMITS, ...limits };
    const { clientTaskBurst, clientTasksPerSecond, hiveTaskBurst, hiveTasksPerSecond } = this.#limits;
    this.#clientRate = new RateLimiter(
      { burst: clientTaskBurst, perSecond: clientTasksPerSecond },
      LIMITS.ratedSubjects,
    );
    this.#hiveRate = new RateLimiter({ burst: hiveTaskBurst, perSecond: hiveTasksPerSecond }, 1);
  }

  /**
   * A new task: whether it may run at once or has to wait.
   * @throws HivegateError `rate_limited`, `overloaded` when too many wait, of this client or of all
   */
  admit(candidate: Candidate, nowMs: number): "spawning" | "queued" {
    this.#clientRate.take(candidate.client, nowMs);
    this.#hiveRate.take(HIVE, nowMs);
    const mayRun = this.#hasRoom() && this.#mayRunMore(candidate.client);
    if (mayRun) {
      this.runs(candidate);
      return "spawning";
    }
    this.#checkQueue(candidate.client);
    this.waits(candidate);
    return "queued";
  }

  /** A task that was running before a restart. It may be one more than the limits allow by now. */
  runs({ taskId, client }: Pick<Candidate, "taskId" | "client">): void {
    this.#running.set(taskId, client);
  }

  /** A task that waits again: it was queued before a restart, or could not be started yet. */
  waits(candidate: Candidate): void {
    this.leave(candidate.taskId);
    const place = placeOf(candidate);
    const before = this.#waiting.findIndex((other) => placeOf(other) > place);
    this.#waiting.splice(before === -1 ? this.#waiting.length : before, 0, candidate);
  }

  /** The task is over, or will not be run. */
  leave(taskId: string): void {
    if (this.#running.delete(taskId)) return;
    this.#waiting = this.#waiting.filter((waiting) => waiting.taskId !== taskId);
  }

  /** The task whose turn it is; null while there is no room for any. */
  get head(): Candidate | null {
    if (!this.#hasRoom()) return null;
    return this.#waiting.find(({ client }) => this.#mayRunMore(client)) ?? null;
  }

  /** The same, which counts as running from now on. */
  next(): Candidate | null {
    const next = this.head;
    if (!next) return null;
    this.leave(next.taskId);
    this.runs(next);
    return next;
  }

  /** Those that have waited since then, or for longer. */
  waitingSince(atMs: number): Candidate[] {
    return this.#waiting.filter(({ createdAt }) => createdAt <= atMs);
  }

  #checkQueue(client: string): void {
    const own = this.#waiting.filter((waiting) => waiting.client === client).length;
    if (own >= this.#limits.queuedTasksPerClient)
      throw new HivegateError(
        "overloaded",
        "Too many of your tasks wait for their turn. Let some of them run.",
      );
    if (this.#waiting.length >= this.#limits.queuedTasks)
      throw new HivegateError("overloaded", "Too many tasks wait for their turn. Try again later.");
  }

  #hasRoom(): boolean {
    return this.#running.size < this.#limits.runningTasks;
  }

  #mayRunMore(client: string): boolean {
    const own = [...this.#running.values()].filter((each) => each === client).length;
    return own < this.#limits.tasksPerClient;
  }
}

const placeOf = ({ priority, createdAt }: Candidate): number => createdAt + HANDICAP_MS[priority];
