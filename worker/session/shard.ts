/**
 * One shard: the sessions of some of a hive's clients. It keeps them while it hibernates (their state lives
 * in the sockets), takes the hive's telemetry from the Hive, and answers each session's frames.
 */
import type { Clock } from "../../shared/clock.ts";
import { ERRORS, type ErrorCode, HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { fullBucket, take } from "../../shared/pressure/token-bucket.ts";
import type { Filters, Mode } from "../../shared/protocol/client.ts";
import { type GatewayFrame, SUBPROTOCOL } from "../../shared/protocol/gateway.ts";
import { FeedMessage, RESYNC } from "../hive/feed.ts";
import type { SidecarClient } from "../sidecar-client.ts";
import { Audience } from "./audience.ts";
import { dispatch, errorFrame, type SessionActions } from "./dispatch.ts";
import type { ClientSocket, Session, SessionState } from "./session.ts";
import { TaskFeeds } from "./task-feed.ts";

/** The shard's end of the feed that the Hive dialled. */
export interface FeedSocket {
  send(text: string): void;
  close(): void;
}

export type ShardPorts = {
  hive: string;
  sidecar: SidecarClient;
  clock: Clock;
  uuid(): string;
  /** Asks the Hive to dial this shard. May fail in silence: `wakeAfter` has been called before. */
  requestFeed(): void;
  /** Has `wake` called later, even if the shard is evicted meanwhile. */
  wakeAfter(delayMs: number): void;
  log(message: string, error: unknown): void;
};

const FRAME_RATE = { burst: LIMITS.clientFrameBurst, perSecond: LIMITS.clientFramesPerSecond };
/** How long to wait for the Hive to dial before asking it again. */
const FEED_RETRY_MS = 2_000;

export class Shard {
  readonly #ports: ShardPorts;
  readonly #sessions = new Map<ClientSocket, Session>();
  readonly #audience: Audience;
  readonly #tasks: TaskFeeds;
  #feed: FeedSocket | null = null;
  /** Whether the picture has been asked for and has not come yet. */
  #resyncing = false;

  constructor(ports: ShardPorts) {
    this.#ports = ports;
    const deliver = (session: Session, text: string) => this.#sendText(session, text);
    this.#audience = new Audience({
      clock: ports.clock,
      deliver,
      synced: (session) => {
        // Sending the snapshot may have ended the session.
        if (session.state.synced || !this.#isHere(session)) return;
        session.state = { ...session.state, synced: true };
        session.socket.save(session.state);
      },
    });
    this.#tasks = new TaskFeeds({
      open: (taskId, after, signal) => ports.sidecar.events(taskId, after, signal),
      deliver,
      over: (session, taskId, reason) =>
        this.#send(session, { type: "task_unfollowed", taskId, reason, timestamp: ports.clock.now() }),
      log: ports.log,
    });
  }

  /** Whether there is room for another client. */
  get isFull(): boolean {
    if (this.#sessions.size < LIMITS.sessionsPerShard) return false;
    // A session that sends and receives nothing is not noticed to have expired until room is needed.
    return [...this.#sessions.values()].filter((session) => this.#hasExpired(session)).length === 0;
  }

  /** A new client. @throws when its state cannot be stored; it is not taken then */
  connect(socket: ClientSocket, hello: Pick<SessionState, "kind" | "identity">): void {
    const state: SessionState = {
      clientId: this.#ports.uuid(),
      ...hello,
      hive: this.#ports.hive,
      filters: { include_performance: false, include_neural: false, include_topology: false },
      mode: "normal",
      synced: false,
    };
    socket.save(state);
    const session = this.#admit(socket, state);
    this.#send(session, this.#welcome(state));
    if (hello.kind === "stream") this.#audience.sync(session);
    this.#needFeed();
  }

  /** A client whose socket was accepted before this shard's memory was lost. */
  restore(socket: ClientSocket, state: SessionState): void {
    this.#admit(socket, state);
  }

  async receive(socket: ClientSocket, data: string | ArrayBuffer): Promise<void> {
    const session = this.#sessions.get(socket);
    if (!session || this.#hasExpired(session) || !this.#isAllowed(session)) return;
    session.waiting++;
    const answer = await dispatch(data, this.#actionsOf(session), (error) => this.#ports.log("frame", error));
    session.waiting--;
    if (answer && this.#isHere(session)) this.#send(session, answer);
  }

  disconnect(socket: ClientSocket): void {
    const session = this.#sessions.get(socket);
    if (!session) return;
    this.#sessions.delete(socket);
    this.#tasks.unfollowAll(session);
    if (session.state.kind === "stream") this.#audience.leave(session);
    if (!this.#audience.isEmpty) return;
    this.#feed?.close();
    this.#feed = null;
    this.#audience.forget();
  }

  feedConnected(feed: FeedSocket): void {
    this.#feed?.close();
    this.#feed = null;
    // Everybody may have left while the Hive was dialling.
    if (this.#audience.isEmpty) feed.close();
    else this.#feed = feed;
    this.#resyncing = false;
  }

  /** A feed that was dialled before this shard's memory was lost: the picture has to be asked for. */
  feedRestored(feed: FeedSocket): void {
    this.feedConnected(feed);
    if (this.#feed === feed) this.#resync(feed);
  }

  feedReceived(feed: FeedSocket, text: string): void {
    if (this.#feed !== feed) return;
    const message = FeedMessage.parse(JSON.parse(text));
    switch (message.type) {
      case "sync":
        this.#resyncing = false;
        this.#audience.replace(message.snapshot, message.live);
        break;
      case "change":
        if (!this.#resyncing && !this.#audience.take(message)) this.#resync(feed);
        break;
      case "lost":
        this.#audience.lose();
        break;
    }
  }

  feedClosed(feed: FeedSocket): void {
    if (this.#feed !== feed) return;
    this.#feed = null;
    this.#audience.lose();
    this.#needFeed();
  }

  /** Called after `wakeAfter`: asks for the feed again if it is still missing. */
  wake(): void {
    this.#needFeed();
  }

  /** Asks for the picture once, however many changes come that do not fit. */
  #resync(feed: FeedSocket): void {
    this.#resyncing = true;
    feed.send(RESYNC);
  }

  #needFeed(): void {
    if (this.#feed || this.#audience.isEmpty) return;
    this.#ports.wakeAfter(FEED_RETRY_MS);
    this.#ports.requestFeed();
  }

  #admit(socket: ClientSocket, state: SessionState): Session {
    const bucket = fullBucket(FRAME_RATE, this.#ports.clock.now());
    const session: Session = { socket, state, bucket, refused: 0, waiting: 0 };
    this.#sessions.set(socket, session);
    if (state.kind === "stream") this.#audience.join(session);
    return session;
  }

  #welcome(state: SessionState): GatewayFrame {
    return {
      type: "welcome",
      client_id: state.clientId,
      hive: state.hive,
      protocol: SUBPROTOCOL,
      epoch: this.#audience.picture.epoch,
      offset: this.#audience.picture.offset,
      mode: state.mode,
      filters: state.filters,
      limits: {
        frame_bytes: LIMITS.clientFrameBytes,
        frames_per_second: LIMITS.clientFramesPerSecond,
        follows: LIMITS.followsPerSession,
      },
      timestamp: this.#ports.clock.now(),
    };
  }

  #actionsOf(session: Session): SessionActions {
    const { hive, sidecar, clock, uuid } = this.#ports;
    return {
      hive,
      sidecar,
      uuid,
      identity: session.state.identity,
      now: () => clock.now(),
      follow: (taskId, after) => {
        // The client may have left while its request was under way.
        if (this.#isHere(session)) this.#tasks.follow(session, taskId, after);
      },
      unfollow: (taskId) => this.#tasks.unfollow(session, taskId),
      watch: (change) => this.#watch(session, change),
    };
  }

  #watch(session: Session, change: { filters?: Filters; mode?: Mode }): { filters: Filters; mode: Mode } {
    const state = { ...session.state, ...change };
    // First what can fail, then what has to go together.
    session.socket.save(state);
    const isStream = state.kind === "stream" && this.#isHere(session);
    if (isStream) this.#audience.leave(session);
    session.state = state;
    if (isStream) {
      this.#audience.join(session);
      this.#audience.sync(session);
    }
    return { filters: session.state.filters, mode: session.state.mode };
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
  #isAllowed(session: Session): boolean {
    const taken = take(session.bucket, FRAME_RATE, this.#ports.clock.now());
    session.bucket = taken.bucket;
    const busy = session.waiting >= LIMITS.commandsPerSession;
    if (taken.allowed && !busy) {
      session.refused = 0;
      return true;
    }
    session.refused++;
    if (session.refused > LIMITS.refusedFramesInARow) this.#end(session, "rate_limited");
    else {
      const error = new HivegateError(taken.allowed ? "overloaded" : "rate_limited");
      this.#send(session, errorFrame(error, this.#ports.clock.now()));
    }
    return false;
  }

  #end(session: Session, code: ErrorCode): void {
    this.disconnect(session.socket);
    session.socket.close(ERRORS[code].close, ERRORS[code].advice);
  }

  #send(session: Session, frame: GatewayFrame): void {
    this.#sendText(session, JSON.stringify(frame));
  }

  #sendText(session: Session, text: string): void {
    if (this.#hasExpired(session)) return;
    if ((session.socket.backlogBytes() ?? 0) > LIMITS.sessionBacklogBytes) {
      this.#end(session, "slow_consumer");
      return;
    }
    try {
      session.socket.send(text);
    } catch {
      // The socket closed before its event came.
      this.disconnect(session.socket);
    }
  }
}
