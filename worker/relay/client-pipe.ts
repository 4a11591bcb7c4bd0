/**
 * One client's way to the orchestrator and back, whatever passes through it: at the client's rate and within the
 * channel's credit one way, no faster than the client reads the other way.
 */
import type { Clock } from "../../shared/clock.ts";
import type { ErrorCode } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { Channel, type GivenUp } from "../../shared/relay/channel.ts";
import type { Link } from "../../shared/relay/link.ts";
import type { RelayMessage } from "../../shared/relay/records.ts";
import { count, type RelayCounts } from "./figures.ts";
import { RateQueue } from "./rate-queue.ts";

/** The client's socket, as the shard keeps it. */
export type ClientEnd = {
  /** Sends, or finds that the client is gone. `cost` counts as unread until the client has read it. */
  send(data: string | Uint8Array, cost: number): void;
  /** What it was sent and is not known to have read, in the same measure. */
  unread(nowMs: number): number;
  end(code: ErrorCode): void;
};

export type PipePorts<Said> = {
  clock: Clock;
  link: Pick<Link, "send">;
  counts: RelayCounts;
  /** What all clients of the shard hold together, in bytes. */
  holding: { bytes: number };
  client: ClientEnd;
  messagesPerSecond: number;
  /** What the client said has its turn. */
  pass(said: Said): void;
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
  #isClosed = false;
  #delivered = 0;
  #passedOn = 0;
  #holding = 0;
  #lookAt = LOOK_EVERY_BYTES;
  /** When it was seen last that the client reads. */
  #progressMs = 0;

  constructor(ports: PipePorts<Said>, number: number) {
    const perSecond = ports.messagesPerSecond;
    this.#ports = ports;
    this.#channel = this.#newChannel(number);
    this.#rated = new RateQueue({
      rate: { perSecond, burst: 2 * perSecond },
      waitingBytes: LIMITS.relayWaitingBytes,
      nowMs: ports.clock.now(),
      pass: ports.pass,
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
    const mayWait = this.#rated.size === 0 || this.#mayHold();
    const nowMs = clock.now();
    const outcome = mayWait ? this.#rated.push(said, { bytes: how.cost, urgent: how.urgent, nowMs }) : "full";
    if (outcome === "passed") return;
    if (outcome === "full") {
      client.end("rate_limited");
      return;
    }
    this.#account();
    busy();
    if (this.#isSlowed) return;
    this.#isSlowed = true;
    counts.slowed++;
    slowed(this.#rated.size);
  }

  /** To the orchestrator, within the credit. */
  send(message: RelayMessage): void {
    count(this.#ports.counts.toOrchestrator, message.data);
    if (this.#channel.held > 0 && !this.#mayHold()) this.#ports.gaveUp(message, "overloaded");
    else this.#channel.send(message);
    this.#account();
  }

  /** To the client. The sidecar may send as much again when it has been read. */
  deliver(data: string | Uint8Array, cost: number): void {
    const { clock, client, counts, busy } = this.#ports;
    if (this.#delivered === this.#passedOn) this.#progressMs = clock.now();
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
    this.#account();
  }

  /** The link has room again. */
  drain(): void {
    this.#channel.drain();
    this.#account();
  }

  /** What time brings about. False: nothing is left to be done. */
  tick(nowMs: number): boolean {
    this.#rated.drain(nowMs);
    if (this.#rated.size === 0) this.#isSlowed = false;
    this.#settle(nowMs);
    this.#account();
    // It may have been ended just now.
    return !this.#isClosed && (this.#rated.size > 0 || this.#delivered > this.#passedOn);
  }

  /** Another channel in place of one that is over. Gives back what was never sent through that one. */
  renew(number: number): RelayMessage[] {
    const unsent = this.#channel.close();
    this.#channel = this.#newChannel(number);
    this.#passedOn = this.#delivered;
    return unsent;
  }

  close(): void {
    this.#channel.close();
    this.#ports.holding.bytes -= this.#holding;
    this.#holding = 0;
    this.#isClosed = true;
  }

  #mayHold(): boolean {
    return this.#ports.holding.bytes < LIMITS.relayShardHeldBytes;
  }

  #account(): void {
    if (this.#isClosed) return;
    const { heldBytes } = this;
    this.#ports.holding.bytes += heldBytes - this.#holding;
    this.#holding = heldBytes;
  }

  #settle(nowMs: number): void {
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
    const { link, clock, gaveUp } = this.#ports;
    return new Channel({
      ...{ number, link, clock },
      gaveUp: (message, why) => {
        gaveUp(message, why);
        this.#account();
      },
    });
  }
}
