import { LIMITS } from "../../shared/limits.ts";
import type {
  ContainerFigures,
  ServerState,
  SwarmTopology,
  TelemetryChange,
  TelemetryChangeLine,
  TelemetrySnapshot,
} from "../../shared/protocol/sidecar.ts";
import type { Agent, AgentPatch } from "../../shared/swarm/agent.ts";
import { changedFields, pickFields } from "../../shared/swarm/fields.ts";
import { Picture, TASKS_KEPT } from "../../shared/swarm/picture.ts";
import type { Task } from "../../shared/swarm/task.ts";
import { EVERYTHING, seenOfMissed } from "../../shared/swarm/view.ts";
import { asListed } from "../swarm/tasks-listed.ts";

/** Bounds that a test may want to be small; both say what they mean in `LIMITS`. */
export type PictureLimits = { agents: number; agentsBytes: number };

/** What all servers of one pool together tell. */
export type PoolReport = { agents: readonly Agent[]; swarms: readonly SwarmTopology[] };

/**
 * The sending end of the telemetry stream: what is known now, and each news as the line that tells of it.
 * It applies its own lines, so that it cannot know anything else than its readers.
 */
export class TelemetryPicture {
  readonly #picture = new Picture();
  readonly #epoch: string;
  readonly #limits: PictureLimits;
  /** Agents stay the same objects for as long as they do not change, so each is measured once. */
  readonly #agentBytes = new WeakMap<Agent, number>();

  /** Begins with what the servers' states are before they were asked, and with the last of `tasks`, in any order. */
  constructor(options: {
    epoch: string;
    servers: ServerState[];
    tasks: readonly Task[];
    nowMs: number;
    limits?: PictureLimits;
  }) {
    const { epoch, servers, nowMs } = options;
    this.#epoch = epoch;
    this.#limits = options.limits ?? LIMITS;
    const tasks = [...options.tasks].sort((a, b) => changedAtMs(a) - changedAtMs(b)).slice(-TASKS_KEPT);
    this.#picture.apply({
      ...{ type: "snapshot", epoch, offset: 0, timestamp: nowMs, agents: [], servers, swarms: [] },
      ...{ container: null, tasks: tasks.map(asListed) },
      history: {
        ...{ horizon: 0, agents: [], tasks: tasks.map(() => 0), departures: [] },
        parts: { servers: 0, swarms: 0, container: 0 },
      },
    });
  }

  get container(): ContainerFigures | null {
    return this.#picture.container;
  }

  get figures(): { offset: number; agents: number } {
    return { offset: this.#picture.offset, agents: this.#picture.agents.size };
  }

  /** Everything known. */
  snapshot(nowMs: number): TelemetrySnapshot {
    return this.#picture.toSnapshot(this.#epoch, nowMs);
  }

  /**
   * What a reader at `position` has missed; `up_to_date` if nothing, `snapshot` if that is not remembered.
   */
  missedSince(
    position: { epoch: string; offset: number },
    nowMs: number,
  ): TelemetryChangeLine | "up_to_date" | "snapshot" {
    if (!this.#picture.remembers(position)) return "snapshot";
    const missed = this.#picture.missedSince(position.offset);
    const change = seenOfMissed(missed, this.#picture, EVERYTHING);
    return change ? this.#line(position.offset, this.#picture.offset, change, nowMs) : "up_to_date";
  }

  /** The servers of a pool answered with all that they tell of. Null: it is nothing new. */
  applyPoll(
    pool: string,
    report: PoolReport,
    servers: readonly ServerState[],
    nowMs: number,
  ): TelemetryChangeLine | null {
    const told = this.#admit(pool, report.agents);
    const known = this.#picture.agents;
    const gone = [...known.values()].filter(({ server, agent_id }) => server === pool && !told.has(agent_id));
    return this.#apply(
      {
        agents: [...told.values()].flatMap((agent) => patchOf(known.get(agent.agent_id), agent) ?? []),
        removed: gone.map((agent) => agent.agent_id),
        servers: this.#serversWith(servers),
        swarms: this.#swarmsWith(pool, report.swarms),
      },
      nowMs,
    );
  }

  /** These are all the servers that there are. What was known of the pools that are `gone` is no more. */
  applySources(
    servers: readonly ServerState[],
    gone: ReadonlySet<string>,
    nowMs: number,
  ): TelemetryChangeLine | null {
    const { agents, servers: before, swarms } = this.#picture;
    const left = swarms.filter(({ server }) => !gone.has(server));
    return this.#apply(
      {
        removed: [...agents.values()].filter(({ server }) => gone.has(server)).map((agent) => agent.agent_id),
        servers: isSame(before, servers) ? undefined : [...servers],
        swarms: left.length === swarms.length ? undefined : left,
      },
      nowMs,
    );
  }

  /** The states of some servers changed. Their agents stay as they were. */
  applyServers(servers: readonly ServerState[], nowMs: number): TelemetryChangeLine | null {
    return this.#apply({ servers: this.#serversWith(servers) }, nowMs);
  }

  applyContainer(container: ContainerFigures | null, nowMs: number): TelemetryChangeLine | null {
    if (container === null && this.#picture.container === null) return null;
    return this.#apply({ container }, nowMs);
  }

  applyTask(task: Task, nowMs: number): TelemetryChangeLine | null {
    return this.#apply({ tasks: [asListed(task)] }, nowMs);
  }

  /**
   * An agent told of by two pools belongs to the one that told first, for as long as that one answers.
   * Agents above the limits are left out: `ServerState.agents` counts them nevertheless, and so tells. Those
   * that did not change are given as the picture knows them.
   */
  #admit(pool: string, agents: readonly Agent[]): Map<string, Agent> {
    const { servers, agents: known } = this.#picture;
    const available = new Set(servers.flatMap((state) => (state.status === "available" ? [state.pool] : [])));
    const others = new Map([...known].filter(([, agent]) => agent.server !== pool));
    const told = new Map<string, Agent>();
    let room = this.#limits.agents - others.size;
    let roomBytes = this.#limits.agentsBytes;
    for (const other of others.values()) roomBytes -= this.#bytesOf(other);
    for (const agent of agents) {
      const other = others.get(agent.agent_id);
      if (told.has(agent.agent_id) || (other && available.has(other.server))) continue;
      const before = known.get(agent.agent_id);
      const now = before && changedFields(before, agent) === 0 ? before : agent;
      // One that is taken over makes room for itself.
      const bytes = this.#bytesOf(now) - (other ? this.#bytesOf(other) : 0);
      const count = other ? 0 : 1;
      if (count > room || bytes > roomBytes) continue;
      told.set(agent.agent_id, now);
      room -= count;
      roomBytes -= bytes;
    }
    return told;
  }

  #bytesOf(agent: Agent): number {
    const known = this.#agentBytes.get(agent);
    if (known !== undefined) return known;
    const bytes = Buffer.byteLength(JSON.stringify(agent)) + 1;
    this.#agentBytes.set(agent, bytes);
    return bytes;
  }

  /** Undefined: these states are known. */
  #serversWith(changed: readonly ServerState[]): ServerState[] | undefined {
    const before = this.#picture.servers;
    const after = before.map((state) => changed.find(({ server }) => server === state.server) ?? state);
    return isSame(before, after) ? undefined : after;
  }

  #swarmsWith(pool: string, swarms: readonly SwarmTopology[]): SwarmTopology[] | undefined {
    const before = this.#picture.swarms;
    const room = LIMITS.swarms - before.filter(({ server }) => server !== pool).length;
    const after = [...before.filter(({ server }) => server !== pool), ...swarms.slice(0, room)];
    return isSame(before, after) ? undefined : after;
  }

  #apply(
    news: { [Part in keyof TelemetryChange]: TelemetryChange[Part] },
    nowMs: number,
  ): TelemetryChangeLine | null {
    const { agents, removed, servers, swarms, container, tasks } = news;
    const change: TelemetryChange = {
      ...(agents?.length && { agents }),
      ...(removed?.length && { removed }),
      ...(servers && { servers }),
      ...(swarms && { swarms }),
      ...(container !== undefined && { container }),
      ...(tasks?.length && { tasks }),
    };
    if (Object.keys(change).length === 0) return null;
    const from = this.#picture.offset;
    const line = this.#line(from, from + 1, change, nowMs);
    this.#picture.apply(line);
    return line;
  }

  #line(from: number, offset: number, change: TelemetryChange, timestamp: number): TelemetryChangeLine {
    return { type: "change", epoch: this.#epoch, from, offset, timestamp, change };
  }
}

/** Null: nothing changed. */
function patchOf(before: Agent | undefined, agent: Agent): AgentPatch | null {
  if (!before) return agent;
  const fields = changedFields(before, agent);
  return fields === 0 ? null : pickFields(agent, fields);
}

/** Both are plain data, made by the same code in the same order. */
const isSame = (a: unknown, b: unknown): boolean => JSON.stringify(a) === JSON.stringify(b);

const changedAtMs = (task: Task): number => task.endedAt ?? task.startedAt ?? task.createdAt;
