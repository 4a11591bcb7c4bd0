/**
 * Who sees what: the sessions of a shard in groups, and the picture that they are shown. Each mode has its
 * ticks, by deadline; when nothing has changed and nobody is behind there is no timer.
 */
import { may } from "../../shared/auth/permission.ts";
import type { Clock } from "../../shared/clock.ts";
import { MODE_INTERVAL_MS, type Mode } from "../../shared/protocol/client.ts";
import type { ConfigChanged, ConfigRevision } from "../../shared/protocol/config.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import type { TelemetryChangeLine, TelemetrySnapshot } from "../../shared/protocol/sidecar.ts";
import { Picture } from "../../shared/swarm/picture.ts";
import type { View } from "../../shared/swarm/view.ts";
import type { HiveStatus } from "../hive/feed.ts";
import type { Delivery } from "./delivery.ts";
import { configFrame, type Encoded, MissedSince, SnapshotCache } from "./frames.ts";
import { Group, groupKey } from "./group.ts";
import { effectiveMode, type Resume, type Session, type SessionState } from "./session.ts";
import type { ShardCounts } from "./shard-counts.ts";

export type AudiencePorts = {
  clock: Clock;
  delivery: Delivery;
  counts: ShardCounts;
  deflate(text: string): Uint8Array;
};

type Ticks = { cancel: (() => void) | null; dueMs: number };

export class Audience {
  readonly picture = new Picture();
  readonly #ports: AudiencePorts;
  readonly #groups = new Map<string, Group>();
  readonly #groupOf = new Map<Session, Group>();
  readonly #missed = new MissedSince(this.picture);
  readonly #snapshots = new SnapshotCache<Group>();
  readonly #ticks = new Map<Mode, Ticks>();
  /** Of the MCP servers' configuration. Null: nobody told since the feed is there, or there is none. */
  configRevision: number | null = null;
  /** Null before anybody told. */
  #status: HiveStatus | null = null;
  /** Whether the picture is what the Hive has, as far as is known. */
  #current = false;
  /** Whether some session may be without a place in the stream. */
  #someWait = false;

  constructor(ports: AudiencePorts) {
    this.#ports = ports;
  }

  get isEmpty(): boolean {
    return this.#groupOf.size === 0;
  }

  get groups(): number {
    return this.#groups.size;
  }

  get knowsStatus(): boolean {
    return this.#status !== null;
  }

  /** The shortest interval that any session wants; null: nobody is here. */
  get intervalMs(): number | null {
    let shortest: number | null = null;
    for (const { kind } of this.#groups.values()) {
      const intervalMs = Math.floor(MODE_INTERVAL_MS[kind.mode] ?? ON_DEMAND_MS);
      shortest = shortest === null ? intervalMs : Math.min(shortest, intervalMs);
    }
    return shortest;
  }

  /** Also puts a session into another group, after its filters, its mode or its pace changed. */
  join(session: Session): void {
    const before = this.#groupOf.get(session);
    this.leave(session);
    const mode = effectiveMode(session);
    if (session.place.at === "anywhere" && before?.kind.mode === "on_demand") session.place = NOWHERE;
    const { dialect, encoding } = session.state;
    const kind = { view: viewOf(session.state), mode, dialect, encoding };
    const key = groupKey(kind);
    const group = this.#groups.get(key) ?? new Group(kind, this.#ports.deflate);
    this.#groups.set(key, group);
    group.add(session);
    this.#groupOf.set(session, group);
    if (session.place.at !== "offset") this.#someWait = true;
    else if (session.place.seen < this.picture.offset) this.#schedule(mode);
  }

  leave(session: Session): void {
    const group = this.#groupOf.get(session);
    if (!group) return;
    this.#groupOf.delete(session);
    group.sessions.delete(session);
    if (group.sessions.size > 0) return;
    this.#groups.delete(groupKey(group.kind));
  }

  /** Gives a session its picture, as soon as there is one; until then it hears how the hive is. */
  place(session: Session): void {
    if (!this.#current || this.picture.epoch === null) {
      if (this.#status && !this.#status.live)
        this.#ports.delivery.sendFrame(session, this.#statusFrame(this.#status));
      return;
    }
    const { place } = session;
    if (place.at === "offset") return;
    if (place.at === "nowhere" && place.resume) this.#resume(session, place.resume);
    else this.#giveSnapshot(session);
  }

  /** The picture as the Hive has it, in place of what was held. Whoever cannot go on from where it was gets it whole. */
  replace(snapshot: TelemetrySnapshot): void {
    this.#settle(snapshot.epoch, snapshot.offset);
    this.picture.apply(snapshot);
    this.#current = true;
    for (const session of this.#groupOf.keys()) {
      const { place, state } = session;
      if (place.at !== "offset") continue;
      const held = { epoch: state.epoch ?? "", offset: place.seen };
      if (!this.picture.remembers(held)) session.place = NOWHERE;
    }
    this.#someWait = true;
    this.#placeWaiting();
    this.#scheduleAll();
  }

  /** False: a line is missing between this one and the picture. */
  take(line: TelemetryChangeLine): boolean {
    this.#settle(line.epoch, line.from);
    this.#current = this.picture.apply(line) === "applied";
    if (!this.#current) return false;
    this.#placeWaiting();
    this.#scheduleAll();
    return true;
  }

  tellStatus(status: HiveStatus): void {
    const before = this.#status;
    this.#status = status;
    if (before && isSame(before, status)) return;
    const frame = this.#statusFrame(status);
    for (const session of this.#groupOf.keys()) {
      // A newcomer takes it for granted that the hive is well. What others were told before this shard lost
      // its memory is not known.
      if (before || !status.live || session.place.at !== "nowhere")
        this.#ports.delivery.sendFrame(session, frame);
    }
  }

  /** Told to whoever does not know yet, in every mode. Who has no picture yet hears it with that. */
  tellConfig(message: ConfigChanged | ConfigRevision): void {
    const { revision } = message;
    this.configRevision = revision;
    const { clock, delivery } = this.#ports;
    const timestamp = clock.now();
    for (const group of this.#groups.values()) {
      let encoded: Encoded | null = null;
      for (const session of [...group.sessions]) {
        const known = session.state.configRevision;
        if (known === revision || (known === null && session.place.at === "nowhere")) continue;
        delivery.synced(session, { configRevision: revision });
        encoded ??= group.encoded(configFrame(message, group.kind.view, timestamp));
        delivery.send(session, encoded);
      }
    }
  }

  /** The feed goes on from somewhere else than where it left those off whose places are not known. */
  unmoor(): void {
    for (const session of this.#groupOf.keys()) if (session.place.at === "anywhere") session.place = NOWHERE;
  }

  /** The feed is gone. The picture stays, as the last one known. */
  lose(): void {
    this.#current = false;
    this.configRevision = null;
    this.unmoor();
    const { live = false, circuit = null } = this.#status ?? {};
    if (live && circuit) this.tellStatus({ live: false, staleSince: this.#ports.clock.now(), circuit });
  }

  /** Nobody is left to be told anything. The picture stays, to go on from when somebody comes. */
  rest(): void {
    this.#current = false;
    this.configRevision = null;
    this.#status = null;
  }

  /** A shard that has lost its memory had brought everybody to where its feed goes on, but for those who only ask. */
  #settle(epoch: string, offset: number): void {
    if (!this.#someWait) return;
    for (const session of this.#groupOf.keys()) {
      if (session.place.at !== "anywhere" || session.state.mode === "on_demand") continue;
      const isThere = session.state.epoch === epoch;
      session.place = isThere ? { at: "offset", told: offset, seen: offset } : NOWHERE;
    }
  }

  #placeWaiting(): void {
    if (!this.#someWait) return;
    this.#someWait = false;
    for (const session of this.#groupOf.keys()) if (session.place.at === "nowhere") this.place(session);
  }

  #resume(session: Session, { position, requestId }: Resume): void {
    const { epoch, offset } = this.picture;
    const group = this.#groupOf.get(session);
    const isSameView = position.view === undefined || position.view === group?.viewName;
    const recovered = isSameView && this.picture.remembers(position);
    const timestamp = this.#ports.clock.now();
    this.#ports.delivery.sendFrame(session, {
      type: "resumed",
      ...(requestId && { requestId }),
      recovered,
      epoch,
      offset,
      config_revision: this.configRevision,
      timestamp,
    });
    if (!recovered) {
      this.#ports.counts.notResumed++;
      this.#giveSnapshot(session);
      return;
    }
    this.#ports.counts.resumed++;
    // Without a connection the client took what it holds for stale; nothing else tells it otherwise.
    if (this.#status) this.#ports.delivery.sendFrame(session, this.#statusFrame(this.#status));
    this.#synced(session);
    session.place = { at: "offset", told: position.offset, seen: position.offset };
    if (group) this.#giveUpdate(session, group, timestamp);
  }

  #giveSnapshot(session: Session): void {
    const group = this.#groupOf.get(session);
    if (!group) return;
    const { clock, counts, delivery } = this.#ports;
    counts.snapshots++;
    const live = this.#status?.live === true;
    const { picture, configRevision } = this;
    const present = `${picture.version} ${live} ${configRevision}`;
    const encoded = this.#snapshots.of(group, present, () =>
      group.snapshot(picture, { live, configRevision, nowMs: clock.now() }),
    );
    const { offset } = this.picture;
    session.place = { at: "offset", told: offset, seen: offset };
    this.#synced(session);
    delivery.send(session, encoded);
  }

  #synced(session: Session): void {
    const configRevision = this.configRevision ?? session.state.configRevision;
    this.#ports.delivery.synced(session, { epoch: this.picture.epoch, configRevision });
  }

  /** To a session that has room. */
  #giveUpdate(session: Session, group: Group, nowMs: number): void {
    const { place } = session;
    if (place.at !== "offset" || place.seen === this.picture.offset) return;
    // So much has gone since then that not all of it is remembered.
    if (place.seen < this.picture.horizon) {
      this.#giveSnapshot(session);
      return;
    }
    const { encoded, to } = group.step(place, this.#missed, this.picture, nowMs);
    session.place = to;
    if (encoded) this.#ports.delivery.give(session, encoded, nowMs);
  }

  #scheduleAll(): void {
    for (const { kind } of this.#groups.values()) this.#schedule(kind.mode);
  }

  #schedule(mode: Mode): void {
    const intervalMs = MODE_INTERVAL_MS[mode];
    if (intervalMs === null) return;
    const ticks = this.#ticks.get(mode) ?? { cancel: null, dueMs: Number.NEGATIVE_INFINITY };
    this.#ticks.set(mode, ticks);
    if (ticks.cancel) return;
    const nowMs = this.#ports.clock.now();
    // By deadline: a tick that came late does not make the next one later. A clock may be set back.
    const latestMs = nowMs + intervalMs + EARLY_MS;
    ticks.dueMs = Math.min(Math.max(ticks.dueMs + intervalMs, nowMs), latestMs);
    // A little early is allowed, once: else what comes as often as it is sent would wait for its turn each time.
    const waitMs = Math.max(0, ticks.dueMs - EARLY_MS - nowMs);
    ticks.cancel = this.#ports.clock.after(waitMs, () => {
      ticks.cancel = null;
      this.#tick(mode);
    });
  }

  #tick(mode: Mode): void {
    let isSomebodyBehind = false;
    const nowMs = this.#ports.clock.now();
    for (const group of [...this.#groups.values()]) {
      if (group.kind.mode !== mode) continue;
      const isLookDue = group.takeLook(nowMs);
      for (const session of group.sessions) {
        if (session.place.at !== "offset" || session.place.seen === this.picture.offset) continue;
        if (!isLookDue && this.#passUpdate(session, group, nowMs)) continue;
        const hasRoom = this.#ports.delivery.hasRoom(session, nowMs);
        if (hasRoom) this.#giveUpdate(session, group, nowMs);
        else isSomebodyBehind = true;
        if (effectiveMode(session) !== mode && this.#groupOf.has(session)) this.#changePace(session);
      }
    }
    if (isSomebodyBehind) this.#schedule(mode);
  }

  /** Without a look at how far the session has read. False: it needs one. */
  #passUpdate(session: Session, group: Group, nowMs: number): boolean {
    const { place } = session;
    if (!session.pace.isFree || place.at !== "offset" || place.seen < this.picture.horizon) return false;
    const { encoded, to } = group.step(place, this.#missed, this.picture, nowMs);
    if (encoded && !this.#ports.delivery.pass(session, encoded)) return false;
    session.place = to;
    return true;
  }

  #changePace(session: Session): void {
    const { mode } = session.state;
    const effective_mode = effectiveMode(session);
    const reason = session.pace.slower > 0 ? "slow_client" : "caught_up";
    const timestamp = this.#ports.clock.now();
    this.#ports.delivery.sendFrame(session, {
      type: "mode_changed",
      mode,
      effective_mode,
      reason,
      timestamp,
    });
    if (this.#groupOf.has(session)) this.join(session);
  }

  #statusFrame({ live, staleSince, circuit }: HiveStatus): GatewayFrame {
    const timestamp = this.#ports.clock.now();
    return { type: "hive_status", live, stale_since: staleSince, circuit, timestamp };
  }
}

/** How much of the time to the next tick may be saved: one interval of the fastest mode. */
const EARLY_MS = 1000 / 60;
/** How old a picture may be that somebody asks for now and then. */
const ON_DEMAND_MS = 10_000;

const NOWHERE: Session["place"] = { at: "nowhere", resume: null };

const isSame = (a: HiveStatus, b: HiveStatus): boolean => JSON.stringify(a) === JSON.stringify(b);

const viewOf = ({ filters, identity }: SessionState): View => ({
  scope: identity.scope,
  filters,
  seesTasks: may(identity, "tasks:read"),
});
