/** A shard's end of the feed from its Hive: there while it has an audience, and asked for again when it is lost. */
import type { Clock } from "../../shared/clock.ts";
import type { FeedMessage, ShardMessage, ShardReport } from "../hive/feed.ts";
import type { Audience } from "./audience.ts";

/** The socket that the Hive dialled. */
export interface FeedSocket {
  send(text: string): void;
  close(): void;
  /** Keeps with the socket whether all that the Hive had came through it. Absent where no memory is ever lost. */
  save?(caughtUp: boolean): void;
}

export type FeedLinkPorts = {
  clock: Pick<Clock, "now">;
  audience: Audience;
  /** The feed is about to be given up: the last chance to report. */
  leaving(): void;
  /** Asks the Hive to dial. May fail in silence: `wakeAfter` has been called before. */
  request(): void;
  /** Has `need` called later, even if the shard is evicted meanwhile. */
  wakeAfter(delayMs: number): void;
};

/** How long to wait for the Hive to dial before asking it again. */
const RETRY_MS = 2_000;

export class FeedLink {
  readonly #ports: FeedLinkPorts;
  #socket: FeedSocket | null = null;
  /** Whether the Hive was asked to bring the picture up to date, and has not yet. */
  #catchingUp = false;
  #toldIntervalMs: number | null = null;
  /** However many clients come before the Hive has dialled, it is asked once. */
  #askAgainMs = Number.NEGATIVE_INFINITY;

  constructor(ports: FeedLinkPorts) {
    this.#ports = ports;
  }

  /** Asks for the feed if there should be one and is none. */
  need(): void {
    const nowMs = this.#ports.clock.now();
    if (this.#socket || this.#ports.audience.isEmpty || nowMs < this.#askAgainMs) return;
    this.#askAgainMs = nowMs + RETRY_MS;
    this.#ports.wakeAfter(RETRY_MS);
    this.#ports.request();
  }

  /** The time to wait for the Hive is over. */
  askAgain(): void {
    this.#askAgainMs = Number.NEGATIVE_INFINITY;
    this.need();
  }

  connected(socket: FeedSocket): void {
    this.#socket?.close();
    this.#socket = null;
    // Everybody may have left while the Hive was dialling.
    if (this.#ports.audience.isEmpty) {
      socket.close();
      return;
    }
    this.#socket = socket;
    this.#ports.audience.unmoor();
    const { epoch, offset } = this.#ports.audience.picture;
    this.#watch(epoch === null ? null : { epoch, offset });
  }

  /**
   * A feed from before this shard lost its memory: nothing is asked for until something comes. One that had
   * not caught up then goes on from somewhere else than where the sessions are, and what it was asked is asked
   * again.
   */
  restored(socket: FeedSocket, caughtUp: boolean): void {
    const { audience } = this.#ports;
    this.#toldIntervalMs = audience.intervalMs;
    if (audience.isEmpty) {
      socket.close();
      return;
    }
    this.#socket = socket;
    if (caughtUp) return;
    audience.unmoor();
    this.#watch(null);
  }

  received(socket: FeedSocket, message: FeedMessage): void {
    if (this.#socket !== socket) return;
    const { audience } = this.#ports;
    switch (message.type) {
      case "snapshot":
        this.#caughtUp();
        if (!message.asked) audience.unmoor();
        audience.replace(message);
        // A shard that woke for it has not heard how the hive is: that is told to whoever asks.
        if (!audience.knowsStatus) this.#watch({ epoch: message.epoch, offset: message.offset });
        break;
      case "change":
        // What follows on a line that is missing does not fit either, until the Hive has caught us up.
        if (audience.take(message)) this.#caughtUp();
        else if (!this.#catchingUp) this.#watch(null);
        break;
      case "status":
        audience.tellStatus(message.status);
        break;
      case "config_revision":
      case "config_changed":
        audience.tellConfig(message);
        break;
    }
  }

  closed(socket: FeedSocket): void {
    if (this.#socket !== socket) return;
    this.#socket = null;
    this.#askAgainMs = Number.NEGATIVE_INFINITY;
    this.#ports.audience.lose();
    this.need();
  }

  /** The picture is wanted, and was lost with this shard's memory. */
  wantPicture(): void {
    if (this.#socket && !this.#catchingUp && this.#ports.audience.picture.epoch === null) this.#watch(null);
    this.need();
  }

  /** Somebody came, left or changed: nobody left, no feed; another pace, another demand. */
  audienceChanged(): void {
    const { audience } = this.#ports;
    if (audience.isEmpty) {
      if (this.#socket) this.#ports.leaving();
      this.#socket?.close();
      this.#socket = null;
      this.#askAgainMs = Number.NEGATIVE_INFINITY;
      audience.rest();
      return;
    }
    const { intervalMs } = audience;
    if (!this.#socket || intervalMs === this.#toldIntervalMs) return;
    this.#toldIntervalMs = intervalMs;
    this.#send({ type: "demand", intervalMs });
  }

  /** False: there is no feed. */
  report(report: ShardReport): boolean {
    return this.#send(report);
  }

  #caughtUp(): void {
    if (!this.#catchingUp) return;
    this.#catchingUp = false;
    this.#socket?.save?.(true);
  }

  #watch(position: { epoch: string; offset: number } | null): void {
    this.#catchingUp = true;
    this.#socket?.save?.(false);
    this.#toldIntervalMs = this.#ports.audience.intervalMs;
    this.#send({ type: "watch", position, intervalMs: this.#toldIntervalMs });
  }

  #send(message: ShardMessage): boolean {
    const socket = this.#socket;
    if (!socket) return false;
    try {
      socket.send(JSON.stringify(message));
      return true;
    } catch {
      // Closed, but its event has not come yet.
      this.closed(socket);
      return false;
    }
  }
}
