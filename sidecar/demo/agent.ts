import type { AgentThread } from "./agent-thread.ts";

export type AgentStatus = "starting" | "working" | "paused" | "done" | "failed" | "stopped";

/** An agent as `agent_list` shows it. Times are milliseconds since the epoch, `progress` is 0 to 1. */
export type AgentEntry = {
  agentId: string;
  swarmId: string;
  name: string;
  type: "queen" | "worker";
  status: AgentStatus;
  currentTask: string | null;
  progress: number;
  createdAt: number;
  lastActive: number;
};

/** An agent as `agent_metrics` shows it: measured, or null. */
export type AgentFigures = {
  agentId: string;
  /** Percent of one core, over the last moment. */
  cpuPercent: number | null;
  memoryBytes: number | null;
  unitsDone: number;
  /** Average from the start of its work to its last unit; null until there is one. */
  unitsPerSecond: number | null;
  tasksActive: number;
  tasksCompleted: number;
  tasksFailed: number;
};

const AT_WORK: ReadonlySet<AgentStatus> = new Set(["starting", "working", "paused"]);
/** Whether its task goes on, be it paused. */
export const isAtWork = (status: AgentStatus): boolean => AT_WORK.has(status);

/** Whether an agent's task is going on, done or failed, as the counters of `agent_metrics` say it. */
export const taskCounters = (status: AgentStatus) => ({
  tasksActive: isAtWork(status) ? 1 : 0,
  tasksCompleted: status === "done" ? 1 : 0,
  tasksFailed: status === "failed" ? 1 : 0,
});

type Usage = { cpuMicros: number; atMs: number };

/** What is fixed about a worker from its start. `task` is the text to show. */
type WorkerIdentity = Pick<AgentEntry, "agentId" | "swarmId" | "name" | "createdAt"> & { task: string };

/** A worker's state and figures. `thread` does the work. */
export class WorkerAgent {
  readonly #identity: WorkerIdentity;
  readonly #units: number;
  status: AgentStatus = "starting";
  thread: AgentThread | null = null;
  #unitsDone = 0;
  #lastActive: number;
  #startedAt: number | null = null;
  #usage: Usage;
  #measuring = false;
  #held = false;
  #cpuPercent: number | null = null;
  #memoryBytes: number | null = null;

  /** `units`: how many it has to do. */
  constructor(identity: WorkerIdentity, units: number) {
    this.#identity = identity;
    this.#units = units;
    this.#lastActive = identity.createdAt;
    this.#usage = { cpuMicros: 0, atMs: identity.createdAt };
  }

  began(nowMs: number): void {
    if (this.status !== "starting") return;
    this.status = "working";
    this.#startedAt = nowMs;
    this.#lastActive = nowMs;
  }

  unitDone(nowMs: number): void {
    this.#unitsDone++;
    this.#lastActive = nowMs;
    if (this.#unitsDone === this.#units) this.finish("done");
  }

  hold(isHeld: boolean): void {
    this.#held = isHeld;
    this.thread?.hold(isHeld);
  }

  /** A thread that is over uses nothing that could be measured. */
  finish(status: AgentStatus): void {
    if (!isAtWork(this.status)) return;
    this.status = status;
    this.#cpuPercent = null;
    this.#memoryBytes = null;
  }

  /** Takes the figures of this moment: false when there are none. `now` is read when they have come. */
  async measure(now: () => number): Promise<boolean> {
    if (this.#measuring || this.status !== "working" || !this.thread) return false;
    this.#measuring = true;
    const measured = await this.thread.measure();
    this.#measuring = false;
    if (!measured || this.status !== "working") return false;
    const usage = { cpuMicros: measured.cpuMicros, atMs: now() };
    this.#cpuPercent = cpuPercent(this.#usage, usage);
    this.#memoryBytes = measured.heapBytes;
    this.#usage = usage;
    return true;
  }

  entry(): AgentEntry {
    const { agentId, swarmId, name, createdAt, task } = this.#identity;
    return {
      agentId,
      swarmId,
      name,
      type: "worker",
      status: this.#held && isAtWork(this.status) ? "paused" : this.status,
      currentTask: isAtWork(this.status) ? task : null,
      progress: this.#unitsDone / this.#units,
      createdAt,
      lastActive: this.#lastActive,
    };
  }

  figures(): AgentFigures {
    const seconds = this.#startedAt === null ? 0 : (this.#lastActive - this.#startedAt) / 1000;
    return {
      agentId: this.#identity.agentId,
      cpuPercent: this.#cpuPercent,
      memoryBytes: this.#memoryBytes,
      unitsDone: this.#unitsDone,
      unitsPerSecond: seconds > 0 ? this.#unitsDone / seconds : null,
      ...taskCounters(this.status),
    };
  }
}

function cpuPercent(before: Usage, after: Usage): number | null {
  const elapsedMicros = (after.atMs - before.atMs) * 1000;
  return elapsedMicros > 0 ? ((after.cpuMicros - before.cpuMicros) / elapsedMicros) * 100 : null;
}
