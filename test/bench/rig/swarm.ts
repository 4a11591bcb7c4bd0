/** A swarm as large and as busy as a benchmark wants it, with what agents at work change. */
import { type Agent, UNKNOWN_PERFORMANCE } from "../../../shared/swarm/agent.ts";

export type SwarmShape = {
  agents: number;
  /** Agents that change in a tick, the next ones in turn. */
  changing: number;
  /** Swarms that the agents belong to in turn: `swarm-0` and so on. */
  swarms: number;
};

const STATUSES = ["working", "idle", "waiting"];
const TYPES = ["coder", "researcher", "tester", "reviewer", "analyst"];
const PAGE_BYTES = 4_096;
/** One change in so many is one of status and task as well. */
const STATUS_EVERY = 10;

export class BusySwarm {
  readonly agents: Agent[];
  readonly #shape: SwarmShape;
  readonly #random: () => number;
  #next = 0;

  constructor(shape: SwarmShape, random: () => number, nowMs: number) {
    this.#shape = shape;
    this.#random = random;
    this.agents = Array.from({ length: shape.agents }, (_, index) => this.#agent(index, nowMs));
  }

  /** Answers with the place of the first agent that changed. */
  tick(nowMs: number): number {
    const first = this.#next;
    for (let i = 0; i < this.#shape.changing; i++) {
      const agent = this.agents[this.#next];
      if (agent) this.agents[this.#next] = this.#changed(agent, nowMs);
      this.#next = (this.#next + 1) % this.agents.length;
    }
    return first;
  }

  /** Has an agent say when it changed, with fractions of a millisecond. */
  stamp(index: number, atMs: number): void {
    const agent = this.agents[index];
    if (agent)
      this.agents[index] = { ...agent, performance: { ...agent.performance, throughput: rounded(atMs, 3) } };
  }

  #agent(index: number, nowMs: number): Agent {
    const random = this.#random;
    return {
      agent_id: `agent-${nowMs}-${Math.floor(random() * 36 ** 6).toString(36)}-${index}`,
      swarm_id: `swarm-${index % this.#shape.swarms}`,
      server: "bench",
      server_source: "bench",
      name: `worker ${index}`,
      agent_type: pick(TYPES, random),
      status: "working",
      capabilities: ["code", "test"],
      current_task: `task-${index}-${Math.floor(random() * 1e6)}`,
      progress: 0,
      performance: { ...UNKNOWN_PERFORMANCE, tasks_active: 1, tasks_completed: 0, ...this.#figures() },
      neural_info: null,
      created_at: nowMs,
      last_active: nowMs,
    };
  }

  #changed(agent: Agent, nowMs: number): Agent {
    const random = this.#random;
    const isNewTask = random() < 1 / STATUS_EVERY;
    return {
      ...agent,
      progress: isNewTask ? 0 : rounded(Math.min(1, (agent.progress ?? 0) + random() / 50), 4),
      performance: { ...agent.performance, ...this.#figures() },
      last_active: nowMs,
      ...(isNewTask && {
        status: pick(STATUSES, random),
        current_task: `task-${Math.floor(random() * 1e9)}`,
      }),
    };
  }

  #figures() {
    const random = this.#random;
    return {
      cpu_usage: rounded(random() * 100, 1),
      memory_usage: Math.floor(random() * 50_000) * PAGE_BYTES,
      throughput: rounded(random() * 1_000, 1),
    };
  }
}

const pick = (from: readonly string[], random: () => number): string =>
  from[Math.floor(random() * from.length)] ?? "";

const rounded = (value: number, digits: number): number => Number(value.toFixed(digits));
