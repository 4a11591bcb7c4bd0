import { HivegateError } from "../../shared/errors.ts";
import type { Priority } from "../../shared/swarm/task.ts";
import { type AgentEntry, type AgentFigures, isAtWork, WorkerAgent } from "./agent.ts";
import type { StartAgent } from "./agent-thread.ts";
import { DEMO_LIMITS } from "./limits.ts";
import { goesOn, type Queen, queenEntry, queenFigures, queenId, type SwarmStatus } from "./queen.ts";
import { type Job, type JobResult, jobOf, type UnitValue } from "./work.ts";

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
  maxWorkers?: number | undefined;
};

export type SwarmPorts = {
  startAgent: StartAgent;
  /** Milliseconds since the epoch. */
  now: () => number;
  /** An agent appeared or ended. */
  changed: () => void;
  /** Something else that the tools show changed: how far an agent is, or what it uses. */
  progressed: () => void;
};

/** A swarm as `swarm_topology` shows it. */
export type TopologyEntry = Pick<SwarmEntry, "swarmId" | "topology" | "status"> & {
  /** The queen's id. */
  coordinator: string;
  /** With the queen. */
  agentCount: number;
};

const WORKERS: Record<Priority, number> = { High: 4, Medium: 2, Low: 1 };

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

    const count = Math.min(WORKERS[order.priority], order.maxWorkers ?? this.unitsTotal, this.unitsTotal);
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
    this.#throwIfEnded();
    await this.#end("stopped");
  }

  /**
   * Lets no further unit be begun, or lets them go on; twice is as once.
   * @throws HivegateError `task_ended`
   */
  hold(isHeld: boolean): void {
    this.#throwIfEnded();
    this.status = isHeld ? "paused" : "active";
    for (const worker of this.#workers) worker.hold(isHeld);
    this.#ports.changed();
  }

  async measure(): Promise<void> {
    const measured = await Promise.all(this.#workers.map((worker) => worker.measure(this.#ports.now)));
    if (measured.includes(true)) this.#ports.progressed();
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

  topology(): TopologyEntry {
    const { swarmId, topology, status } = this.entry();
    return { swarmId, topology, status, coordinator: queenId(swarmId), agentCount: this.workerCount + 1 };
  }

  agents(): AgentEntry[] {
    return [queenEntry(this.#queen()), ...this.#workers.map((worker) => worker.entry())];
  }

  figures(): AgentFigures[] {
    return [queenFigures(this.#queen()), ...this.#workers.map((worker) => worker.figures())];
  }

  #queen(): Queen {
    const { swarmId, status, progress, createdAt } = this;
    return { swarmId, status, progress, createdAt, task: this.#shownTask, lastActive: this.#lastActive };
  }

  #startWorker(task: string, index: number, step: number): WorkerAgent {
    const units = Math.ceil((this.unitsTotal - index) / step);
    const number = index + 1;
    const worker = new WorkerAgent(
      {
        agentId: `${this.swarmId}-worker-${number}`,
        swarmId: this.swarmId,
        name: `Worker ${number}`,
        createdAt: this.createdAt,
        task: this.#shownTask,
      },
      units,
    );
    worker.thread = this.#ports.startAgent(
      { task, first: index, step },
      {
        online: () => {
          worker.began(this.#ports.now());
          this.#ports.progressed();
        },
        unitDone: (unit, value) => this.#unitDone(worker, unit, value),
        ended: () => this.#workerEnded(worker),
      },
    );
    return worker;
  }

  #unitDone(worker: WorkerAgent, unit: number, value: UnitValue): void {
    if (!goesOn(this.status)) return;
    this.#values[unit] = value;
    this.unitsDone++;
    this.#lastActive = this.#ports.now();
    worker.unitDone(this.#lastActive);
    if (this.unitsDone === this.unitsTotal) {
      this.result = this.#job.combine(this.#values);
      void this.#end("completed");
    } else if (isAtWork(worker.status)) {
      this.#ports.progressed();
    } else {
      this.#ports.changed();
    }
  }

  #workerEnded(worker: WorkerAgent): void {
    if (!isAtWork(worker.status)) return;
    worker.finish("failed");
    this.error = "An agent ended before its work was done. The daemon's log says more.";
    void this.#end("failed");
  }

  #throwIfEnded(): void {
    if (goesOn(this.status)) return;
    throw new HivegateError("task_ended", `The swarm has already ended: ${this.status}.`);
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
