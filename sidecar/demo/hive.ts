import { HivegateError } from "../../shared/errors.ts";
import type { AgentEntry, AgentFigures } from "./agent.ts";
import { DEMO_LIMITS } from "./limits.ts";
import { goesOn } from "./queen.ts";
import { Swarm, type SwarmOrder, type SwarmPorts, type TopologyEntry } from "./swarm.ts";

export type HivePorts = SwarmPorts & {
  /** A new UUID. */
  newId: () => string;
  /** How long the agents of an ended swarm stay listed. */
  lingerMs: number;
};

/** `maxWorkers` can only make fewer than the priority gives. */
export type TaskOrder = Omit<SwarmOrder, "swarmId" | "taskId"> & { taskId?: string | undefined };

/** All swarms of the daemon: those at work, and the last that ended. */
export class Hive {
  readonly #ports: HivePorts;
  /** In the order of their start. */
  readonly #swarms = new Map<string, Swarm>();
  /** Ended swarms that are still listed. */
  readonly #lingering = new Map<string, NodeJS.Timeout>();
  #measuring: NodeJS.Timeout | null = null;

  constructor(ports: HivePorts) {
    this.#ports = ports;
  }

  /**
   * Starts a swarm for a task. A task id that is known means the swarm it started before, whatever the text.
   * @throws HivegateError `overloaded`, `invalid_request`
   */
  orchestrate(order: TaskOrder): Swarm {
    const known = order.taskId === undefined ? undefined : this.#byTask(order.taskId);
    if (known) return known;
    if (this.running().length >= DEMO_LIMITS.runningSwarms) {
      throw new HivegateError(
        "overloaded",
        `${DEMO_LIMITS.runningSwarms} swarms are at work already. Stop one, or try again later.`,
      );
    }
    const swarm = new Swarm(
      {
        swarmId: `swarm-${this.#ports.newId()}`,
        taskId: order.taskId ?? this.#ports.newId(),
        task: order.task,
        priority: order.priority,
        maxWorkers: order.maxWorkers,
      },
      { ...this.#ports, changed: () => this.#changed() },
    );
    this.#swarms.set(swarm.swarmId, swarm);
    this.#forgetOldest();
    this.#measuring ??= setInterval(() => this.#measure(), DEMO_LIMITS.sampleEveryMs);
    return swarm;
  }

  /**
   * The swarm with this id, or the one that a task of this id started.
   * @throws HivegateError `unknown_task`
   */
  find(id: string): Swarm {
    const swarm = this.#swarms.get(id) ?? this.#byTask(id);
    if (!swarm) throw new HivegateError("unknown_task", "There is no such swarm or task.");
    return swarm;
  }

  swarms(): Swarm[] {
    return [...this.#swarms.values()];
  }

  running(): Swarm[] {
    return this.swarms().filter((swarm) => goesOn(swarm.status));
  }

  agents(): AgentEntry[] {
    return this.#listed().flatMap((swarm) => swarm.agents());
  }

  figures(): AgentFigures[] {
    return this.#listed().flatMap((swarm) => swarm.figures());
  }

  /** The swarms whose agents are listed. */
  topologies(): TopologyEntry[] {
    return this.#listed().map((swarm) => swarm.topology());
  }

  async close(): Promise<void> {
    await Promise.all(this.running().map((swarm) => swarm.stop()));
    for (const timer of this.#lingering.values()) clearTimeout(timer);
    this.#measure();
  }

  /** That agents are no longer listed is a change like any other. */
  #changed(): void {
    this.#ports.changed();
    for (const { swarmId } of this.#listed().filter(({ status }) => !goesOn(status))) {
      if (this.#lingering.has(swarmId)) continue;
      const gone = () => {
        this.#lingering.delete(swarmId);
        this.#ports.changed();
      };
      // A millisecond later than they are listed, since timers may be that much too early.
      this.#lingering.set(swarmId, setTimeout(gone, this.#ports.lingerMs + 1).unref());
    }
  }

  #byTask(taskId: string): Swarm | undefined {
    return this.swarms().find((swarm) => swarm.taskId === taskId);
  }

  #listed(): Swarm[] {
    const endedSince = this.#ports.now() - this.#ports.lingerMs;
    return this.swarms().filter((swarm) => swarm.endedAt === null || swarm.endedAt > endedSince);
  }

  /** Measures while there is something to measure: an idle hive has no timer. */
  #measure(): void {
    const running = this.running();
    for (const swarm of running) void swarm.measure();
    if (running.length > 0 || !this.#measuring) return;
    clearInterval(this.#measuring);
    this.#measuring = null;
  }

  #forgetOldest(): void {
    const ended = this.swarms().filter((swarm) => !goesOn(swarm.status));
    const excess = ended.length - DEMO_LIMITS.endedSwarms;
    for (const swarm of ended.slice(0, Math.max(0, excess))) this.#swarms.delete(swarm.swarmId);
  }
}
