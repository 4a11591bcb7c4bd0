import { Counter, Gauge, Histogram, type Registry } from "prom-client";
import { hasEnded, type Task, type TaskMethod, TaskState } from "../../shared/swarm/task.ts";

const QUEUE_BUCKETS_S = [0.1, 1, 5, 15, 60, 300, 900, 3_600, 14_400];
const START_BUCKETS_S = [0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10, 30, 60];
const RUN_BUCKETS_S = [1, 5, 15, 60, 300, 900, 3_600, 14_400, 86_400];

const OPEN_STATES = TaskState.options.filter((state) => !hasEnded(state));
const END_STATES = TaskState.options.filter(hasEnded);

/** Counts tasks by what is said of them at each change. `methods`: those that there can be. */
export class TaskMetrics {
  /** Tasks whose end is not known, as they were said to be last. */
  readonly #open = new Map<string, Task>();
  readonly #started: Counter;
  readonly #ended: Counter;
  readonly #queueS: Histogram;
  readonly #startS: Histogram;
  readonly #runS: Histogram;

  constructor(registry: Registry, methods: readonly TaskMethod[]) {
    const registers = [registry];
    this.#started = new Counter({
      name: "hivegate_tasks_started_total",
      help: "Tasks that began to run, by the way they were given to the swarm.",
      labelNames: ["method"],
      registers,
    });
    this.#ended = new Counter({
      name: "hivegate_tasks_ended_total",
      help: "Tasks that ended, by how. One that could not be started has failed.",
      labelNames: ["method", "outcome"],
      registers,
    });
    this.#queueS = new Histogram({
      name: "hivegate_task_queue_duration_seconds",
      help: "How long tasks waited for their turn.",
      buckets: QUEUE_BUCKETS_S,
      registers,
    });
    this.#startS = new Histogram({
      name: "hivegate_task_start_duration_seconds",
      help: "From a task's turn until it ran.",
      labelNames: ["method"],
      buckets: START_BUCKETS_S,
      registers,
    });
    this.#runS = new Histogram({
      name: "hivegate_task_run_duration_seconds",
      help: "How long tasks ran.",
      labelNames: ["method"],
      buckets: RUN_BUCKETS_S,
      registers,
    });
    const open = this.#open;
    new Gauge({
      name: "hivegate_tasks",
      help: "Tasks that have not ended, by state.",
      labelNames: ["state"],
      registers,
      collect() {
        for (const state of OPEN_STATES) this.set({ state }, 0);
        for (const { state } of open.values()) this.inc({ state });
      },
    });
    // A series that first appears with 1 looks to a rate as if nothing had happened.
    for (const method of methods) {
      this.#started.inc({ method }, 0);
      for (const outcome of END_STATES) this.#ended.inc({ method, outcome }, 0);
    }
  }

  /** Tasks of an earlier life of the sidecar: what they have behind them was counted there. */
  restore(tasks: readonly Task[]): void {
    for (const task of tasks) this.#open.set(task.taskId, task);
  }

  /** Call it at each change of a task; what is said of one that has ended counts no more. */
  changed(task: Task): void {
    const before = this.#open.get(task.taskId);
    const { createdAt, spawningAt, startedAt } = task;
    if (before?.spawningAt === null && spawningAt !== null)
      this.#queueS.observe(seconds(createdAt, spawningAt));
    if (before?.startedAt === null && startedAt !== null) {
      this.#started.inc({ method: task.method });
      this.#startS.observe({ method: task.method }, seconds(spawningAt ?? createdAt, startedAt));
    }
    if (!hasEnded(task.state)) {
      this.#open.set(task.taskId, task);
      return;
    }
    if (!before) return;
    this.#open.delete(task.taskId);
    this.#ended.inc({ method: task.method, outcome: task.state });
    if (startedAt !== null && task.endedAt !== null)
      this.#runS.observe({ method: task.method }, seconds(startedAt, task.endedAt));
  }
}

/** A clock that was set back in between must not make a time negative. */
const seconds = (fromMs: number, toMs: number): number => Math.max(0, toMs - fromMs) / 1000;
