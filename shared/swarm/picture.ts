/**
 * What is known of a hive at one offset, and when each part of it changed last. Sidecar, Hive and Shard hold
 * one each. So each of them can tell a reader at any earlier offset what it missed: every change since then,
 * merged, with the values of now. No list of past changes is kept; what is remembered grows with the
 * picture alone, but for the agents that went, of which there is a limit.
 */
import { LIMITS } from "../limits.ts";
import type {
  ContainerFigures,
  Departure,
  History,
  ServerState,
  SwarmTopology,
  TelemetryChange,
  TelemetryLine,
  TelemetrySnapshot,
} from "../protocol/sidecar.ts";
import type { Agent, AgentPatch } from "./agent.ts";
import { ALL_FIELDS, FACETS, IS_NEW, isWhole, patched, patchedFields } from "./fields.ts";
import type { Task } from "./task.ts";
import { type Touch, touched, touchedSince } from "./touches.ts";

/** Everything that changed after an offset, as it is now. */
export type Missed = {
  /** `fields` is a mask: what of the agent changed. */
  agents: { agent: Agent; fields: number }[];
  departures: Departure[];
  tasks: Task[];
  servers: boolean;
  swarms: boolean;
  container: boolean;
};

export class Picture {
  epoch: string | null = null;
  offset = 0;
  /** Counts what was applied: what is worked out from the picture holds for one version of it. */
  version = 0;
  /** The earliest offset from which `missedSince` can tell. */
  horizon = 0;
  agents = new Map<string, Agent>();
  servers: ServerState[] = [];
  swarms: SwarmTopology[] = [];
  container: ContainerFigures | null = null;
  tasks = new Map<string, Task>();
  #touches = new Map<string, Touch[]>();
  #taskTouches = new Map<string, number>();
  #parts = { servers: 0, swarms: 0, container: 0 };
  /** Which agents the last change told of: most of those who ask have missed that one alone. */
  #latest: { from: number; agents: readonly string[] } = { from: 0, agents: [] };
  /** In the order of their offsets. */
  #departures: Departure[] = [];

  /** `gap`: the line does not follow on what is held, and was not applied; ask for a snapshot. */
  apply(line: TelemetryLine): "applied" | "nothing_new" | "gap" {
    switch (line.type) {
      case "alive":
      case "config_revision":
      case "config_changed":
        return "nothing_new";
      case "snapshot":
        this.#replace(line);
        return "applied";
      case "change":
        if (this.epoch !== line.epoch || line.from !== this.offset || !this.#fits(line.change)) return "gap";
        this.#change(line.change, line.offset);
        this.#latest = { from: line.from, agents: (line.change.agents ?? []).map((agent) => agent.agent_id) };
        this.offset = line.offset;
        this.version++;
        return "applied";
    }
  }

  /** Whether a reader at this position can be told what it missed. */
  remembers(position: { epoch: string; offset: number }): boolean {
    const { epoch, offset } = position;
    return this.epoch === epoch && offset >= this.horizon && offset <= this.offset;
  }

  missedSince(offset: number): Missed {
    const agents: Missed["agents"] = [];
    const ids = offset === this.#latest.from ? this.#latest.agents : this.agents.keys();
    for (const id of ids) {
      const fields = touchedSince(this.#touches.get(id) ?? [], offset);
      const agent = fields && this.agents.get(id);
      if (agent) agents.push({ agent, fields });
    }
    const since = (part: number) => part > offset;
    return {
      agents,
      departures: this.#departedSince(offset),
      // In the order in which they changed, as the map holds them.
      tasks: [...this.tasks.values()].filter(({ taskId }) => since(this.#taskTouches.get(taskId) ?? 0)),
      servers: since(this.#parts.servers),
      swarms: since(this.#parts.swarms),
      container: since(this.#parts.container),
    };
  }

  /** The picture as the line that would recreate it. `epoch` must be known. */
  toSnapshot(epoch: string, nowMs: number): TelemetrySnapshot {
    return {
      type: "snapshot",
      epoch,
      offset: this.offset,
      timestamp: nowMs,
      agents: [...this.agents.values()],
      servers: this.servers,
      swarms: this.swarms,
      container: this.container,
      tasks: [...this.tasks.values()],
      history: this.#history(),
    };
  }

  #history(): History {
    return {
      horizon: this.horizon,
      agents: [...this.agents.keys()].map((id) =>
        (this.#touches.get(id) ?? []).map(([at, mask]) => [at, mask]),
      ),
      tasks: [...this.tasks.keys()].map((id) => this.#taskTouches.get(id) ?? 0),
      parts: { ...this.#parts },
      departures: [...this.#departures],
    };
  }

  #replace(line: TelemetrySnapshot): void {
    const { history } = line;
    this.version++;
    this.epoch = line.epoch;
    this.offset = line.offset;
    this.horizon = history.horizon;
    this.servers = line.servers;
    this.swarms = line.swarms;
    this.container = line.container;
    this.agents = new Map(line.agents.map((agent) => [agent.agent_id, agent]));
    this.tasks = new Map(line.tasks.map((task) => [task.taskId, task]));
    this.#touches = new Map(line.agents.map(({ agent_id }, i) => [agent_id, history.agents[i] ?? []]));
    this.#taskTouches = new Map(line.tasks.map(({ taskId }, i) => [taskId, history.tasks[i] ?? 0]));
    this.#parts = { ...history.parts };
    this.#latest = { from: line.offset, agents: [] };
    this.#departures = [...history.departures];
  }

  /** Only a whole agent can be one that is not known. */
  #fits({ agents = [] }: TelemetryChange): boolean {
    return agents.every((patch) => this.agents.has(patch.agent_id) || isWhole(patch));
  }

  #change(change: TelemetryChange, offset: number): void {
    for (const id of change.removed ?? []) this.#remove(id, offset);
    for (const patch of change.agents ?? []) this.#patch(patch, offset);
    for (const task of change.tasks ?? []) {
      this.#taskTouches.set(task.taskId, offset);
      for (const id of keepTask(this.tasks, task)) this.#forgetTask(id);
    }
    if (change.servers) {
      this.servers = change.servers;
      this.#parts.servers = offset;
    }
    if (change.swarms) {
      this.swarms = change.swarms;
      this.#parts.swarms = offset;
    }
    if (change.container !== undefined) {
      this.container = change.container;
      this.#parts.container = offset;
    }
  }

  #patch(patch: AgentPatch, offset: number): void {
    const id = patch.agent_id;
    const before = this.agents.get(id);
    if (!before) {
      if (!isWhole(patch)) return;
      this.agents.set(id, patch);
      this.#touches.set(id, [[offset, ALL_FIELDS | IS_NEW]]);
      return;
    }
    const fields = patchedFields(patch);
    if (fields & FACETS) this.#depart(before, offset);
    this.agents.set(id, patched(before, patch));
    this.#touches.set(id, touched(this.#touches.get(id) ?? [], offset, fields));
  }

  #remove(id: string, offset: number): void {
    const agent = this.agents.get(id);
    if (!agent) return;
    this.#depart(agent, offset);
    this.agents.delete(id);
    this.#touches.delete(id);
  }

  /** Whoever missed its last change cannot be told of it any more. */
  #forgetTask(id: string): void {
    this.horizon = Math.max(this.horizon, this.#taskTouches.get(id) ?? 0);
    this.#taskTouches.delete(id);
  }

  #depart({ agent_id, server_source, agent_type, swarm_id }: Agent, until: number): void {
    this.#departures.push({ agent_id, server_source, agent_type, swarm_id, until });
    // Half at a time, so that forgetting costs little for each.
    if (this.#departures.length <= LIMITS.departures) return;
    const forgotten = this.#departures.splice(0, LIMITS.departures / 2);
    this.horizon = Math.max(this.horizon, forgotten.at(-1)?.until ?? 0);
  }

  #departedSince(offset: number): Departure[] {
    let first = this.#departures.length;
    while (first > 0 && (this.#departures[first - 1]?.until ?? 0) > offset) first--;
    return this.#departures.slice(first);
  }
}

/** Tasks in a picture; the ledger at the sidecar keeps more. */
export const TASKS_KEPT = 100;

/** Puts a new or changed task among those kept; beyond the limit the one longest unchanged goes. Answers which. */
export function keepTask(tasks: Map<string, Task>, task: Task): string[] {
  // Deleting first moves the task to the end: the first in the map is the one longest unchanged.
  tasks.delete(task.taskId);
  tasks.set(task.taskId, task);
  const gone = [...tasks.keys()].slice(0, Math.max(0, tasks.size - TASKS_KEPT));
  for (const id of gone) tasks.delete(id);
  return gone;
}
