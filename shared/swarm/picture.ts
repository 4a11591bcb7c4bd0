import type { ServerState, TelemetryChange, TelemetryLine, TelemetrySnapshot } from "../protocol/sidecar.ts";
import type { Agent } from "./agent.ts";
import type { Task } from "./task.ts";

/**
 * What is known of a hive at one offset: the receiving end of the telemetry stream. A change that does not
 * follow on the offset held is not applied, so a picture is never half right.
 */
export class Picture {
  epoch: string | null = null;
  offset = 0;
  agents = new Map<string, Agent>();
  servers: ServerState[] = [];
  tasks = new Map<string, Task>();

  /** `gap`: the line was not applied; ask for a snapshot. */
  apply(line: TelemetryLine): "applied" | "nothing_new" | "gap" {
    switch (line.type) {
      case "alive":
        return "nothing_new";
      case "snapshot":
        this.epoch = line.epoch;
        this.offset = line.offset;
        this.agents = new Map(line.agents.map((agent) => [agent.agent_id, agent]));
        this.servers = line.servers;
        this.tasks = new Map(line.tasks.map((task) => [task.taskId, task]));
        return "applied";
      case "change":
        if (this.epoch === null || line.from !== this.offset) return "gap";
        this.#change(line.change);
        this.offset = line.offset;
        return "applied";
    }
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
      tasks: [...this.tasks.values()],
    };
  }

  #change(change: TelemetryChange): void {
    for (const agent of change.agents ?? []) this.agents.set(agent.agent_id, agent);
    for (const id of change.removed ?? []) this.agents.delete(id);
    if (change.servers) this.servers = change.servers;
    for (const task of change.tasks ?? []) keepTask(this.tasks, task);
  }
}

/** Tasks in a picture; the ledger at the sidecar keeps more. */
export const TASKS_KEPT = 100;

/** Puts a new or changed task among those kept; beyond the limit the one longest unchanged goes. */
export function keepTask(tasks: Map<string, Task>, task: Task): void {
  // Deleting first moves the task to the end: the first in the map is the one longest unchanged.
  tasks.delete(task.taskId);
  tasks.set(task.taskId, task);
  for (const id of tasks.keys()) {
    if (tasks.size <= TASKS_KEPT) break;
    tasks.delete(id);
  }
}
