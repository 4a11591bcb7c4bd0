import type { Socket } from "node:net";
import { type RawData, WebSocket } from "ws";
import { LIMITS } from "../../shared/limits.ts";

export type OrchestratorSocketOptions = {
  url: string;
  /** Sent as `Authorization: Bearer`; null where the orchestrator wants none. */
  token: string | null;
  connectTimeoutMs: number;
  /** A ping goes out this often; an orchestrator that says nothing until the next one is taken for dead. */
  heartbeatMs: number;
  onOpen(): void;
  /** A binary message is the listener's to keep. */
  onMessage(data: string | Uint8Array): void;
  /** What was not taken before has been taken. */
  onRoom?(): void;
  /** Called once, were it never open; 1006 when there was no closing handshake. */
  onClose(code: number, reason: string, error: Error | null): void;
};

/** What its users need of an open socket. */
export type OpenSocket = Pick<
  OrchestratorSocket,
  "isOpen" | "isStuffed" | "send" | "pause" | "resume" | "close"
>;

/** What may wait in the socket and still counts as taken: it goes out within the turn. */
const TAKEN_BYTES = 256 * 1024;
/** How long the other side may take to close as well. */
const CLOSE_WITHIN_MS = 1_000;
const CLOSE_REASON_BYTES = 123;

/** One WebSocket to one orchestrator, from its opening to its end. */
export class OrchestratorSocket {
  readonly #options: OrchestratorSocketOptions;
  readonly #socket: WebSocket;
  #tcp: Socket | null = null;
  #isCorked = false;
  #isAlive = true;
  #heartbeat: NodeJS.Timeout | undefined;

  constructor(options: OrchestratorSocketOptions) {
    this.#options = options;
    const { url, token, connectTimeoutMs } = options;
    const socket = new WebSocket(url, {
      handshakeTimeout: connectTimeoutMs,
      maxPayload: LIMITS.relayMessageBytes,
      perMessageDeflate: false,
      followRedirects: false,
      ...(token !== null && { headers: { authorization: `Bearer ${token}` } }),
    });
    this.#socket = socket;
    socket.on("upgrade", (response) => {
      this.#tcp = response.socket;
    });
    socket.on("open", () => {
      this.#heartbeat = setInterval(() => this.#beat(), options.heartbeatMs);
      options.onOpen();
    });
    socket.on("message", (data, isBinary) => {
      this.#isAlive = true;
      options.onMessage(isBinary ? bytesOf(data) : String(data));
    });
    for (const sign of ["ping", "pong"] as const) {
      socket.on(sign, () => {
        this.#isAlive = true;
      });
    }
    let error: Error | null = null;
    socket.on("error", (thrown) => {
      error = thrown;
    });
    socket.on("close", (code, reason) => {
      clearInterval(this.#heartbeat);
      options.onClose(code, String(reason), error);
    });
  }

  get isOpen(): boolean {
    return this.#socket.readyState === WebSocket.OPEN;
  }

  /** It has more to take than it should: nothing more is sent until `onRoom`. */
  get isStuffed(): boolean {
    return this.#socket.bufferedAmount > LIMITS.orchestratorUnsentBytes;
  }

  /** Sends to an open socket. `taken` is called once the system has the message, or will within the turn. */
  send(data: string | Uint8Array, taken: () => void): void {
    this.#cork();
    const isBinary = typeof data !== "string";
    if (this.#socket.bufferedAmount <= TAKEN_BYTES) {
      this.#socket.send(data, { binary: isBinary });
      taken();
      return;
    }
    this.#socket.send(data, { binary: isBinary }, () => {
      taken();
      if (!this.isStuffed) this.#options.onRoom?.();
    });
  }

  /** What comes waits at the orchestrator, but for what is here already. */
  pause(): void {
    this.#socket.pause();
  }

  resume(): void {
    this.#socket.resume();
  }

  close(code: number, reason = ""): void {
    this.#socket.resume();
    if (this.#socket.readyState !== WebSocket.OPEN) {
      this.#socket.terminate();
      return;
    }
    this.#socket.close(code, closeReason(reason));
    setTimeout(() => this.#socket.terminate(), CLOSE_WITHIN_MS).unref();
  }

  /** All messages of one turn go out in one system call. */
  #cork(): void {
    const tcp = this.#tcp;
    if (!tcp || this.#isCorked) return;
    this.#isCorked = true;
    tcp.cork();
    setImmediate(() => {
      this.#isCorked = false;
      tcp.uncork();
    });
  }

  #beat(): void {
    // One that was told to wait cannot be heard.
    if (!this.#isAlive && !this.#socket.isPaused) {
      this.#socket.terminate();
      return;
    }
    this.#isAlive = false;
    this.#socket.ping();
  }
}

/** As much of it as a close may say. */
function closeReason(reason: string): string {
  let fitting = reason.slice(0, CLOSE_REASON_BYTES);
  while (Buffer.byteLength(fitting) > CLOSE_REASON_BYTES) fitting = fitting.slice(0, -1);
  return fitting;
}

function bytesOf(data: RawData): Uint8Array {
  if (Array.isArray(data)) return Buffer.concat(data);
  return data instanceof ArrayBuffer ? new Uint8Array(data) : data;
}
