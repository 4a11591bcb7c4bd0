/**
 * One shard: the sessions of some of a hive's clients. It keeps them while it hibernates (their state lives
 * in the sockets), takes the hive's telemetry from the Hive, and answers each session's frames.
 */
import { type Identity, may, mayUseHive, type NamedPermission } from "../../shared/auth/permission.ts";
import type { Clock } from "../../shared/clock.ts";
import { asHivegateError, ERRORS, type ErrorCode, HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { Filters, Mode } from "../../shared/protocol/client.ts";
import { type GatewayFrame, SUBPROTOCOL } from "../../shared/protocol/gateway.ts";
import { HEARTBEAT } from "../../shared/protocol/heartbeat.ts";
import type { FeedMessage } from "../hive/feed.ts";
import { type Membership, Relay, type RelayPorts } from "../relay/relay.ts";
import { type Rights, rightsOf } from "../relay/roles.ts";
import { relaySamples } from "../relay/samples.ts";
import { ScopedSidecar } from "../scoped-sidecar.ts";
import type { SidecarClient } from "../sidecar-client.ts";
import { Audience } from "./audience.ts";
import { Delivery, lastHeardMs } from "./delivery.ts";
import { DIALECTS } from "./dialect.ts";
import { dispatch, requestIdOf, type SessionActions } from "./dispatch.ts";
import { errorFrame } from "./error-frame.ts";
import { FeedLink, type FeedSocket } from "./feed-link.ts";
import {
  type ClientSocket,
  effectiveMode,
  type Hello,
  isOpaque,
  type Place,
  type Resume,
  type Session,
  type SessionState,
} from "./session.ts";
import { SessionRates } from "./session-rates.ts";
import { type ToolActions, type ToolPorts, toolActions, toolChunks } from "./session-tools.ts";
import { ShardCounts } from "./shard-counts.ts";
import { shardGauges } from "./shard-gauges.ts";
import { ShardReporter } from "./shard-report.ts";
import { TaskFeeds, type Unfollowed } from "./task-feed.ts";
import { ToolFeeds } from "./tool-feed.ts";

export type ShardPorts = {
  hive: string;
  sidecar: SidecarClient;
  clock: Clock;
  uuid(): string;
  deflate(text: string): Uint8Array;
  /** Who holds this token. @throws HivegateError `unauthorized`, `token_expired` */
  verify(token: string): Promise<Identity>;
  /** Asks the Hive to dial this shard. May fail in silence. */
  requestFeed(): void;
  /** Has `wake` called later, even if the shard is evicted meanwhile; a later call replaces an earlier one. */
  wakeAt(atMs: number): void;
  log(message: string, error: unknown): void;
  /** What a relay needs beside. Without it relays only have their control frames answered. */
  relay?: Pick<RelayPorts, "random" | "settings" | "dial" | "soon" | "audit">;
  /** How tools are called. Without it they cannot be. */
  tools?: ToolPorts;
};

/** What a session of a kind is for: without this permission it is not opened, nor kept. */
const NEEDS: Record<SessionState["kind"], NamedPermission> = {
  stream: "telemetry:read",
  relay: "relay:read",
};

export type Refusal = "full" | "subject";

export class Shard {
  readonly #ports: ShardPorts;
  readonly #sessions = new Map<ClientSocket, Session>();
  readonly #delivery: Delivery;
  readonly #audience: Audience;
  readonly #feed: FeedLink;
  readonly #tasks: TaskFeeds<Session>;
  readonly #tools: ToolFeeds<Session>;
  readonly #counts = new ShardCounts();
  readonly #reporter: ShardReporter;
  readonly #sidecar: SidecarClient;
  readonly #relay: Relay | null;
  #wakeAtMs = Number.POSITIVE_INFINITY;

  constructor(ports: ShardPorts) {
    const { clock, uuid, deflate, log } = ports;
    const counts = this.#counts;
    const sidecar = ports.sidecar.observed(counts.sidecar.observe);
    this.#ports = ports;
    this.#sidecar = sidecar;
    this.#delivery = new Delivery({
      ...{ clock, uuid, deflate, counts },
      end: (session, code) => this.#end(session, code),
      gone: (session) => this.disconnect(session.socket),
    });
    this.#audience = new Audience({ clock, counts, deflate, delivery: this.#delivery });
    this.#feed = new FeedLink({
      clock,
      audience: this.#audience,
      leaving: () => this.#reporter.tell(),
      request: ports.requestFeed,
      wakeAfter: (delayMs) => this.#wakeAfter(delayMs),
    });
    this.#tasks = new TaskFeeds({
      open: (request, signal) => sidecar.events(request, signal),
      subjectOf: ({ state }) => state.identity.subject,
      now: () => clock.now(),
      ...this.#reading(),
      follows: (session, anything) => this.#follows(session, "tasks", anything),
      over: (session, taskId, reason) => this.#notFollowed(session, taskId, reason),
      log,
    });
    this.#tools = new ToolFeeds({
      open: ({ state }, ...read) => toolChunks(ports.tools, state, ...read),
      ...this.#reading(),
      reads: (session, anything) => this.#follows(session, "tools", anything),
      lost: (session, streamId) =>
        this.#send(session, { type: "tool_lost", stream_id: streamId, timestamp: clock.now() }),
      log,
    });
    this.#reporter = this.#newReporter();
    this.#relay = ports.relay ? new Relay({ ...ports.relay, clock, uuid, log }) : null;
  }

  /** How what a session follows reaches it. */
  #reading() {
    return {
      deliver: (session: Session, text: string) => this.#delivery.sendText(session, text),
      hasRoom: (session: Session) => !this.#delivery.isLate(session),
      whenRoom: (session: Session) => this.#delivery.whenRoom(session, () => this.#isHere(session)),
    };
  }

  #follows(session: Session, what: "tasks" | "tools", anything: boolean): void {
    if (anything) session.follows.add(what);
    else session.follows.delete(what);
    if (this.#isHere(session)) this.#delivery.follows(session, session.follows.size > 0);
  }

  /** For metrics, of a relay's shard: it has no feed to report over, and is never asleep while it has clients. */
  relaySamples(): Map<string, number> {
    return new Map([...this.#counts.samples(), ...(this.#relay ? relaySamples(this.#relay.figures) : [])]);
  }

  /** When nobody is left and nobody will come. */
  closeRelay(): void {
    this.#relay?.close();
  }

  /** Lets relayed requests be answered, for so long at most. */
  async drainRelay(limitMs: number): Promise<void> {
    await this.#relay?.drain(limitMs);
  }

  #newReporter(): ShardReporter {
    return new ShardReporter({
      clock: this.#ports.clock,
      counts: () => this.#counts.samples(),
      gauges: () => shardGauges(this.#sessions.values(), this.#audience.groups),
      send: (report) => this.#feed.report(report),
    });
  }

  /** Why another client of this subject is not taken: this shard is full, or the subject has its share. Null: it is. */
  refusal(subject: string): Refusal | null {
    const sessions = [...this.#sessions.values()];
    // A session that sends and receives nothing is not noticed to have expired until room is needed.
    const here = sessions.filter((session) => !this.#hasExpired(session));
    const own = here.filter(({ state }) => state.identity.subject === subject).length;
    if (own >= LIMITS.sessionsPerSubject) return "subject";
    return here.length >= LIMITS.sessionsPerShard ? "full" : null;
  }

  /** A new client. @throws when its state cannot be stored, or the relay is not for it; it is not taken then */
  connect(socket: ClientSocket, { position, ...hello }: Hello): void {
    const { uuid, hive, clock } = this.#ports;
    const connectedMs = clock.now();
    const state: SessionState = {
      ...{ clientId: uuid(), ...hello, hive, epoch: null, configRevision: this.#audience.configRevision },
      ...{ connectedMs, heardMs: connectedMs, owesAnswer: false, follows: false },
    };
    const rights = this.#rightsOf(state);
    socket.save(state);
    const session = this.#admit(socket, state, { at: "nowhere", resume: position && { position } });
    if (!isOpaque(state)) this.#send(session, this.#welcome(state, rights));
    // Each of the two may find that the client cannot be sent anything, and end the session.
    if (rights && this.#isHere(session)) session.relay = this.#joinRelay(session, rights);
    if (!this.#isHere(session)) session.relay?.leave();
    this.#joined(session);
    this.#wakeAfter(LIMITS.sweepMs);
    this.#counts.sessionsOpened++;
    this.#reporter.noted();
  }

  /** A client whose socket was accepted before this shard's memory was lost. */
  restore(socket: ClientSocket, state: SessionState): void {
    // What it followed is forgotten, and its client would wait for ever: it comes back, and asks for it again.
    if (state.follows) {
      socket.close(ERRORS.shutting_down.close, ERRORS.shutting_down.advice);
      return;
    }
    const place: Place = state.epoch === null ? { at: "nowhere", resume: null } : { at: "anywhere" };
    const session = this.#admit(socket, state, place);
    if (state.kind === "stream") this.#audience.join(session);
    this.#delivery.restored(session);
  }

  /** The answer of what is not relayed has been sent when it resolves. */
  receive(socket: ClientSocket, data: string | ArrayBuffer): Promise<void> | undefined {
    const session = this.#sessions.get(socket);
    if (!session) return undefined;
    this.#counts.framesReceived++;
    // A report would keep a shard awake whose clients only say that they are there.
    if (data !== HEARTBEAT) this.#reporter.noted();
    this.#delivery.heard(session);
    if (this.#hasExpired(session) || session.relay?.receive(data)) return undefined;
    return this.#isAllowed(session, data) ? this.#answer(session, data) : undefined;
  }

  async #answer(session: Session, data: string | ArrayBuffer): Promise<void> {
    session.waiting++;
    const dialect = DIALECTS[session.state.dialect];
    const log = (error: HivegateError) => this.#ports.log("frame", error);
    const answer = await dispatch(data, dialect, this.#actionsOf(session), log);
    session.waiting--;
    if (answer?.type === "error") this.#counts.refused(answer.code);
    if (answer && this.#isHere(session)) this.#send(session, answer);
  }

  /** A client is gone; `code` and `reason` are how it said so. */
  disconnect(socket: ClientSocket, code?: number, reason?: string): void {
    const session = this.#sessions.get(socket);
    if (!session) return;
    session.relay?.leave(code, reason);
    this.#remove(session);
  }

  #remove(session: Session): void {
    this.#sessions.delete(session.socket);
    session.gone.abort();
    this.#tasks.unfollowAll(session);
    this.#tools.leaveAll(session);
    this.#audience.leave(session);
    this.#reporter.noted();
    this.#feed.audienceChanged();
  }

  feedConnected(feed: FeedSocket): void {
    this.#feed.connected(feed);
    this.#reporter.startOver();
  }

  /** A feed that was there before this shard's memory was lost; `caughtUp` is what it was given to save last. */
  feedRestored(feed: FeedSocket, caughtUp: boolean): void {
    this.#feed.restored(feed, caughtUp);
  }

  feedReceived(feed: FeedSocket, message: FeedMessage): void {
    this.#reporter.noted();
    this.#feed.received(feed, message);
    this.#feed.audienceChanged();
  }

  feedClosed(feed: FeedSocket): void {
    this.#feed.closed(feed);
  }

  /** Called at the time asked for by `wakeAt`: sees that there is a feed, and removes clients that are gone. */
  wake(): void {
    this.#wakeAtMs = Number.POSITIVE_INFINITY;
    this.#feed.askAgain();
    const nowMs = this.#ports.clock.now();
    for (const session of [...this.#sessions.values()]) {
      const idleMs = isOpaque(session.state) ? LIMITS.idleDedicatedMs : LIMITS.idleSessionMs;
      if (lastHeardMs(session) < nowMs - idleMs) this.#end(session, "idle");
      else this.#hasExpired(session);
    }
    if (this.#sessions.size > 0) this.#wakeAfter(LIMITS.sweepMs);
  }

  #wakeAfter(delayMs: number): void {
    const atMs = this.#ports.clock.now() + delayMs;
    if (atMs >= this.#wakeAtMs) return;
    this.#wakeAtMs = atMs;
    this.#ports.wakeAt(atMs);
  }

  #joined(session: Session): void {
    if (session.state.kind !== "stream" || !this.#isHere(session)) return;
    this.#audience.join(session);
    this.#audience.place(session);
    this.#feed.audienceChanged();
    this.#feed.wantPicture();
  }

  #admit(socket: ClientSocket, state: SessionState, place: Place): Session {
    const nowMs = this.#ports.clock.now();
    const session: Session = {
      ...{ socket, state, place, heardMs: state.heardMs, refused: 0, waiting: 0, relay: null },
      ...{ follows: new Set(), gone: new AbortController() },
      pace: this.#delivery.newPace(state.kind),
      rates: new SessionRates(nowMs),
    };
    this.#sessions.set(socket, session);
    return session;
  }

  #rightsOf({ kind, relay, identity }: Pick<SessionState, "kind" | "relay" | "identity">): Rights | null {
    const { relay: ports } = this.#ports;
    return ports && kind === "relay" && relay ? rightsOf(identity, relay.mode, ports.settings.roles) : null;
  }

  #joinRelay(session: Session, rights: Rights): Membership | null {
    const { clientId: id, identity, relay } = session.state;
    if (!this.#relay || !relay) return null;
    const isDedicated = isOpaque(session.state);
    return this.#relay.join({
      ...{ rights, mode: relay.mode, notices: relay.notices },
      client: { id, subject: identity.subject, role: rights.role },
      end: {
        // What a client said that is gone may still be on its way.
        send: (data, cost) => {
          if (!this.#isHere(session)) return;
          // Who only listens to an orchestrator of its own is there as well.
          if (isDedicated) this.#delivery.heard(session);
          this.#delivery.relay(session, data, cost);
        },
        answer: (text) => {
          if (this.#isHere(session)) this.#delivery.sendText(session, text);
        },
        unread: (nowMs) => this.#delivery.unread(session, nowMs),
        tell: (frame) => {
          if (this.#isHere(session)) this.#send(session, frame);
        },
        end: (code) => this.#end(session, code),
        close: (code, reason) => void this.#close(session, code, reason),
      },
    });
  }

  #welcome(
    { clientId, hive, mode, filters, encoding, identity, configRevision }: SessionState,
    rights: Rights | null,
  ): GatewayFrame {
    const { epoch, offset } = this.#audience.picture;
    return {
      ...{ type: "welcome", client_id: clientId, hive, protocol: SUBPROTOCOL, epoch, offset },
      config_revision: configRevision,
      ...{ mode, filters, encoding, expires_at: identity.expiresMs, ...(rights && { role: rights.role }) },
      limits: {
        frame_bytes: LIMITS.clientFrameBytes,
        frames_per_second: LIMITS.clientFramesPerSecond,
        follows: LIMITS.followsPerSession,
        idle_ms: LIMITS.idleSessionMs,
      },
      timestamp: this.#ports.clock.now(),
    };
  }

  #actionsOf(session: Session): SessionActions {
    const { hive, clock, uuid } = this.#ports;
    const { identity } = session.state;
    return {
      ...{ hive, uuid, identity },
      sidecar: new ScopedSidecar(this.#sidecar, identity),
      tools: this.#toolsOf(session),
      now: () => clock.now(),
      allow: (type) => session.relay?.client.mayUse(type),
      follow: (taskId, how) => {
        // The client may have left while its request was under way.
        if (this.#isHere(session)) this.#tasks.follow(session, taskId, how);
      },
      followToo: (taskId, how) => {
        if (this.#isHere(session)) this.#tasks.followToo(session, taskId, how);
      },
      unfollow: (taskId) => this.#tasks.unfollow(session, taskId),
      watch: (change) => this.#watch(session, change),
      catchUp: (resume) => this.#catchUp(session, resume),
      mayFollow: (how) => this.#tasks.mayFollow(session, how),
      notFollowed: (taskId) => this.#notFollowed(session, taskId, "lost"),
      lookUp: () => session.rates.take("lookUps", clock.now()),
      seeAnew: () => session.rates.take("snapshots", clock.now()),
      acknowledged: (probe) => {
        if (this.#delivery.acknowledged(session, probe)) session.rates.giveBack();
      },
      refresh: (token) => this.#refresh(session, token),
      session: () => ({
        client_id: session.state.clientId,
        mode: session.state.mode,
        effective_mode: effectiveMode(session),
        filters: session.state.filters,
        quality: this.#delivery.quality(session),
      }),
    };
  }

  #toolsOf(session: Session): ToolActions {
    return toolActions(this.#ports.tools, session.state, {
      signal: session.gone.signal,
      mayRead: (streamId) => this.#tools.mayRead(session, streamId),
      read: (streamId, after) => {
        if (this.#isHere(session)) this.#tools.read(session, streamId, after);
      },
    });
  }

  /** Other filters show another picture; another mode shows the same one at other times. */
  #watch(session: Session, change: { filters?: Filters; mode?: Mode }): void {
    this.#keep(session, change);
    if (change.filters) session.place = { at: "nowhere", resume: null };
    this.#joined(session);
  }

  #catchUp(session: Session, resume: Resume | null): void {
    session.place = { at: "nowhere", resume };
    this.#joined(session);
  }

  /**
   * What the new token does not allow any more ends at once.
   * @throws HivegateError `forbidden` when the token is somebody else's, or not good for such a session
   */
  async #refresh(session: Session, token: string): Promise<SessionState["identity"]> {
    const { hives, ...identity } = await this.#ports.verify(token);
    const { identity: before, kind } = session.state;
    const isTheirs = identity.subject === before.subject && mayUseHive({ hives }, this.#ports.hive);
    if (!isTheirs || !may(identity, NEEDS[kind]))
      throw new HivegateError("forbidden", "The token is not one for this session: open another.");
    const rights = this.#rightsOf({ ...session.state, identity });
    this.#keep(session, { identity });
    if (rights) session.relay?.client.allowed(rights);
    if (allows(identity) !== allows(before)) {
      this.#tasks.loseAll(session);
      this.#tools.loseAll(session);
      session.place = { at: "nowhere", resume: null };
      this.#joined(session);
    }
    return identity;
  }

  /** Throws when the state cannot be stored; nothing is changed then. */
  #keep(session: Session, change: Partial<SessionState>): void {
    const state = { ...session.state, ...change };
    session.socket.save(state);
    session.state = state;
  }

  #isHere(session: Session): boolean {
    return this.#sessions.get(session.socket) === session;
  }

  #hasExpired(session: Session): boolean {
    if (session.state.identity.expiresMs > this.#ports.clock.now()) return false;
    this.#end(session, "token_expired");
    return true;
  }

  /** Rate and number of waiting requests; a session that does not heed the refusals is closed. */
  #isAllowed(session: Session, data: string | ArrayBuffer): boolean {
    try {
      session.rates.take("frames", this.#ports.clock.now());
      if (session.waiting >= LIMITS.commandsPerSession) throw new HivegateError("overloaded");
      session.refused = 0;
      return true;
    } catch (thrown) {
      session.refused++;
      this.#counts.refused(asHivegateError(thrown).code);
      if (session.refused > LIMITS.refusedFramesInARow) this.#end(session, "rate_limited");
      else {
        const error = errorFrame(asHivegateError(thrown), this.#ports.clock.now());
        this.#send(session, { ...error, ...requestIdOf(data) });
      }
      return false;
    }
  }

  #notFollowed(session: Session, taskId: string, reason: Unfollowed): void {
    this.#send(session, { type: "task_unfollowed", taskId, reason, timestamp: this.#ports.clock.now() });
  }

  #end(session: Session, code: ErrorCode): void {
    const isEnded = this.#close(session, ERRORS[code].close, ERRORS[code].advice);
    if (isEnded) this.#counts.ended(code);
  }

  /** False: it was over before. */
  #close(session: Session, code: number, reason: string): boolean {
    if (!this.#isHere(session)) return false;
    this.#remove(session);
    session.relay?.end(code, reason);
    session.socket.close(code, reason);
    return true;
  }

  #send(session: Session, frame: GatewayFrame): void {
    this.#delivery.sendFrame(session, frame);
  }
}

/** What decides what a client sees. */
const allows = ({ permissions, scope, role }: SessionState["identity"]): string =>
  JSON.stringify([permissions, scope, role]);
