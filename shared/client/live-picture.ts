import type { GatewayFrame, SeenAgent } from "../protocol/gateway.ts";
import type { ServerState } from "../protocol/sidecar.ts";
import { keepTask } from "../swarm/picture.ts";
import type { Task } from "../swarm/task.ts";

type Update = GatewayFrame & { type: "agent_update" };
type Snapshot = GatewayFrame & { type: "snapshot" };

/**
 * What a client knows of its hive, filtered as it asked. What has not changed stays the same object, so a
 * view can compare by identity.
 */
export class LivePicture {
  epoch: string | null = null;
  offset = 0;
  /** False: this is the last picture known, not the present one. */
  live = false;
  /** When `live` ended, if that was seen. Milliseconds since the epoch. */
  staleSinceMs: number | null = null;
  agents = new Map<string, SeenAgent>();
  servers: ServerState[] = [];
  tasks = new Map<string, Task>();

  /** `gap`: an update was missed and this one not applied; ask for a snapshot. */
  apply(frame: GatewayFrame): "changed" | "gap" | "nothing_new" {
    switch (frame.type) {
      case "snapshot":
        this.#replace(frame);
        return "changed";
      case "agent_update":
        if (this.epoch === null || frame.from > this.offset) return "gap";
        if (frame.offset < this.offset) return "nothing_new";
        this.#update(frame);
        return "changed";
      case "hive_status":
        return this.setLive(frame.live, frame.timestamp) ? "changed" : "nothing_new";
      default:
        return "nothing_new";
    }
  }

  /** Whether that was news. */
  setLive(live: boolean, nowMs: number): boolean {
    if (this.live === live) return false;
    this.live = live;
    this.staleSinceMs = live ? null : nowMs;
    return true;
  }

  #replace(frame: Snapshot): void {
    this.epoch = frame.epoch;
    this.offset = frame.offset;
    if (frame.live) this.staleSinceMs = null;
    this.live = frame.live;
    this.agents = new Map(frame.payload.agents.map((agent) => [agent.agent_id, agent]));
    this.servers = frame.payload.servers;
    this.tasks = new Map(frame.payload.tasks.map((task) => [task.taskId, task]));
  }

  #update({ offset, payload }: Update): void {
    this.offset = offset;
    for (const agent of payload.agents) this.agents.set(agent.agent_id, agent);
    for (const id of payload.removed ?? []) this.agents.delete(id);
    if (payload.servers) this.servers = payload.servers;
    for (const task of payload.tasks ?? []) keepTask(this.tasks, task);
  }
}
