/**
 * Brings frames to clients, and sees how far each of them reads: a client that cannot keep up is given less
 * often, and one that does not read at all is closed before what waits for it grows large.
 */
import { type Clock, pause } from "../../shared/clock.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { Pace, type PaceLimits } from "../../shared/pressure/pace.ts";
import type { GatewayFrame, Quality } from "../../shared/protocol/gateway.ts";
import { DIALECTS } from "./dialect.ts";
import { Encoded, type Message, utf8Bytes } from "./frames.ts";
import type { Session, SessionState } from "./session.ts";
import type { ShardCounts } from "./shard-counts.ts";

export type DeliveryPorts = {
  clock: Clock;
  uuid(): string;
  deflate(text: string): Uint8Array;
  counts: ShardCounts;
  /** Ends a session that cannot go on. */
  end(session: Session, code: ErrorCode): void;
  /** The socket has closed before its event came. */
  gone(session: Session): void;
};

const PACE: PaceLimits = {
  lateBytes: LIMITS.lateSessionBytes,
  lostBytes: LIMITS.sessionBacklogBytes,
  lostAfterMs: LIMITS.lostSessionMs,
  probeEveryBytes: LIMITS.probeEveryBytes,
  slowerAfterMs: 2_000,
  fasterAfterMs: 10_000,
  steps: 2,
  probes: LIMITS.probes,
};

/** A relay's clients are sent no more than the window by it, in characters of up to three bytes, and one message more. */
const RELAY_PACE: PaceLimits = {
  ...PACE,
  lostBytes: LIMITS.sessionBacklogBytes + 3 * LIMITS.relayWindowBytes + LIMITS.relayMessageBytes,
};

const LOOK_AGAIN_MS = 50;

export class Delivery {
  readonly #ports: DeliveryPorts;

  constructor(ports: DeliveryPorts) {
    this.#ports = ports;
  }

  newPace(kind: SessionState["kind"]): Pace {
    return new Pace(kind === "relay" ? RELAY_PACE : PACE, this.#ports.clock.now());
  }

  send(session: Session, encoded: Encoded): void {
    const nowMs = this.#ports.clock.now();
    if (this.#keepsUp(session, nowMs)) this.give(session, encoded, nowMs);
  }

  /** To a session that was just seen to have room: where the runtime says how much waits, asking it costs. */
  give(session: Session, encoded: Encoded, nowMs: number): void {
    for (const message of encoded.messages) this.#push(session, message, nowMs);
  }

  /** To a session whose pace lets it pass without a look: nearly all that is ever sent. False: look first. */
  pass(session: Session, encoded: Encoded): boolean {
    if (!session.pace.spend(encoded.bytes)) return false;
    const { counts } = this.#ports;
    counts.framesSent += encoded.messages.length;
    counts.sentBytes += encoded.bytes;
    try {
      for (const { data } of encoded.messages) session.socket.send(data);
    } catch {
      this.#ports.gone(session);
    }
    return true;
  }

  /** A frame that is one text in every dialect. */
  sendText(session: Session, text: string): void {
    const nowMs = this.#ports.clock.now();
    if (this.#keepsUp(session, nowMs)) this.#push(session, { data: text, bytes: utf8Bytes(text) }, nowMs);
  }

  /** What the relay has for a session, which keeps count of how much it may be sent: `cost` is counted as unread. */
  relay(session: Session, data: string | Uint8Array, cost: number): void {
    this.#push(session, { data, bytes: cost }, this.#ports.clock.now());
  }

  /** Bytes that a session was sent and is not known to have read. */
  unread(session: Session, nowMs: number): number {
    return session.pace.unreadBytes(this.#buffered(session, nowMs));
  }

  /** For one session alone. */
  sendFrame(session: Session, frame: GatewayFrame): void {
    const { deflate } = this.#ports;
    const { dialect, encoding } = session.state;
    this.send(session, new Encoded(frame, { dialect, encoding, deflate }));
  }

  /** Whether telemetry may be sent now; otherwise it waits, and merges with what comes after it. */
  hasRoom(session: Session, nowMs: number): boolean {
    const buffered = this.#buffered(session, nowMs);
    const hasRoom = session.pace.hasRoom(buffered, nowMs);
    session.pace.step(nowMs);
    if (!hasRoom) this.#ports.counts.updatesSkipped++;
    if (!hasRoom && session.pace.isLost(buffered, nowMs)) this.#ports.end(session, "slow_consumer");
    return hasRoom;
  }

  /** What the client holds from now on: a picture of this epoch, this revision of the configuration. */
  synced(session: Session, held: Partial<Pick<SessionState, "epoch" | "configRevision">>): void {
    this.#save(session, held);
  }

  /** The client gave a sign of life. It is stored now and then, for a shard that loses its memory. */
  heard(session: Session): void {
    session.heardMs = this.#ports.clock.now();
    if (session.heardMs - session.state.heardMs >= LIMITS.heardSavedMs)
      this.#save(session, { heardMs: session.heardMs });
  }

  /** The client waits for news of tasks, or of none. */
  follows(session: Session, anything: boolean): void {
    this.#save(session, { follows: anything });
  }

  quality(session: Session): Quality {
    const { pace, socket, state } = session;
    return {
      latency_ms: pace.latencyMs,
      missed_heartbeats: Math.floor((this.#ports.clock.now() - lastHeardMs(session)) / LIMITS.heartbeatMs),
      backlog_bytes: pace.unreadBytes(socket.backlogBytes()),
      skipped_updates: pace.skipped,
      connected_at: state.connectedMs,
    };
  }

  /** Ends a session that is too far behind. */
  #keepsUp(session: Session, nowMs: number): boolean {
    const isLost = session.pace.isLost(this.#buffered(session, nowMs), nowMs);
    if (isLost) this.#ports.end(session, "slow_consumer");
    return !isLost;
  }

  /** Whether so much is unread that what can wait should wait. */
  isLate(session: Session): boolean {
    return session.pace.isLate(this.#buffered(session, this.#ports.clock.now()));
  }

  /** Bytes that the runtime has not sent yet; null where it does not say, or the client of a relay says it better. */
  #buffered({ socket, pace, state }: Session, nowMs: number): number | null {
    const buffered = state.relay?.acks ? null : socket.backlogBytes();
    if (buffered === null && !acknowledges(state)) {
      const { assumedRelayBytesPerSecond, assumedBytesPerSecond } = LIMITS;
      pace.assume(state.relay ? assumedRelayBytesPerSecond : assumedBytesPerSecond, nowMs);
    }
    return buffered;
  }

  #push(session: Session, { data, bytes }: Message, nowMs: number): void {
    const { socket, pace } = session;
    const { counts } = this.#ports;
    if (session.state.identity.expiresMs <= nowMs) {
      this.#ports.end(session, "token_expired");
      return;
    }
    try {
      socket.send(data);
      counts.framesSent++;
      counts.sentBytes += bytes;
      const isDue = pace.sent(bytes);
      if (isDue && acknowledges(session.state)) this.#probe(session, nowMs);
    } catch {
      this.#ports.gone(session);
    }
  }

  /** The client has read as far as this probe. False: it was not asked that. */
  acknowledged(session: Session, probe: string): boolean {
    const isAnswer = session.pace.acknowledged(probe, this.#ports.clock.now());
    if (isAnswer && !session.pace.owesAnswer) this.#save(session, { owesAnswer: false });
    return isAnswer;
  }

  /** For a session that was found again: what it had not read when its shard lost its memory may still wait. */
  restored(session: Session): void {
    if (!session.state.owesAnswer) return;
    session.pace.suspect();
    this.#probe(session, this.#ports.clock.now());
  }

  /** Waits for a client that is behind; false: it is gone, or took too long. */
  async whenRoom(session: Session, isHere: () => boolean): Promise<boolean> {
    const { clock } = this.#ports;
    const untilMs = clock.now() + LIMITS.followRoomMs;
    while (isHere() && clock.now() < untilMs) {
      if (!this.isLate(session)) return true;
      await pause(clock, LOOK_AGAIN_MS);
    }
    return false;
  }

  /** A probe that finds another one unanswered shows that the client may be behind: that is not forgotten. */
  #probe(session: Session, nowMs: number): void {
    const { socket, pace } = session;
    const isBehind = pace.owesAnswer;
    const probe = this.#ports.uuid();
    try {
      socket.send(JSON.stringify({ type: "probe", probe } satisfies GatewayFrame));
    } catch {
      this.#ports.gone(session);
      return;
    }
    pace.probed(probe, nowMs);
    if (isBehind) this.#save(session, { owesAnswer: true });
  }

  #save(session: Session, change: Partial<SessionState>): void {
    const isNews = Object.entries(change).some(([key, value]) => Object(session.state)[key] !== value);
    if (!isNews) return;
    session.state = { ...session.state, ...change };
    try {
      session.socket.save(session.state);
    } catch {
      this.#ports.gone(session);
    }
  }
}

/** Whether the client says how far it has read. */
const acknowledges = ({ relay, dialect }: SessionState): boolean =>
  relay ? relay.acks && relay.mode === "shared" : DIALECTS[dialect].acknowledges;

/** When the client gave a sign of life last. */
export const lastHeardMs = ({ heardMs, socket }: Session): number =>
  Math.max(heardMs, socket.heartbeatMs() ?? 0);
