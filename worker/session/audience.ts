/**
 * Who sees what: the sessions of a shard in groups, and the picture that they are shown. Sends each group
 * one frame per tick, by deadline; when nothing has changed there is no timer.
 */
import { may } from "../../shared/auth/permission.ts";
import type { Clock } from "../../shared/clock.ts";
import { MODE_INTERVAL_MS } from "../../shared/protocol/client.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import type { TelemetryLine, TelemetrySnapshot } from "../../shared/protocol/sidecar.ts";
import { Picture } from "../../shared/swarm/picture.ts";
import { Group, type View, viewKey } from "./group.ts";
import type { Session, SessionState } from "./session.ts";

export type AudiencePorts = {
  clock: Clock;
  /** Sends a frame that is already encoded. May end the session. */
  deliver(session: Session, text: string): void;
  /** The session has its first snapshot. */
  synced(session: Session): void;
};

export class Audience {
  picture = new Picture();
  readonly #ports: AudiencePorts;
  readonly #groups = new Map<string, Group>();
  /** Whether the picture is fed; null before anybody was told. */
  #live: boolean | null = null;

  constructor(ports: AudiencePorts) {
    this.#ports = ports;
  }

  get isEmpty(): boolean {
    return this.#groups.size === 0;
  }

  join(session: Session): void {
    const view = viewOf(session.state);
    const key = viewKey(view);
    const group = this.#groups.get(key) ?? new Group(view, this.picture.offset);
    this.#groups.set(key, group);
    group.sessions.add(session);
  }

  leave(session: Session): void {
    const key = viewKey(viewOf(session.state));
    const group = this.#groups.get(key);
    if (!group?.sessions.delete(session) || group.sessions.size > 0) return;
    group.cancelTick?.();
    this.#groups.delete(key);
  }

  /**
   * Sends a session its snapshot. Without a picture yet it gets one as soon as there is, and hears if that
   * may take a while.
   */
  sync(session: Session): void {
    const group = this.#groups.get(viewKey(viewOf(session.state)));
    if (!group) return;
    if (this.picture.epoch === null) {
      if (this.#live === false) this.#ports.deliver(session, this.#status(false));
      return;
    }
    this.#ports.deliver(session, this.#snapshotOf(group));
    this.#ports.synced(session);
  }

  /** The picture as the Hive has it, in place of what was held: everybody gets a snapshot, encoded once per group. */
  replace(snapshot: TelemetrySnapshot, live: boolean): void {
    const isNews = this.#live !== null && this.#live !== live;
    this.#live = live;
    this.picture.apply(snapshot);
    for (const group of this.#groups.values()) {
      group.restart(this.picture.offset);
      const text = this.#snapshotOf(group);
      for (const session of group.sessions) {
        this.#ports.deliver(session, text);
        this.#ports.synced(session);
      }
    }
    if (isNews) this.#announce(live);
  }

  /** False: a line is missing between this one and the picture. */
  take(line: TelemetryLine & { type: "change" }): boolean {
    if (this.picture.apply(line) === "gap") return false;
    for (const group of this.#groups.values()) {
      const intervalMs = MODE_INTERVAL_MS[group.view.mode];
      if (intervalMs !== null && group.note(line.change)) this.#schedule(group, intervalMs);
    }
    return true;
  }

  /** The picture is fed no more; it stays, as the last one known. */
  lose(): void {
    if (this.#live === false) return;
    this.#live = false;
    this.#announce(false);
  }

  /** Nobody is left to see the picture, so it is not kept up: whoever comes next waits for a fresh one. */
  forget(): void {
    this.picture = new Picture();
    this.#live = null;
  }

  #announce(live: boolean): void {
    const text = this.#status(live);
    for (const group of this.#groups.values()) {
      for (const session of group.sessions) this.#ports.deliver(session, text);
    }
  }

  #status(live: boolean): string {
    const frame: GatewayFrame = { type: "hive_status", live, timestamp: this.#ports.clock.now() };
    return JSON.stringify(frame);
  }

  #snapshotOf(group: Group): string {
    return JSON.stringify(group.snapshot(this.picture, this.#live === true, this.#ports.clock.now()));
  }

  #schedule(group: Group, intervalMs: number): void {
    if (group.cancelTick) return;
    const waitMs = Math.max(0, group.lastTickMs + intervalMs - this.#ports.clock.now());
    group.cancelTick = this.#ports.clock.after(waitMs, () => this.#tick(group));
  }

  #tick(group: Group): void {
    group.cancelTick = null;
    const frame = group.tick(this.picture, this.#ports.clock.now());
    if (!frame) return;
    const text = JSON.stringify(frame);
    for (const session of group.sessions) {
      if (session.state.synced) this.#ports.deliver(session, text);
    }
  }
}

const viewOf = (state: SessionState): View => ({
  filters: state.filters,
  mode: state.mode,
  seesTasks: may(state.identity, "tasks:read"),
});
