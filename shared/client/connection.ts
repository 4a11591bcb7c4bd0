/**
 * One WebSocket to the gateway, kept up: dialled again with growing, jittered pauses unless the gateway
 * says that it makes no sense, and given up for dead when nothing is heard. Never two at once.
 */
import type { Clock } from "../clock.ts";
import type { HivegateError } from "../errors.ts";
import { type Backoff, backoffMs } from "../pressure/backoff.ts";
import type { GatewayFrame } from "../protocol/gateway.ts";
import { HEARTBEAT } from "../protocol/heartbeat.ts";
import { errorFromAnswer, errorFromClose, isFinalClose } from "./client-errors.ts";
import { readFrame } from "./decode.ts";
import { InOrder, textOf } from "./inflate.ts";
import type { OpenSocket, Socket } from "./web-socket.ts";

/**
 * `waiting` for the next try, and for a fresh token where it needs one; `error` is what the gateway said, if it said
 * anything. `closed` is final: closed by its owner (`error` null) or refused by the gateway.
 */
export type ConnectionState =
  | { name: "connecting" }
  | { name: "open" }
  | Waiting
  | { name: "closed"; error: HivegateError | null };

type Waiting = { name: "waiting"; untilMs: number; error: HivegateError | null };

export type ConnectionOptions = {
  /** Asked at each try: where to go on from, and with which token. */
  address(): { url: string; protocols: string[] };
  /** Sees to another token. False: there is none; it rejects when there is none yet. Null: there never is. */
  replaceToken: (() => Promise<boolean>) | null;
  openSocket: OpenSocket;
  clock: Clock;
  random(): number;
  frame(frame: GatewayFrame): void;
  state(state: ConnectionState): void;
};

const RETRY: Backoff = { firstMs: 500, mostMs: 30_000 };
/** A connection that lived this long was a good one: the next pause is a short one again. */
const GOOD_AFTER_MS = 10_000;
const CONNECT_TIMEOUT_MS = 15_000;
const BEAT_EVERY_MS = 25_000;
const DEAD_AFTER_MS = BEAT_EVERY_MS + 40_000;

export class Connection {
  readonly #options: ConnectionOptions;
  #state: ConnectionState = { name: "closed", error: null };
  #socket: Socket | null = null;
  #cancelTimer: () => void = () => {};
  #attempt = 0;
  #openedMs = 0;
  #heardMs = 0;
  /** Frames in the order in which they came, while one of them is being decompressed. */
  readonly #inOrder = new InOrder();
  /** The error frame that came instead of a welcome. */
  #refusal: HivegateError | null = null;

  constructor(options: ConnectionOptions) {
    this.#options = options;
  }

  get state(): ConnectionState {
    return this.#state;
  }

  /** Connects now. Cuts a pause short; does nothing while a socket is there. */
  dial(): void {
    if (this.#socket) return;
    const { openSocket, address } = this.#options;
    const { url, protocols } = address();
    this.#refusal = null;
    this.#timer(CONNECT_TIMEOUT_MS, () => this.#lost(1006, ""));
    try {
      const socket = openSocket(url, protocols, {
        message: (data) =>
          this.#inOrder.push(
            () => textOf(data),
            (text) => this.#socket === socket && this.#receive(text),
          ),
        close: (code, reason) => this.#socket === socket && this.#lost(code, reason),
      });
      this.#socket = socket;
    } catch {
      // Platforms refuse at once what can never be a WebSocket: its address or its token is malformed.
      this.#cancelTimer();
      this.#enter({ name: "closed", error: errorFromAnswer(400, null) });
      return;
    }
    this.#enter({ name: "connecting" });
  }

  /** False: not connected, nothing was sent. */
  send(frame: object): boolean {
    if (this.#state.name !== "open" || !this.#socket) return false;
    this.#socket.send(JSON.stringify(frame));
    return true;
  }

  /** The network is back: no reason to wait any longer. */
  retryNow(): void {
    if (this.#state.name !== "waiting") return;
    this.#attempt = 0;
    this.#retry(this.#state);
  }

  close(): void {
    if (this.#state.name === "closed") return;
    this.#drop();
    this.#enter({ name: "closed", error: null });
  }

  #receive(text: string): void {
    this.#heardMs = this.#options.clock.now();
    const frame = readFrame(text);
    if (!frame) return;
    if (frame.type === "welcome" && this.#state.name === "connecting") this.#opened();
    // Whoever heard of that may have closed it.
    if (!this.#socket) return;
    if (frame.type === "error" && this.#state.name === "connecting")
      this.#refusal = errorFromAnswer(400, frame);
    else if (frame.type === "probe") this.send({ type: "ack", probe: frame.probe });
    else this.#options.frame(frame);
  }

  #opened(): void {
    this.#openedMs = this.#heardMs;
    this.#timer(BEAT_EVERY_MS, () => this.#beat());
    this.#enter({ name: "open" });
  }

  #beat(): void {
    const silentMs = this.#options.clock.now() - this.#heardMs;
    if (silentMs >= DEAD_AFTER_MS) {
      this.#lost(1006, "");
      return;
    }
    this.#socket?.send(HEARTBEAT);
    this.#timer(Math.min(BEAT_EVERY_MS, DEAD_AFTER_MS - silentMs), () => this.#beat());
  }

  #lost(code: number, reason: string): void {
    const wasGood =
      this.#state.name === "open" && this.#options.clock.now() - this.#openedMs >= GOOD_AFTER_MS;
    this.#drop();
    const isFinal = isFinalClose(code);
    const error = this.#refusal ?? (isFinal ? errorFromClose(code, reason) : null);
    if (isFinal && !(isExpired(error) && this.#options.replaceToken)) {
      this.#enter({ name: "closed", error });
      return;
    }
    if (wasGood) this.#attempt = 0;
    this.#wait(error);
  }

  #wait(error: HivegateError | null): void {
    const { clock, random } = this.#options;
    const delayMs = backoffMs(RETRY, this.#attempt++, random());
    const waiting: Waiting = { name: "waiting", untilMs: clock.now() + delayMs, error };
    this.#timer(delayMs, () => this.#retry(waiting));
    this.#enter(waiting);
  }

  #retry(waiting: Waiting): void {
    if (isExpired(waiting.error)) void this.#comeWithAnother(waiting);
    else this.dial();
  }

  /** Dials once there is another token than the one that has expired. */
  async #comeWithAnother(waiting: Waiting): Promise<void> {
    const isReplaced = await this.#options.replaceToken?.().catch(() => null);
    // Closed, or dialled by somebody else who waited for the same.
    if (this.#state !== waiting) return;
    if (isReplaced) this.dial();
    else if (isReplaced === null) this.#wait(waiting.error);
    else this.#enter({ name: "closed", error: waiting.error });
  }

  #drop(): void {
    const socket = this.#socket;
    this.#socket = null;
    this.#cancelTimer();
    socket?.close();
  }

  #enter(state: ConnectionState): void {
    this.#state = state;
    this.#options.state(state);
  }

  #timer(delayMs: number, then: () => void): void {
    this.#cancelTimer();
    this.#cancelTimer = this.#options.clock.after(delayMs, then);
  }
}

const isExpired = (error: HivegateError | null): boolean => error?.code === "token_expired";
