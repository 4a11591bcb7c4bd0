/**
 * One client's way to the orchestrator and back, whatever passes through it: at the client's rate and within the
 * channel's credit one way, no faster than the client reads the other way.
 */
import type { Clock } from "../../shared/clock.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { Channel, type GivenUp } from "../../shared/relay/channel.ts";
import type { HoldTotal } from "../../shared/relay/hold-queue.ts";
import type { Link } from "../../shared/relay/link.ts";
import type { RelayMessage } from "../../shared/relay/records.ts";
import { count, type RelayCounts } from "./figures.ts";
import { RateQueue } from "./rate-queue.ts";

/** The client's socket, as the shard keeps it. */
export type ClientEnd = {
  /** Sends, or finds that the client is gone. `cost` counts as unread until the client has read it. */
  send(data: string | Uint8Array, cost: number): void;
  /** Sends what nobody gave credit for: a client that leaves too much of that unread is ended. */
  answer(text: string): void;
  /** What it was sent and is not known to have read, in the same measure. */
  unread(nowMs: number): number;
  end(code: ErrorCode): void;
};

export type PipePorts<Said> = {
  clock: Clock;
  link: Pick<Link, "send">;
  counts: RelayCounts;
  /** What all clients of the shard hold together. */
  total: HoldTotal;
  client: ClientEnd;
  messagesPerSecond: number;
  /** What the client said has its turn. */
  pass(said: Said): void;
  /** How many messages that is. */
  countOf(said: Said): number;
  /** What it says has to wait; said once until nothing waits any more. */
  slowed(waiting: number): void;
  gaveUp(message: RelayMessage, why: GivenUp): void;
  /** `tick` has to be called soon. */
  busy(): void;
};

/** How much is delivered before it is looked how far the client has read. */
const LOOK_EVERY_BYTES = LIMITS.relayWindowBytes / 8;
/** With so much unread the sidecar waits, but for credit that is too small to have been given back. */
const FULL_BYTES = LIMITS.relayWindowBytes * (3 / 4);

export class ClientPipe<Said> {
  readonly #ports: PipePorts<Said>;
  readonly #rated: RateQueue<Said>;
  #channel: Channel;
  #isSlowed = false;
  /** The client is gone: what comes for it is dropped. */
  #hasLeft = false;
  #isClosed = false;
  #delivered = 0;
  #passedOn = 0;
  #lookAt = LOOK_EVERY_BYTES;
  /** When it was seen last that the client reads, or has little to read. */
  #progressMs = 0;

  constructor(ports: PipePorts<Said>, number: number) {
    const perSecond = ports.messagesPerSecond;
    this.#ports = ports;
    this.#channel = this.#newChannel(number);
    this.#rated = new RateQueue({
      rate: { perSecond, burst: 2 * perSecond },
      ...{ waitingBytes: LIMITS.relayWaitingBytes, total: ports.total },
      nowMs: ports.clock.now(),
      ...{ pass: ports.pass, countOf: ports.countOf },
    });
  }

  get held(): number {
    return this.#rated.size + this.#channel.held;
  }

  get heldBytes(): number {
    return this.#rated.bytes + this.#channel.heldBytes;
  }

  /** What the client says, at its rate: it comes back by `pass`. */
  submit(said: Said, how: { cost: number; urgent: boolean }): void {
    const { clock, client, counts, slowed, busy } = this.#ports;
    const { cost: bytes, urgent } = how;
    const outcome = this.#rated.push(said, { bytes, urgent, nowMs: clock.now() });
    if (outcome === "passed") return;
    if (outcome === "full") {
      client.end("rate_limited");
      return;
    }
    busy();
    if (this.#isSlowed) return;
    this.#isSlowed = true;
    counts.slowed++;
    slowed(this.#rated.size);
  }

  /** To the orchestrator, within the credit. */
  send(message: RelayMessage): void {
    count(this.#ports.counts.toOrchestrator, message.data);
    this.#channel.send(message);
  }

  /** Takes back of what waits whatever is wanted: as it was said, or as it would be sent. */
  takeOut(
    isWanted: (said: Said) => boolean,
    isWantedMessage: (message: RelayMessage) => boolean,
  ): { said: Said[]; messages: RelayMessage[] } {
    return { said: this.#rated.takeOut(isWanted), messages: this.#channel.takeOut(isWantedMessage) };
  }

  /** To the client. The sidecar may send as much again when it has been read. */
  deliver(data: string | Uint8Array, cost: number): void {
    const { clock, client, counts, busy } = this.#ports;
    if (this.#hasLeft) {
      this.drop(cost);
      return;
    }
    if (this.#delivered - this.#passedOn < FULL_BYTES) this.#progressMs = clock.now();
    client.send(data, cost);
    count(counts.toClients, data);
    this.#delivered += cost;
    if (this.#delivered >= this.#lookAt) this.#settle(clock.now());
    busy();
  }

  /** What came for the client is not for its eyes. */
  drop(cost: number): void {
    this.#channel.passedOn(cost);
  }

  credited(bytes: number): void {
    this.#channel.credited(bytes);
  }

  /** The link has room again. */
  drain(): void {
    this.#channel.drain();
  }

  /** What time brings about. False: nothing is left to be done. */
  tick(nowMs: number): boolean {
    this.#rated.drain(nowMs);
    if (this.#rated.size === 0) this.#isSlowed = false;
    this.#settle(nowMs);
    // It may have been ended just now. Less than that unread takes nothing from the sidecar that it could miss.
    return !this.#isClosed && (this.#rated.size > 0 || this.#delivered - this.#passedOn >= LOOK_EVERY_BYTES);
  }

  /** Another channel in place of one that is over. Gives back what was never sent through that one. */
  renew(number: number): RelayMessage[] {
    const unsent = this.#channel.close();
    this.#channel = this.#newChannel(number);
    this.#passedOn = this.#delivered;
    return unsent;
  }

  /** The client is gone. What it said goes on its way, as long as it is ticked. */
  leave(): void {
    if (this.#hasLeft) return;
    this.#hasLeft = true;
    this.drop(this.#delivered - this.#passedOn);
    this.#passedOn = this.#delivered;
  }

  /** What still waits will not be sent. */
  close(): void {
    this.#channel.close();
    this.#rated.takeOut();
    this.#isClosed = true;
  }

  #settle(nowMs: number): void {
    if (this.#hasLeft) return;
    const { client } = this.#ports;
    const unread = client.unread(nowMs);
    const read = this.#delivered - this.#passedOn - unread;
    this.#lookAt = this.#delivered + LOOK_EVERY_BYTES;
    if (read > 0) {
      this.#passedOn += read;
      this.#progressMs = nowMs;
      this.#channel.passedOn(read);
    } else if (unread >= FULL_BYTES && nowMs - this.#progressMs > LIMITS.lostSessionMs) {
      client.end("slow_consumer");
    }
  }

  #newChannel(number: number): Channel {
    const { link, clock, total, gaveUp } = this.#ports;
    return new Channel({ number, link, clock, gaveUp, total });
  }
}
