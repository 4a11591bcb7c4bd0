/**
 * Brings frames to clients, and sees how far each of them reads: a client that cannot keep up is given less
 * often, and one that does not read at all is closed before what waits for it grows large.
 */
import type { Clock } from "../../shared/clock.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { Pace, type PaceLimits } from "../../shared/pressure/pace.ts";
import type { GatewayFrame, Quality } from "../../shared/protocol/gateway.ts";
import { DIALECTS } from "./dialect.ts";
import { Encoded } from "./frames.ts";
import type { Session } from "./session.ts";

export type DeliveryPorts = {
  clock: Clock;
  uuid(): string;
  deflate(text: string): Uint8Array;
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
};

export class Delivery {
  readonly #ports: DeliveryPorts;

  constructor(ports: DeliveryPorts) {
    this.#ports = ports;
  }

  newPace(): Pace {
    return new Pace(PACE, this.#ports.clock.now());
  }

  send(session: Session, encoded: Encoded): void {
    const nowMs = this.#ports.clock.now();
    if (this.#keepsUp(session, nowMs)) this.give(session, encoded, nowMs);
  }

  /** To a session that was just seen to have room: where the runtime says how much waits, asking it costs. */
  give(session: Session, encoded: Encoded, nowMs: number): void {
    const deflates = session.state.encoding === "deflate";
    for (const text of encoded.texts) {
      const isLarge = text.length >= LIMITS.deflateFromChars;
      this.#push(session, deflates && isLarge ? encoded.deflated(text) : text, nowMs);
    }
  }

  /** A frame that is one text in every dialect. */
  sendText(session: Session, text: string): void {
    const nowMs = this.#ports.clock.now();
    if (this.#keepsUp(session, nowMs)) this.#push(session, text, nowMs);
  }

  /** For one session alone. */
  sendFrame(session: Session, frame: GatewayFrame): void {
    const { deflate } = this.#ports;
    this.send(session, new Encoded(frame, { dialect: session.state.dialect, deflate }));
  }

  /** Whether telemetry may be sent now; otherwise it waits, and merges with what comes after it. */
  hasRoom(session: Session, nowMs: number): boolean {
    const buffered = session.socket.backlogBytes();
    const hasRoom = session.pace.hasRoom(buffered, nowMs);
    session.pace.stepped(nowMs);
    if (!hasRoom && session.pace.isLost(buffered, nowMs)) this.#ports.end(session, "slow_consumer");
    return hasRoom;
  }

  /** The client holds a picture of this epoch from now on. */
  synced(session: Session, epoch: string | null): void {
    if (session.state.epoch === epoch) return;
    session.state = { ...session.state, epoch };
    try {
      session.socket.save(session.state);
    } catch {
      this.#ports.gone(session);
    }
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
    const isLost = session.pace.isLost(session.socket.backlogBytes(), nowMs);
    if (isLost) this.#ports.end(session, "slow_consumer");
    return !isLost;
  }

  #push(session: Session, data: string | Uint8Array, nowMs: number): void {
    const { socket, pace } = session;
    if (session.state.identity.expiresMs <= nowMs) {
      this.#ports.end(session, "token_expired");
      return;
    }
    try {
      socket.send(data);
      if (pace.sent(data.length) && DIALECTS[session.state.dialect].acknowledges) this.#probe(session, nowMs);
    } catch {
      this.#ports.gone(session);
    }
  }

  #probe({ socket, pace }: Session, nowMs: number): void {
    const probe = this.#ports.uuid();
    socket.send(JSON.stringify({ type: "probe", probe } satisfies GatewayFrame));
    pace.probed(probe, nowMs);
  }
}

/** When the client gave a sign of life last. */
export const lastHeardMs = ({ heardMs, socket }: Session): number =>
  Math.max(heardMs, socket.heartbeatMs() ?? 0);
