/**
 * One side of a relayed session: what it sends is bounded by the credit that the other side gives back as it passes
 * messages on. A message goes out while there is any credit, so that one larger than the window gets through. What
 * cannot go out is held, within limits, and given up beyond them.
 */
import type { Clock } from "../clock.ts";
import { LIMITS } from "../limits.ts";
import type { HoldLimits, HoldTotal } from "./hold-queue.ts";
import type { Link } from "./link.ts";
import type { RelayMessage } from "./records.ts";
import { TimedHold } from "./timed-hold.ts";

/** Why a message was given up: there was no room for it, or it was held for too long. */
export type GivenUp = "overloaded" | "timeout";

export type ChannelOptions = {
  number: number;
  link: Pick<Link, "send">;
  clock: Clock;
  /** A message that will not be sent. */
  gaveUp(message: RelayMessage, why: GivenUp): void;
  /** Messages were held, and none is any more: whoever was stopped may go on. */
  onDrained?(): void;
  /** What all channels of one owner hold together; no limit unless given. */
  total?: HoldTotal;
  limits?: { windowBytes: number; held: HoldLimits };
};

const DEFAULT_LIMITS = {
  windowBytes: LIMITS.relayWindowBytes,
  held: { bytes: LIMITS.relayHeldBytes, ageMs: LIMITS.relayHeldMs },
};
/** Credit is given back in such parts of the window: a record for each message would cost as much as the message. */
const PARTS = 8;
/**
 * A longer message, at three bytes a character, might not fit a frame of the link: the other end's socket would close,
 * and again each time that it is sent anew. Messages are checked where they come from; this is for what grew since.
 */
const MOST_CHARS = (LIMITS.relayLinkBytes - LIMITS.relayWindowBytes) / 3;
/** What a message costs beside its length, so that empty ones are bounded as well. */
const MESSAGE_COST = 64;

/** The credit that a message takes; the same on both sides. In characters of a text: counting its bytes is dear. */
export const costOf = (data: string | Uint8Array): number => data.length + MESSAGE_COST;

export class Channel {
  readonly #options: ChannelOptions;
  readonly #windowBytes: number;
  readonly #held: TimedHold<RelayMessage>;
  #credit: number;
  #passedOn = 0;

  constructor(options: ChannelOptions) {
    const limits = options.limits ?? DEFAULT_LIMITS;
    this.#options = options;
    this.#windowBytes = limits.windowBytes;
    this.#credit = limits.windowBytes;
    this.#held = new TimedHold({
      ...{ limits: limits.held, total: options.total, clock: options.clock },
      expired: (messages) => {
        for (const message of messages) options.gaveUp(message, "timeout");
        if (this.#held.size === 0) options.onDrained?.();
      },
    });
  }

  /** Bytes that wait for credit, or for room on the link. While there are any, a sender that can be stopped should be. */
  get heldBytes(): number {
    return this.#held.bytes;
  }

  /** Messages that wait. */
  get held(): number {
    return this.#held.size;
  }

  send(message: RelayMessage): void {
    const { data, urgent } = message;
    const fits = data.length <= MOST_CHARS;
    if (fits && this.#held.size === 0 && this.#sendNow(message)) return;
    if (fits && this.#held.hold(message, { bytes: costOf(data), urgent })) return;
    this.#options.gaveUp(message, "overloaded");
  }

  /** The other side passed so much on: a `credit` record came. */
  credited(bytes: number): void {
    this.#credit += bytes;
    this.drain();
  }

  /** Sends what can go out now. Call it as well when the link has room again. */
  drain(): void {
    if (this.#held.size === 0) return;
    for (let next = this.#held.peek(); next && this.#sendNow(next); next = this.#held.peek())
      this.#held.shift();
    if (this.#held.size === 0) this.#options.onDrained?.();
  }

  /** What was received and cost so much (`costOf`) has been passed on: the other side may send as much again. */
  passedOn(cost: number): void {
    this.#passedOn += cost;
    if (this.#passedOn < this.#windowBytes / PARTS) return;
    const { link, number } = this.#options;
    link.send({ type: "credit", channel: number, bytes: this.#passedOn });
    this.#passedOn = 0;
  }

  /** Takes back of what is held whatever `isWanted`. */
  takeOut(isWanted: (message: RelayMessage) => boolean): RelayMessage[] {
    return this.#held.takeOut(isWanted);
  }

  /** Gives back what was held; no timer is left. */
  close(): RelayMessage[] {
    return this.#held.takeOut();
  }

  #sendNow({ data, urgent }: RelayMessage): boolean {
    if (this.#credit <= 0) return false;
    const { link, number } = this.#options;
    if (link.send({ type: "message", channel: number, data, urgent }) === "full") return false;
    this.#credit -= costOf(data);
    return true;
  }
}
