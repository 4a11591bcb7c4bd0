import { randomUUID } from "node:crypto";
import type { Clock } from "../../shared/clock.ts";
import { ERRORS, type ErrorCode } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { HoldTotal } from "../../shared/relay/hold-queue.ts";
import { Link, type LinkSocket } from "../../shared/relay/link.ts";
import type { RelayRecord } from "../../shared/relay/records.ts";
import type { RelayAudit } from "./audit.ts";
import type { RelayMetrics } from "./metrics.ts";
import type { Orchestrators } from "./orchestrators.ts";
import { RelaySession } from "./session.ts";

export type RelayLinkOptions = {
  orchestrators: Orchestrators;
  clock: Clock;
  metrics: RelayMetrics;
  /** What all sessions hold together. */
  total: HoldTotal;
  audit: Pick<RelayAudit, "write">;
  /** Nobody came back to it, or nobody would miss it: it is over. */
  onAbandoned(link: RelayLink): void;
};

/** The sidecar's end of one link, and its sessions. */
export class RelayLink {
  readonly #options: RelayLinkOptions;
  readonly #link: Link;
  readonly #sessions = new Map<number, RelaySession>();
  #socket: LinkSocket | null = null;
  #downSinceMs: number | null = null;
  #isGoingAway = false;

  constructor(options: RelayLinkOptions) {
    this.#options = options;
    this.#link = new Link({
      clock: options.clock,
      newInstance: randomUUID,
      received: (record) => this.#received(record),
      onReset: () => this.#reset(),
      onRoom: () => {
        for (const session of this.#sessions.values()) session.linkHasRoom();
      },
      // What many sockets bring in one turn of the loop goes out as one batch.
      soon: (flush) => void setImmediate(flush),
    });
  }

  /** Since when it waits for the gateway to come back; null: it does not. */
  get downSinceMs(): number | null {
    return this.#downSinceMs;
  }

  attach(socket: LinkSocket): void {
    this.#socket = socket;
    this.#downSinceMs = null;
    this.#link.attach(socket);
  }

  receive(bytes: Uint8Array, socket: LinkSocket): void {
    this.#link.receive(bytes, socket);
  }

  detached(socket: LinkSocket): void {
    // One that was replaced ends later than its successor began.
    if (socket !== this.#socket) return;
    this.#socket = null;
    this.#downSinceMs = this.#options.clock.now();
    this.#link.detached(socket);
    if (this.#sessions.size === 0) this.abandon();
  }

  /** Says that no more sessions can be opened; dedicated ones end, since nobody can say when they would be done. */
  goAway(): void {
    this.#isGoingAway = true;
    this.#link.send({ type: "goaway" });
    for (const session of [...this.#sessions.values()])
      if (session.mode === "dedicated") session.end(ERRORS.shutting_down.close, ERRORS.shutting_down.advice);
  }

  close(): void {
    const { close, advice } = ERRORS.shutting_down;
    for (const session of [...this.#sessions.values()]) session.end(close, advice);
    this.#link.close(close, "shutting down");
  }

  /** Ends all that is left of it, with nobody there to be told. */
  abandon(): void {
    this.#endSessions();
    this.#link.close(ERRORS.sidecar_unreachable.close, "abandoned");
    this.#options.onAbandoned(this);
  }

  #received(record: RelayRecord): void {
    if (record.type === "open") {
      this.#open(record);
      return;
    }
    // What crosses the end of its session on the way is nobody's.
    const session = "channel" in record ? this.#sessions.get(record.channel) : undefined;
    if (!session) return;
    if (record.type === "message") session.receive(record);
    else if (record.type === "credit") session.credited(record.bytes);
    else if (record.type === "close") {
      this.#sessions.delete(record.channel);
      this.#ended(session);
      session.over(record.code, record.reason);
    }
  }

  #open({ channel, mode, client }: RelayRecord & { type: "open" }): void {
    const { orchestrators, metrics } = this.#options;
    if (this.#sessions.has(channel)) return;
    if (this.#isGoingAway || this.#sessions.size >= LIMITS.relayChannels) {
      this.#refuse(channel, this.#isGoingAway ? "shutting_down" : "overloaded");
      return;
    }
    const session = new RelaySession({
      ...this.#options,
      ...{ mode, client, number: channel, link: this.#link },
      onEnd: () => {
        this.#sessions.delete(channel);
        this.#ended(session);
      },
    });
    this.#sessions.set(channel, session);
    metrics.sessions[mode]++;
    orchestrators.join(session);
  }

  #refuse(channel: number, code: ErrorCode): void {
    this.#options.metrics.refused(code);
    this.#link.send({ type: "close", channel, code: ERRORS[code].close, reason: ERRORS[code].advice });
  }

  #ended(session: RelaySession): void {
    this.#options.metrics.sessions[session.mode]--;
  }

  #reset(): void {
    this.#endSessions();
    if (this.#downSinceMs !== null) this.abandon();
  }

  #endSessions(): void {
    const sessions = [...this.#sessions.values()];
    this.#sessions.clear();
    for (const session of sessions) {
      this.#ended(session);
      session.over(ERRORS.sidecar_unreachable.close, "The gateway was lost.");
    }
  }
}
