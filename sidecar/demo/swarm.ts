import { HivegateError } from "../../shared/errors.ts";
import type { Priority } from "../../shared/swarm/task.ts";
import {
  type AgentEntry,
  type AgentFigures,
  type AgentStatus,
  isAtWork,
  taskCounters,
  WorkerAgent,
} from "./agent.ts";
import type { StartAgent } from "./agent-thread.ts";
import { DEMO_LIMITS } from "./limits.ts";
import { type Job, type JobResult, jobOf, type UnitValue } from "./work.ts";

export type SwarmStatus = "active" | "completed" | "failed" | "stopped";

/** A swarm as `swarm_status` shows it; a long task text is shortened. */
export type SwarmEntry = {
  swarmId: string;
  taskId: string;
  task: string;
  status: SwarmStatus;
  topology: "star";
  workerCount: number;
  progress: number;
  createdAt: number;
  endedAt: number | null;
  result: JobResult | null;
};

export type SwarmOrder = {
  swarmId: string;
  taskId: string;
  task: string;
  priority: Priority;
  maxWorkers: number;
};

export type SwarmPorts = {
  startAgent: StartAgent;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** An agent appeared or ended. */
  changed: () => void;
};

const WORKERS: Record<Priority, number> = { High: 4, Medium: 2, Low: 1 };

/** How the queen's own state reads when the swarm is in a state. */
const QUEEN_STATUS: Record<SwarmStatus, AgentStatus> = {
  active: "working",
  completed: "done",
  failed: "failed",
  stopped: "stopped",
};

/**
 * One task and the agents that do it. The swarm is its own queen: she shares the units out, so that
 * worker `i` of `n` does the units `i`, `i + n`, …, and puts the values together.
 */
export class Swarm {
  readonly swarmId: string;
  readonly taskId: string;
  readonly createdAt: number;
  status: SwarmStatus = "active";
  endedAt: number | null = null;
  result: JobResult | null = null;
  error: string | null = null;
  unitsDone = 0;
  readonly unitsTotal: number;
  readonly #shownTask: string;
  readonly #job: Job;
  readonly #values: UnitValue[] = [];
  readonly #workers: WorkerAgent[];
  readonly #ports: SwarmPorts;
  #lastActive: number;

  /** @throws HivegateError `invalid_request` when the text asks for too much */
  constructor(order: SwarmOrder, ports: SwarmPorts) {
    this.#job = jobOf(order.task);
    this.#ports = ports;
    this.swarmId = order.swarmId;
    this.taskId = order.taskId;
    this.createdAt = ports.now();
    this.#lastActive = this.createdAt;
    this.unitsTotal = this.#job.units;
    this.#shownTask = shorten(order.task);

    const count = Math.min(WORKERS[order.priority], order.maxWorkers, this.unitsTotal);
    this.#workers = Array.from({ length: count }, (_, index) => this.#startWorker(order.task, index, count));
    ports.changed();
  }

  get workerCount(): number {
    return this.#workers.length;
  }

  get progress(): number {
    return this.unitsDone / this.unitsTotal;
  }

  /**
   * Ends the work; resolves when every thread is gone.
   * @throws HivegateError `task_ended`
   */
  async stop(): Promise<void> {
    if (this.status !== "active") {
      throw new HivegateError("task_ended", `The swarm has already ended: ${this.status}.`);
    }
    await this.#end("stopped");
  }

  async measure(): Promise<void> {
    await Promise.all(this.#workers.map((worker) => worker.measure(this.#ports.now)));
  }

  entry(): SwarmEntry {
    return {
      swarmId: this.swarmId,
      taskId: this.taskId,
      task: this.#shownTask,
      status: this.status,
      topology: "star",
      workerCount: this.workerCount,
      progress: this.progress,
      createdAt: this.createdAt,
      endedAt: this.endedAt,
      result: this.result,
    };
  }

  agents(): AgentEntry[] {
    const queen: AgentEntry = {
      agentId: this.#queenId,
      swarmId: this.swarmId,
      name: "Queen",
      type: "queen",
      status: QUEEN_STATUS[this.status],
      currentTask: this.status === "active" ? this.#shownTask : null,
      progress: this.progress,
      createdAt: this.createdAt,
      lastActive: this.#lastActive,
    };
    const workers = this.#workers.map<AgentEntry>((worker, index) => ({
      agentId: worker.agentId,
      swarmId: this.swarmId,
      name: `Worker ${index + 1}`,
      type: "worker",
      status: worker.status,
      currentTask: isAtWork(worker.status) ? this.#shownTask : null,
      progress: worker.unitsDone / worker.units,
      createdAt: worker.createdAt,
      lastActive: worker.lastActive,
    }));
    return [queen, ...workers];
  }

  /** The queen shares the daemon's main thread with everything else, so what she uses cannot be told. */
  figures(): AgentFigures[] {
    const queen: AgentFigures = {
      agentId: this.#queenId,
      cpuPercent: null,
      memoryBytes: null,
      unitsDone: 0,
      unitsPerSecond: null,
      ...taskCounters(QUEEN_STATUS[this.status]),
    };
    const nowMs = this.#ports.now();
    return [queen, ...this.#workers.map((worker) => worker.figures(nowMs))];
  }

  get #queenId(): string {
    return `${this.swarmId}-queen`;
  }

  #startWorker(task: string, index: number, step: number): WorkerAgent {
    const units = Math.ceil((this.unitsTotal - index) / step);
    const worker = new WorkerAgent(`${this.swarmId}-worker-${index + 1}`, units, this.createdAt);
    worker.thread = this.#ports.startAgent(
      { task, first: index, step },
      {
        online: () => worker.began(this.#ports.now()),
        unitDone: (unit, value) => this.#unitDone(worker, unit, value),
        ended: (error) => this.#workerEnded(worker, error),
      },
    );
    return worker;
  }

  #unitDone(worker: WorkerAgent, unit: number, value: UnitValue): void {
    if (this.status !== "active") return;
    this.#values[unit] = value;
    this.unitsDone++;
    this.#lastActive = this.#ports.now();
    worker.unitDone(this.#lastActive);
    if (this.unitsDone === this.unitsTotal) {
      this.result = this.#job.combine(this.#values);
      void this.#end("completed");
    } else if (!isAtWork(worker.status)) {
      this.#ports.changed();
    }
  }

  #workerEnded(worker: WorkerAgent, error: Error | null): void {
    if (!isAtWork(worker.status)) return;
    worker.finish("failed");
    this.error = `An agent ended before its work was done${error ? `: ${error.message}` : ""}.`;
    void this.#end("failed");
  }

  async #end(status: SwarmStatus): Promise<void> {
    this.status = status;
    this.endedAt = this.#ports.now();
    this.#lastActive = this.endedAt;
    for (const worker of this.#workers) worker.finish("stopped");
    this.#ports.changed();
    await Promise.all(this.#workers.map((worker) => worker.thread?.stop()));
  }
}

const shorten = (text: string): string =>
  text.length <= DEMO_LIMITS.shownTextLength
    ? text
    : `${text.slice(0, DEMO_LIMITS.shownTextLength).toWellFormed()}…`;
