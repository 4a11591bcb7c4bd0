/** A client's WebSocket as Deno has it, for a Shard that expects what Cloudflare's runtime does by itself. */
import { serialize } from "node:v8";
import { pause, platformClock } from "../../../shared/clock.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { HEARTBEAT, HEARTBEAT_ACK } from "../../../shared/protocol/heartbeat.ts";
import type { ClientSocket, SessionState } from "../../session/session.ts";

/** What Cloudflare takes. There is nothing to store here, but what one host refuses the other has to refuse too. */
const STATE_BYTES = 16_384;

/** How long a client that is sent away may take to read what it was sent before. */
const LAST_READ_MS = 10_000;
/** One that has acknowledged nothing for this long, after all was sent, has read it. */
const SILENCE_MS = 200;

/** What is used of a WebSocket. */
export type OpenSocket = Pick<
  WebSocket,
  "addEventListener" | "binaryType" | "bufferedAmount" | "close" | "send"
>;

export class DenoSocket implements ClientSocket {
  /** Resolves with how the client closed it. */
  readonly closed: Promise<{ code?: number; reason?: string }>;
  readonly #socket: OpenSocket;
  /** When a frame came last; while the socket is being closed, also when something was still to be sent. */
  #busyMs = 0;
  #heartbeatMs: number | null = null;
  #isClosing = false;
  /** Kept here: asking the socket costs as much as a tenth of sending. */
  #isOpen = true;

  /** `isOpaque`: every frame is for whoever is behind it, a heartbeat too. */
  constructor(
    socket: OpenSocket,
    received: (data: string | ArrayBuffer) => void,
    { isOpaque = false }: { isOpaque?: boolean } = {},
  ) {
    this.#socket = socket;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("message", ({ data }) => {
      this.#busyMs = Date.now();
      if (this.#isClosing) return;
      if (data === HEARTBEAT && !isOpaque) this.#answerHeartbeat();
      else received(data);
    });
    this.closed = new Promise((resolve) => {
      socket.addEventListener("close", ({ code, reason }) => {
        this.#isOpen = false;
        resolve({ code, reason });
      });
    });
  }

  send(data: string | Uint8Array<ArrayBuffer>): void {
    if (!this.#isOpen) throw new Error("the socket is closed");
    this.#socket.send(data);
  }

  /**
   * A frame that comes after this makes Deno break off the connection, and nothing that is still on its way arrives.
   * So a client that has much to read, and acknowledges it, hears why it is sent away only when it has read it.
   */
  close(code: number, reason: string): void {
    this.#isClosing = true;
    void this.#hasRead().then(() => this.#socket.close(code, reason));
  }

  save(state: SessionState): void {
    if (serialize(state).byteLength > STATE_BYTES) throw new Error("the session's state is too large");
  }

  backlogBytes(): number {
    return this.#socket.bufferedAmount;
  }

  heartbeatMs(): number | null {
    return this.#heartbeatMs;
  }

  async #hasRead(): Promise<void> {
    if (this.#socket.bufferedAmount === 0) return;
    const untilMs = Date.now() + LAST_READ_MS;
    do {
      if (this.#socket.bufferedAmount > 0) this.#busyMs = Date.now();
      await pause(platformClock, SILENCE_MS / 10);
    } while (Date.now() < Math.min(untilMs, this.#busyMs + SILENCE_MS));
  }

  /** One that does not read gets no answers that would pile up. */
  #answerHeartbeat(): void {
    this.#heartbeatMs = Date.now();
    if (this.backlogBytes() < LIMITS.lateSessionBytes) this.send(HEARTBEAT_ACK);
  }
}
