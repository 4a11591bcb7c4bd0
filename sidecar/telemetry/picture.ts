import { isDeepStrictEqual } from "node:util";
import { LIMITS } from "../../shared/limits.ts";
import type { ServerState, TelemetryChange, TelemetryLine } from "../../shared/protocol/sidecar.ts";
import type { Agent } from "../../shared/swarm/agent.ts";
import { Picture, TASKS_KEPT } from "../../shared/swarm/picture.ts";
import type { Task } from "../../shared/swarm/task.ts";
import { asListed } from "../swarm/tasks-listed.ts";

type ChangeLine = TelemetryLine & { type: "change" };
type SnapshotLine = TelemetryLine & { type: "snapshot" };

/** Bounds that a test may want to be small; both say what they mean in `LIMITS`. */
export type PictureLimits = { agents: number; agentsBytes: number };

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

  /** The servers are unavailable until they have been asked. */
  constructor(options: {
    epoch: string;
    servers: readonly { name: string; source: string }[];
    nowMs: number;
    limits?: PictureLimits;
  }) {
    this.#epoch = options.epoch;
    this.#limits = options.limits ?? LIMITS;
    const servers = options.servers.map(({ name, source }) => ({
      server: name,
      server_source: source,
      status: "unavailable" as const,
      agents: 0,
      stale_since: null,
    }));
    const { epoch, nowMs } = options;
    this.#picture.apply({
      type: "snapshot",
      epoch,
      offset: 0,
      timestamp: nowMs,
      agents: [],
      servers,
      tasks: [],
    });
  }

  /** Everything known, with the last of `tasks` as the ledger knows them, in any order. */
  snapshot(tasks: readonly Task[], nowMs: number): SnapshotLine {
    const latest = [...tasks].sort((a, b) => changedAtMs(a) - changedAtMs(b)).slice(-TASKS_KEPT);
    return { ...this.#picture.toSnapshot(this.#epoch, nowMs), tasks: latest.map(asListed) };
  }

  /** A server answered with all its agents. Null: it said nothing new. */
  applyPoll(server: string, agents: readonly Agent[], nowMs: number): ChangeLine | null {
    const told = this.#admit(server, agents);
    const known = this.#picture.agents;
    const removed = [...known.values()].filter(
      (agent) => agent.server === server && !told.has(agent.agent_id),
    );
    return this.#apply(
      {
        agents: [...told.values()].filter((agent) => agent !== known.get(agent.agent_id)),
        removed: removed.map((agent) => agent.agent_id),
        ...this.#serverChange(server, { status: "available", agents: agents.length, stale_since: null }),
      },
      nowMs,
    );
  }

  /** A server does not answer. Its agents stay, as they were at `staleSinceMs`. */
  applyFailure(server: string, staleSinceMs: number, nowMs: number): ChangeLine | null {
    return this.#apply(
      this.#serverChange(server, { status: "unavailable", stale_since: staleSinceMs }),
      nowMs,
    );
  }

  /** Nobody asks the server any more, so what it said grows old. */
  applyRest(server: string, staleSinceMs: number, nowMs: number): ChangeLine | null {
    return this.#apply(this.#serverChange(server, { stale_since: staleSinceMs }), nowMs);
  }

  applyTask(task: Task, nowMs: number): ChangeLine | null {
    return this.#apply({ tasks: [asListed(task)] }, nowMs);
  }

  /**
   * An agent told of by two servers belongs to the one that told first, for as long as that one answers.
   * Agents above the limits are left out: `ServerState.agents` counts them nevertheless, and so tells. Those
   * that did not change are given as the picture knows them.
   */
  #admit(server: string, agents: readonly Agent[]): Map<string, Agent> {
    const { servers, agents: known } = this.#picture;
    const available = new Set(
      servers.flatMap((state) => (state.status === "available" ? [state.server] : [])),
    );
    const others = new Map([...known].filter(([, agent]) => agent.server !== server));
    const told = new Map<string, Agent>();
    let room = this.#limits.agents - others.size;
    let roomBytes = this.#limits.agentsBytes;
    for (const other of others.values()) roomBytes -= this.#bytesOf(other);
    for (const agent of agents) {
      const other = others.get(agent.agent_id);
      if (told.has(agent.agent_id) || (other && available.has(other.server))) continue;
      const before = known.get(agent.agent_id);
      const now = before && isDeepStrictEqual(agent, before) ? before : agent;
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

  #serverChange(server: string, change: Partial<ServerState>): Pick<TelemetryChange, "servers"> {
    const servers = this.#picture.servers.map((state) =>
      state.server === server ? { ...state, ...change } : state,
    );
    return isDeepStrictEqual(servers, this.#picture.servers) ? {} : { servers };
  }

  #apply(change: TelemetryChange, nowMs: number): ChangeLine | null {
    const { agents, removed, servers, tasks } = change;
    const news: TelemetryChange = {
      ...(agents?.length ? { agents } : {}),
      ...(removed?.length ? { removed } : {}),
      ...(servers ? { servers } : {}),
      ...(tasks?.length ? { tasks } : {}),
    };
    if (Object.keys(news).length === 0) return null;
    const from = this.#picture.offset;
    const line: ChangeLine = { type: "change", from, offset: from + 1, timestamp: nowMs, change: news };
    this.#picture.apply(line);
    return line;
  }
}

const changedAtMs = (task: Task): number => task.endedAt ?? task.startedAt ?? task.createdAt;
