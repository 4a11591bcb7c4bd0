/**
 * Sessions that see the same: same permissions, filters and mode. A frame is made and encoded once per
 * group. Changes collect until the group's next tick is due; nothing due, no timer.
 */

import type { Filters, Mode } from "../../shared/protocol/client.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import type { TelemetryChange } from "../../shared/protocol/sidecar.ts";
import { asSeen, filterKey, sees } from "../../shared/swarm/filter.ts";
import type { Picture } from "../../shared/swarm/picture.ts";
import type { Session } from "./session.ts";

export type View = { filters: Filters; mode: Mode; seesTasks: boolean };

export const viewKey = (view: View): string => `${view.mode} ${view.seesTasks} ${filterKey(view.filters)}`;

export class Group {
  readonly view: View;
  readonly sessions = new Set<Session>();
  /** Ends the wait for the next tick, while there is one. */
  cancelTick: (() => void) | null = null;
  lastTickMs = Number.NEGATIVE_INFINITY;

  /** Agents that some session of the group may hold: an agent that leaves has to be taken back from them. */
  #held = new Set<string>();
  #changedAgents = new Set<string>();
  #changedTasks = new Set<string>();
  #serversChanged = false;
  #sentOffset: number;

  constructor(view: View, offset: number) {
    this.view = view;
    this.#sentOffset = offset;
  }

  /** Notes a change that the picture already holds; says whether a tick is needed for it. */
  note(change: TelemetryChange): boolean {
    for (const agent of change.agents ?? []) this.#changedAgents.add(agent.agent_id);
    for (const id of change.removed ?? []) this.#changedAgents.add(id);
    if (this.view.seesTasks) for (const task of change.tasks ?? []) this.#changedTasks.add(task.taskId);
    if (change.servers) this.#serversChanged = true;
    return this.#changedAgents.size > 0 || this.#changedTasks.size > 0 || this.#serversChanged;
  }

  /**
   * Everything since the last tick as one frame, or null if none of it concerns this group. A session that
   * joined since then is ahead of `from`: agents come whole, so receiving one twice does no harm.
   */
  tick(picture: Picture, nowMs: number): GatewayFrame | null {
    this.lastTickMs = nowMs;
    const payload = this.#takeChanges(picture);
    if (!payload) return null;
    const from = this.#sentOffset;
    this.#sentOffset = picture.offset;
    return { type: "agent_update", from, offset: picture.offset, timestamp: nowMs, payload };
  }

  /** The whole picture as this group sees it. */
  snapshot(picture: Picture, live: boolean, nowMs: number): GatewayFrame {
    const seen = [...picture.agents.values()].filter((agent) => sees(this.view.filters, agent));
    for (const agent of seen) this.#held.add(agent.agent_id);
    return {
      type: "snapshot",
      epoch: picture.epoch,
      offset: picture.offset,
      timestamp: nowMs,
      live,
      payload: {
        agents: seen.map((agent) => asSeen(this.view.filters, agent)),
        servers: picture.servers,
        tasks: this.view.seesTasks ? [...picture.tasks.values()] : [],
      },
    };
  }

  /** Forgets collected changes: every session is about to get a snapshot. */
  restart(offset: number): void {
    this.#held.clear();
    this.#changedAgents.clear();
    this.#changedTasks.clear();
    this.#serversChanged = false;
    this.#sentOffset = offset;
  }

  #takeChanges(picture: Picture): (GatewayFrame & { type: "agent_update" })["payload"] | null {
    const agents = [];
    const removed = [];
    for (const id of this.#changedAgents) {
      const agent = picture.agents.get(id);
      if (agent && sees(this.view.filters, agent)) {
        agents.push(asSeen(this.view.filters, agent));
        this.#held.add(id);
      } else if (this.#held.delete(id)) {
        removed.push(id);
      }
    }
    const tasks = [...this.#changedTasks].flatMap((id) => picture.tasks.get(id) ?? []);
    const servers = this.#serversChanged ? picture.servers : null;
    this.#changedAgents.clear();
    this.#changedTasks.clear();
    this.#serversChanged = false;
    if (agents.length + removed.length + tasks.length === 0 && !servers) return null;
    return {
      agents,
      ...(removed.length > 0 && { removed }),
      ...(tasks.length > 0 && { tasks }),
      ...(servers && { servers }),
    };
  }
}
