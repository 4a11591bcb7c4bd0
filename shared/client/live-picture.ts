import type { GatewayFrame } from "../protocol/gateway.ts";
import type { Circuit, ContainerFigures, ServerState, SwarmTopology } from "../protocol/sidecar.ts";
import type { AgentPatch, SeenAgent } from "../swarm/agent.ts";
import { isWholeAsSeen, patchedAsSeen } from "../swarm/fields.ts";
import { keepTask } from "../swarm/picture.ts";
import type { Task } from "../swarm/task.ts";

type Update = GatewayFrame & { type: "agent_update" };
type Snapshot = GatewayFrame & { type: "snapshot" };
type Status = GatewayFrame & { type: "hive_status" };

/**
 * What a client knows of its hive, filtered as it asked. What has not changed stays the same object, so a
 * view can compare by identity.
 */
export class LivePicture {
  epoch: string | null = null;
  offset = 0;
  /** What the gateway calls the view through which all this was seen. */
  view: string | undefined;
  /** False: this is the last picture known, not the present one. */
  live = false;
  /** Since when it is. Milliseconds since the epoch; null: live, or nothing is known yet. */
  staleSinceMs: number | null = null;
  agents = new Map<string, SeenAgent>();
  servers: ServerState[] = [];
  tasks = new Map<string, Task>();
  /** Empty unless `include_topology`. */
  swarms: SwarmTopology[] = [];
  /** Null unless `include_performance`, and the swarm lives in a container. */
  container: ContainerFigures | null = null;
  /** The circuit breaker before the sidecar, as last told. */
  circuit: Circuit | null = null;

  /** `gap`: an update was missed and this one not applied; resume. */
  apply(frame: GatewayFrame): "changed" | "gap" | "nothing_new" {
    switch (frame.type) {
      case "snapshot":
        this.#replace(frame);
        return "changed";
      case "agent_update":
        return this.#update(frame);
      case "hive_status":
        this.#status(frame);
        return "changed";
      default:
        return "nothing_new";
    }
  }

  /** Whether that was news. */
  setLive(live: boolean, sinceMs: number): boolean {
    if (this.live === live) return false;
    this.live = live;
    this.staleSinceMs = live ? null : sinceMs;
    return true;
  }

  #status({ circuit, live, stale_since }: Status): void {
    this.circuit = circuit;
    this.live = live;
    this.staleSinceMs = stale_since;
  }

  #replace({ epoch, offset, view, live, payload, timestamp }: Snapshot): void {
    this.staleSinceMs = live ? null : (this.staleSinceMs ?? timestamp);
    this.live = live;
    // After a reconnect another part of the gateway answers, which may be a moment behind the one before.
    if (view !== undefined && view === this.view && epoch === this.epoch && offset < this.offset) return;
    this.epoch = epoch;
    this.offset = offset;
    this.view = view;
    this.agents = new Map(payload.agents.map((agent) => [agent.agent_id, agent]));
    this.tasks = new Map(payload.tasks.map((task) => [task.taskId, task]));
    this.servers = payload.servers;
    this.swarms = payload.topology_changes ?? [];
    this.container = payload.performance_metrics?.container ?? null;
  }

  #update({ from, offset, payload }: Update): "changed" | "gap" | "nothing_new" {
    if (this.epoch === null || from > this.offset || !payload.agents.every((patch) => this.#fits(patch)))
      return "gap";
    if (offset < this.offset) return "nothing_new";
    this.offset = offset;
    for (const id of payload.removed ?? []) this.agents.delete(id);
    for (const patch of payload.agents) this.#patch(patch);
    for (const task of payload.tasks ?? []) keepTask(this.tasks, task);
    if (payload.servers) this.servers = payload.servers;
    if (payload.topology_changes) this.swarms = payload.topology_changes;
    if (payload.performance_metrics) this.container = payload.performance_metrics.container;
    return "changed";
  }

  #fits(patch: AgentPatch): boolean {
    return this.agents.has(patch.agent_id) || isWholeAsSeen(patch);
  }

  #patch(patch: AgentPatch): void {
    const known = this.agents.get(patch.agent_id);
    if (known) this.agents.set(patch.agent_id, patchedAsSeen(known, patch));
    else if (isWholeAsSeen(patch)) this.agents.set(patch.agent_id, patch);
  }
}
