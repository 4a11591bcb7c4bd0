/**
 * One end of a link: a sequence of records each way that outlives the WebSockets under it. Batches are numbered,
 * kept until the other end acknowledges them, and sent again over the next socket from where that end got to.
 *
 * An end that was restarted, or gave up waiting, knows nothing of the other's batches any more. Both notice by
 * their hellos (see `matches`): what was kept is dropped, `onReset` is called, all channels are over.
 */
import type { Clock } from "../clock.ts";
import { LIMITS } from "../limits.ts";
import {
  decodeFrame,
  encodeAcknowledge,
  encodeHello,
  encodeLarge,
  type Hello,
  type LinkFrame,
} from "./batch.ts";
import { Outbox } from "./outbox.ts";
import { RelayFormatError, type RelayRecord } from "./records.ts";

/** An open socket. Whoever attached it calls `receive` with its messages, and `detached` once it is over. */
export type LinkSocket = { send(bytes: Uint8Array): void; close(code: number, reason: string): void };

export type LinkLimits = {
  /** Not acknowledged; above it messages are refused (`full`), above twice as much the link is reset. */
  bytes: number;
  /** An interruption longer than this resets the link, if anything was at stake. */
  heldMs: number;
  /** Nothing heard for so long, and as long as a batch under way may take, while an answer is due: the socket is closed. */
  silentMs: number;
};

export type LinkOptions = {
  clock: Clock;
  /** A new string each time, never given by the other end. */
  newInstance(): string;
  /** Every record of the other end, in order, once. */
  received(record: RelayRecord): void;
  /** All channels are over, on both ends; nothing was received or sent in the name of what comes. */
  onReset(): void;
  onUp?(): void;
  /** The socket is over, whoever ended it, were it before both had said hello: time to dial the next one. */
  onDown?(): void;
  /** After `send` said `full`: there is room again. */
  onRoom?(): void;
  /** Calls `flush` soon; a microtask unless given. Later makes fewer, larger messages. */
  soon?(flush: () => void): void;
  limits?: LinkLimits;
};

/** Sent once it goes out; held until a socket is there; full: not taken. */
export type SendOutcome = "sent" | "held" | "full";

const DEFAULT_LIMITS: LinkLimits = {
  bytes: LIMITS.relayLinkBytes,
  heldMs: LIMITS.relayLinkHeldMs,
  silentMs: LIMITS.relayLinkSilentMs,
};
/** What was received is acknowledged with the next batch, but after so many, or so long, by itself. */
const ACKNOWLEDGE_EVERY = 32;
const ACKNOWLEDGE_AFTER_MS = 50;
/** As slow as a link may be: of a batch that is under way nothing is seen until all of it has come. */
const LEAST_BYTES_PER_SECOND = 64 * 1024;
/** A batch above this is announced, because what is said behind it, acknowledgements too, comes that much later. */
const LARGE_BYTES = 256 * 1024;
/** The socket is closed with these, because browsers' sockets can be closed with few others: see `errors.ts`. */
const PROTOCOL_ERROR = 4000;
const SILENT = 4006;

export class Link {
  readonly #options: LinkOptions;
  readonly #limits: LinkLimits;
  readonly #soon: (flush: () => void) => void;
  readonly #outbox = new Outbox();
  #instance: string;
  #peer: string | null = null;
  #socket: LinkSocket | null = null;
  #isUp = false;
  #isFlushing = false;
  #isFull = false;
  /** Batches of the other end that came, and how many of them it was told of. */
  #received = 0;
  #acknowledged = 0;
  /** When an acknowledgement was due first, or one came, or a batch behind which one may come. */
  #progressMs = 0;
  /** Of a large batch of the other end's that is under way. */
  #comingBytes = 0;
  #cancelHeld: (() => void) | null = null;
  #cancelAcknowledge: (() => void) | null = null;
  #cancelSilence: (() => void) | null = null;

  constructor(options: LinkOptions) {
    this.#options = options;
    this.#limits = options.limits ?? DEFAULT_LIMITS;
    this.#soon = options.soon ?? ((flush) => void Promise.resolve().then(flush));
    this.#instance = options.newInstance();
  }

  /** Whether both ends have said hello over the present socket. */
  get isUp(): boolean {
    return this.#isUp;
  }

  /** Bytes that the other end has not acknowledged. */
  get unsentBytes(): number {
    return this.#outbox.bytes;
  }

  /** Only messages are refused: whatever else there is to say is small. */
  send(record: RelayRecord): SendOutcome {
    if (this.unsentBytes >= this.#limits.bytes) {
      if (record.type === "message") {
        this.#isFull = true;
        return "full";
      }
      if (this.unsentBytes >= 2 * this.#limits.bytes) {
        this.#startAnew();
        return "full";
      }
    }
    this.#sendBatch(this.#outbox.add(record, this.#received));
    if (!this.#isUp) {
      this.#limitHolding();
      return "held";
    }
    this.#flushSoon();
    return "sent";
  }

  /** A new socket, in place of the one before if it is still there. */
  attach(socket: LinkSocket): void {
    this.#socket?.close(1000, "replaced");
    this.#isUp = false;
    this.#cancel();
    this.#socket = socket;
    this.#comingBytes = 0;
    socket.send(encodeHello({ instance: this.#instance, peer: this.#peer, received: this.#received }));
    this.#watchSilence();
  }

  /** The socket is over: the present one unless said; one that was replaced is no news. */
  detached(socket: LinkSocket | null = this.#socket): void {
    if (!socket || socket !== this.#socket) return;
    this.#socket = null;
    this.#cancel();
    this.#isUp = false;
    this.#limitHolding();
    this.#options.onDown?.();
  }

  /**
   * A message of a socket: the present one unless said. What still comes from one that was replaced or given up is
   * not heard, since its batches are counted anew over the next one. Nonsense closes the socket.
   */
  receive(bytes: Uint8Array, socket: LinkSocket | null = this.#socket): void {
    if (!socket || socket !== this.#socket) return;
    let frame: LinkFrame;
    try {
      frame = decodeFrame(bytes);
    } catch (error) {
      if (!(error instanceof RelayFormatError)) throw error;
      this.#startAnew();
      return;
    }
    if (frame.type === "hello") this.#greeted(frame);
    else if (!this.#isUp) this.#drop(PROTOCOL_ERROR, "hello was expected");
    else if (frame.type === "acknowledge") this.#confirm(frame.acknowledged);
    else if (frame.type === "large") this.#comingBytes = Math.min(frame.bytes, this.#limits.bytes);
    else this.#batch(frame);
  }

  /** Ends the socket and all timers; the other end finds out by itself. */
  close(code: number, reason: string): void {
    this.#flush();
    const socket = this.#socket;
    this.#socket = null;
    this.#isUp = false;
    this.#cancel();
    this.#cancelHeld?.();
    this.#cancelHeld = null;
    socket?.close(code, reason);
  }

  #greeted(hello: Hello): void {
    if (!matches(hello, { instance: this.#instance, peer: this.#peer })) {
      if (this.#peer !== null) this.#forget();
    } else if (!this.#confirm(hello.received)) return;
    this.#peer = hello.instance;
    this.#isUp = true;
    this.#cancelHeld?.();
    this.#cancelHeld = null;
    for (const batch of this.#outbox.again(this.#received)) this.#put(batch);
    this.#flush();
    this.#watchSilence();
    this.#options.onUp?.();
  }

  #batch(frame: LinkFrame & { type: "batch" }): void {
    // What it acknowledges comes behind all that it had said before.
    this.#progressMs = this.#options.clock.now();
    this.#comingBytes = 0;
    if (!this.#confirm(frame.acknowledged)) return;
    // It was sent again although it had come.
    if (frame.number <= this.#received) return;
    if (frame.number > this.#received + 1) {
      this.#drop(PROTOCOL_ERROR, "a batch is missing");
      return;
    }
    this.#received = frame.number;
    this.#acknowledgeSoon();
    const peer = this.#peer;
    const failures: unknown[] = [];
    for (const record of frame.records) {
      try {
        this.#options.received(record);
      } catch (error) {
        // Those behind it are of other channels as well, and will not come again.
        failures.push(error);
      }
      // What a record leads to may reset the link: the records behind it belong to what is over.
      if (this.#peer !== peer) break;
    }
    if (failures.length > 0) throw failures[0];
  }

  /** Drops what the other end has had. False: it cannot have had so much. */
  #confirm(acknowledged: number): boolean {
    const had = this.#outbox.confirm(acknowledged);
    if (had === null) {
      this.#startAnew();
      return false;
    }
    if (had > 0) this.#progressMs = this.#options.clock.now();
    if (this.#isFull && this.unsentBytes < this.#limits.bytes / 2) {
      this.#isFull = false;
      this.#options.onRoom?.();
    }
    return true;
  }

  #flushSoon(): void {
    if (this.#isFlushing) return;
    this.#isFlushing = true;
    this.#soon(() => {
      this.#isFlushing = false;
      this.#flush();
    });
  }

  #flush(): void {
    if (this.#isUp) this.#sendBatch(this.#outbox.make(this.#received));
  }

  /** One that cannot be sent now goes when the next socket is up. */
  #sendBatch(batch: Uint8Array | null): void {
    if (!batch || !this.#isUp) return;
    this.#put(batch);
    this.#acknowledged = this.#received;
    if (this.#outbox.kept === 1) this.#progressMs = this.#options.clock.now();
    this.#watchSilence();
  }

  #put(batch: Uint8Array): void {
    if (batch.length > LARGE_BYTES) this.#socket?.send(encodeLarge(batch.length));
    this.#socket?.send(batch);
  }

  #acknowledgeSoon(): void {
    if (this.#received - this.#acknowledged >= ACKNOWLEDGE_EVERY) this.#acknowledge();
    this.#cancelAcknowledge ??= this.#options.clock.after(ACKNOWLEDGE_AFTER_MS, () => {
      this.#cancelAcknowledge = null;
      if (this.#received > this.#acknowledged) this.#acknowledge();
    });
  }

  #acknowledge(): void {
    this.#acknowledged = this.#received;
    this.#socket?.send(encodeAcknowledge(this.#received));
  }

  /** Something has to be heard from now on, if a hello or an acknowledgement is due. */
  #watchSilence(): void {
    if (this.#cancelSilence || !this.#isDue) return;
    this.#progressMs = this.#options.clock.now();
    this.#lookForSilence();
  }

  #lookForSilence(): void {
    const { clock } = this.#options;
    this.#cancelSilence = clock.after(this.#silentAtMs - clock.now(), () => {
      this.#cancelSilence = null;
      if (!this.#isDue) return;
      if (clock.now() < this.#silentAtMs) this.#lookForSilence();
      else this.#drop(SILENT, "silent");
    });
  }

  get #silentAtMs(): number {
    const underWayBytes = this.#outbox.oldestBytes + this.#comingBytes;
    const underWayMs = (underWayBytes * 1_000) / LEAST_BYTES_PER_SECOND;
    return this.#progressMs + this.#limits.silentMs + underWayMs;
  }

  get #isDue(): boolean {
    return this.#socket !== null && (!this.#isUp || this.#outbox.kept > 0);
  }

  #limitHolding(): void {
    if (this.#socket || this.#cancelHeld) return;
    if (this.#peer === null && this.unsentBytes === 0) return;
    this.#cancelHeld = this.#options.clock.after(this.#limits.heldMs, () => {
      this.#cancelHeld = null;
      this.#startAnew();
    });
  }

  /** A reset of our own making: the other end learns of it by our new instance. */
  #startAnew(): void {
    this.#instance = this.#options.newInstance();
    this.#peer = null;
    this.#drop(PROTOCOL_ERROR, "reset");
    this.#forget();
  }

  /** Does not wait for the socket's own end: on a dead connection that takes long. */
  #drop(code: number, reason: string): void {
    this.#socket?.close(code, reason);
    this.detached();
  }

  #forget(): void {
    this.#outbox.clear();
    this.#received = 0;
    this.#acknowledged = 0;
    this.#isFull = false;
    this.#cancelHeld?.();
    this.#cancelHeld = null;
    this.#options.onReset();
  }

  #cancel(): void {
    this.#cancelAcknowledge?.();
    this.#cancelAcknowledge = null;
    this.#cancelSilence?.();
    this.#cancelSilence = null;
  }
}

/** Both ends come to the same: each means this instance of the other, or has not met it yet. */
const matches = (hello: Hello, own: { instance: string; peer: string | null }): boolean =>
  (own.peer === null || own.peer === hello.instance) && (hello.peer === null || hello.peer === own.instance);
