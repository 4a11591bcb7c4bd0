/** What happens at the other end: MCP servers whose agents come, work, move and go; tasks; a container. */
import type { ContainerFigures, ServerState, SwarmTopology } from "../../shared/protocol/sidecar.ts";
import type { Agent } from "../../shared/swarm/agent.ts";
import type { Task, TaskState } from "../../shared/swarm/task.ts";
import { anAgent, aServer, aTask } from "../support/agents.ts";
import type { Random } from "./random.ts";

export type Facets = Pick<Agent, "server_source" | "agent_type" | "swarm_id">;

export type Pool = {
  readonly name: string;
  readonly ids: readonly string[];
  readonly sources: readonly string[];
  servers: ServerState[];
  agents: Map<string, Agent>;
  swarms: SwarmTopology[];
};

export type SwarmListener = {
  poolChanged(pool: Pool): void;
  containerChanged(): void;
  taskChanged(task: Task): void;
};

export const SWARM_IDS = ["s1", "s2", "s3"] as const;
export const AGENT_TYPES = ["worker", "queen", "scout"] as const;
export const SERVER_SOURCES = ["demo", "claude_flow", "ruv_swarm"] as const;

const SKILLS = ["code", "review"] as const;

/** The agent that both pools tell of. */
export const TOLD_TWICE = "both";

const POOLS = [
  { name: "demo", servers: ["demo"], sources: ["demo"], ids: ["a1", "a2", "a3", "a4", "a5", TOLD_TWICE] },
  {
    ...{ name: "flow", servers: ["flow-1", "flow-2"], sources: ["claude_flow", "ruv_swarm"] },
    ids: ["f1", "f2", "f3", TOLD_TWICE],
  },
];

export class Swarm {
  readonly pools: readonly Pool[];
  readonly tasks = new Map<string, Task>();
  /** Every kind of agent that an id has ever stood for. */
  readonly everWas = new Map<string, Facets[]>();
  container: ContainerFigures | null = null;
  listener: SwarmListener | null = null;
  readonly #random: Random;
  readonly #nowMs: () => number;
  readonly #taskIds: string[];

  constructor(random: Random, nowMs: () => number, tasks: number) {
    this.#random = random;
    this.#nowMs = nowMs;
    this.pools = POOLS.map(({ name, servers, sources, ids }) => ({
      ...{ name, ids, sources, swarms: [], agents: new Map() },
      servers: servers.map((server) => this.#server(name, server, sources[0] ?? name, "available", 0)),
    }));
    this.#taskIds = Array.from({ length: tasks }, () => random.uuid());
    for (const id of this.#taskIds) this.tasks.set(id, this.#task(id));
    for (const pool of this.pools) for (const id of pool.ids) if (random.chance(0.5)) this.#appear(pool, id);
  }

  /** Something happens. */
  step(): void {
    const random = this.#random;
    const pool = random.pick(this.pools);
    const act = random.weighted([
      { weight: 12, act: () => pool && this.#agentStep(pool) },
      { weight: 2, act: () => pool && this.#everyAgent(pool) },
      { weight: 1, act: () => pool && this.#serverStep(pool) },
      { weight: 1, act: () => pool && this.#topologyStep(pool) },
      { weight: 1, act: () => this.#containerStep() },
      { weight: 3, act: () => this.#taskStep() },
    ]);
    act?.act();
  }

  /** Something of each kind happens, and every server answers again. */
  stepAll(): void {
    for (const pool of this.pools) {
      this.#answer(pool, true);
      this.#agentStep(pool);
      this.#topologyStep(pool);
    }
    this.#containerStep();
    this.#taskStep();
  }

  #agentStep(pool: Pool): void {
    const random = this.#random;
    const id = random.pick(pool.ids) ?? "";
    if (!pool.agents.has(id)) this.#appear(pool, id);
    else if (random.chance(0.3)) pool.agents.delete(id);
    else this.#change(pool, id);
    this.#changed(pool);
  }

  /** As when a swarm is stopped and another started: all that happens between two polls is one change. */
  #everyAgent(pool: Pool): void {
    for (const id of pool.ids) {
      pool.agents.delete(id);
      if (this.#random.chance(0.6)) this.#appear(pool, id);
    }
    this.#changed(pool);
  }

  #appear(pool: Pool, id: string): void {
    const random = this.#random;
    this.#put(
      pool,
      anAgent({
        ...{ agent_id: id, server: pool.name, name: `${id} in ${pool.name}` },
        server_source: random.pick(pool.sources) ?? pool.name,
        ...{ agent_type: random.of(...AGENT_TYPES), swarm_id: random.of(null, ...SWARM_IDS) },
        ...{ status: random.of("idle", "working"), progress: random.of(null, 0, 0.5) },
        neural_info: random.chance(0.3) ? { cognitive_pattern: "lateral", network_id: null } : null,
        ...{ capabilities: random.some(SKILLS), created_at: this.#nowMs() },
      }),
    );
  }

  #change(pool: Pool, id: string): void {
    const random = this.#random;
    const before = pool.agents.get(id);
    if (!before) return;
    const figure = random.between(0, 100);
    const change = random.of<() => Partial<Agent>>(
      () => ({ status: random.of("idle", "working", "done") }),
      () => ({ progress: figure / 100, last_active: this.#nowMs() }),
      () => ({ performance: { ...before.performance, cpu_usage: figure } }),
      () => ({
        performance: { ...before.performance, token_usage: figure, memory_usage: random.of(null, 1) },
      }),
      () => ({ neural_info: random.of(null, { cognitive_pattern: `${figure}`, network_id: null }) }),
      () => ({ swarm_id: random.of(null, ...SWARM_IDS) }),
      () => ({ agent_type: random.of(...AGENT_TYPES) }),
      () => ({ server_source: random.pick(pool.sources) ?? pool.name, status: "moved" }),
      () => ({ capabilities: random.some(SKILLS), current_task: random.of(null, "count") }),
    );
    this.#put(pool, { ...before, ...change() });
  }

  #put(pool: Pool, agent: Agent): void {
    pool.agents.set(agent.agent_id, agent);
    const { server_source, agent_type, swarm_id } = agent;
    const known = this.everWas.get(agent.agent_id) ?? [];
    known.push({ server_source, agent_type, swarm_id });
    this.everWas.set(agent.agent_id, known);
  }

  #serverStep(pool: Pool): void {
    this.#answer(pool, !pool.servers.every(({ status }) => status === "available"));
  }

  #answer(pool: Pool, doAnswer: boolean): void {
    pool.servers = pool.servers.map(({ server, server_source }) =>
      this.#server(
        pool.name,
        server,
        server_source,
        doAnswer ? "available" : "unavailable",
        pool.agents.size,
      ),
    );
    this.listener?.poolChanged(pool);
  }

  #server(
    pool: string,
    server: string,
    server_source: string,
    status: ServerState["status"],
    agents: number,
  ) {
    const stale_since = status === "available" ? null : this.#nowMs();
    return aServer({ server, pool, server_source, status, agents, stale_since });
  }

  #topologyStep(pool: Pool): void {
    const random = this.#random;
    pool.swarms = random.some(SWARM_IDS).map((swarm_id) => ({
      ...{ swarm_id, server: pool.name, server_source: random.pick(pool.sources) ?? pool.name },
      ...{ topology: random.of("mesh", "star"), status: "active", coordinator: null },
      ...{ agents: random.between(0, 9), max_agents: null },
    }));
    this.#changed(pool);
  }

  #containerStep(): void {
    const random = this.#random;
    this.container = random.chance(0.2)
      ? null
      : {
          ...{ container: "swarm", cpu_usage: random.between(0, 100), memory_bytes: null },
          ...{ memory_limit_bytes: null, network_received_bytes: null, network_sent_bytes: null },
          ...{ processes: null, timestamp: this.#nowMs() },
        };
    this.listener?.containerChanged();
  }

  #taskStep(): void {
    const random = this.#random;
    const id = (random.chance(0.5) && random.pick(this.#taskIds)) || random.uuid();
    if (!this.tasks.has(id)) this.#taskIds.push(id);
    const before = this.tasks.get(id);
    const state = random.of<TaskState>("running", "completed", "failed");
    // A swarm that is known stays the same.
    const swarmId = before?.swarmId ?? random.of(null, ...SWARM_IDS);
    const task: Task = before ? { ...before, state, swarmId } : this.#task(id);
    this.tasks.set(id, task);
    this.listener?.taskChanged(task);
  }

  #task(taskId: string): Task {
    const swarmId = this.#random.of(null, ...SWARM_IDS);
    return aTask({ taskId, swarmId, createdAt: this.#nowMs(), startedAt: null });
  }

  #changed(pool: Pool): void {
    const agents = pool.agents.size;
    pool.servers = pool.servers.map((server) => ({ ...server, agents }));
    this.listener?.poolChanged(pool);
  }
}
