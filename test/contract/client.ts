/** A client of a gateway's sockets as a stranger would write it, who reads compressed frames and may stop reading. */
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { inflateSync } from "node:zlib";
import { WebSocket } from "ws";
import { GatewayFrame, SUBPROTOCOL } from "../../shared/protocol/gateway.ts";

export type FrameOf<Type> = GatewayFrame & { type: Type };

export type ConnectOptions = {
  kind?: "stream" | "relay";
  query?: Record<string, string>;
  /** Null: none is sent. */
  token: string | null;
  /** How the token is sent. */
  as?: "header" | "subprotocol";
};

/** How long a frame may take to come: long enough for a sidecar's stream to be opened anew. */
const WITHIN_MS = 15_000;

/**
 * How long after the last frames the connection may stay open. workerd leaves it open for seconds when a socket was
 * closed by anything but its own message.
 */
const HANG_UP_MS = 100;

export async function connect(gatewayUrl: string, options: ConnectOptions): Promise<Client> {
  const { kind = "stream", query = {}, token, as = "header" } = options;
  const url = `${gatewayUrl.replace("http", "ws")}/v1/hives/default/${kind}?${new URLSearchParams(query)}`;
  const protocols = as === "subprotocol" && token !== null ? [SUBPROTOCOL, token] : [];
  const headers = as === "header" && token !== null ? { authorization: `Bearer ${token}` } : {};
  // A name that the library's types do not know yet.
  const settings = { headers, closeTimeout: HANG_UP_MS };
  const isOpaque = query.mode === "dedicated";
  const client = new Client(new WebSocket(url, protocols, settings), { isOpaque });
  await client.opened;
  return client;
}

export class Client {
  readonly opened: Promise<void>;
  /** Resolves with the close code. */
  readonly closed: Promise<number>;
  /** Every frame so far. */
  readonly seen: GatewayFrame[] = [];
  /** Every message so far, as it came. */
  readonly raw: (string | Buffer)[] = [];
  /** What the orchestrator said, as JSON. */
  readonly rpc: unknown[] = [];
  /** How many frames came compressed. */
  compressed = 0;
  readonly #socket: WebSocket;
  /** Nothing that comes is a frame of the gateway's. */
  readonly #isOpaque: boolean;
  #unread = 0;

  constructor(socket: WebSocket, { isOpaque = false }: { isOpaque?: boolean } = {}) {
    this.#socket = socket;
    this.#isOpaque = isOpaque;
    this.opened = new Promise((resolve, reject) => socket.once("open", resolve).once("error", reject));
    this.closed = new Promise((resolve) => socket.once("close", resolve));
    socket.on("message", (data: Buffer, isBinary) => {
      if (isBinary) this.compressed++;
      this.raw.push(isBinary ? data : data.toString());
      if (this.#isOpaque) return;
      const text = (isBinary ? inflateSync(data) : data).toString();
      const json = JSON.parse(text);
      if (Array.isArray(json) || "jsonrpc" in json) {
        this.rpc.push(json);
        return;
      }
      const frame = GatewayFrame.parse(json);
      this.seen.push(frame);
      if (frame.type === "probe") this.send({ type: "ack", probe: frame.probe });
    });
  }

  /** The subprotocol that the gateway chose. */
  get protocol(): string {
    return this.#socket.protocol;
  }

  send(frame: unknown): void {
    this.sendRaw(JSON.stringify(frame));
  }

  sendRaw(data: string | Uint8Array): void {
    this.#socket.send(data);
  }

  /** Reads no more from the network. */
  pause(): void {
    this.#socket.pause();
  }

  read(): void {
    this.#socket.resume();
  }

  close(code = 1000): void {
    this.#socket.close(code);
  }

  /** The next time that this is so; looked at whenever a message came. */
  until<T>(what: string, find: () => T | undefined): Promise<T> {
    return this.#until(what, find);
  }

  /** The next frame of this type that fits; those before it are passed over. */
  next<Type extends GatewayFrame["type"]>(
    type: Type,
    fits: (frame: FrameOf<Type>) => boolean = () => true,
  ): Promise<FrameOf<Type>> {
    return this.#until(type, () => {
      for (let frame = this.seen[this.#unread]; frame; frame = this.seen[this.#unread]) {
        this.#unread++;
        if (isType(frame, type) && fits(frame)) return frame;
      }
      return undefined;
    });
  }

  /** Its answer to this request: an `error` is one too. */
  ask(frame: { type: string; [field: string]: unknown }): Promise<GatewayFrame> {
    const requestId = randomUUID();
    this.send({ ...frame, requestId });
    const isAnswer = (seen: GatewayFrame) => "requestId" in seen && seen.requestId === requestId;
    return this.#until(`answer to ${frame.type}`, () => this.seen.find(isAnswer));
  }

  async #until<T>(what: string, find: () => T | undefined): Promise<T> {
    const isLate = AbortSignal.timeout(WITHIN_MS);
    for (let found = find(); ; found = find()) {
      if (found !== undefined) return found;
      if (isLate.aborted)
        throw new Error(`no ${what} came; the last: ${JSON.stringify(this.seen.slice(-3))}`);
      await once(this.#socket, "message", { signal: isLate }).catch(() => {});
    }
  }
}

function isType<Type extends GatewayFrame["type"]>(frame: GatewayFrame, type: Type): frame is FrameOf<Type> {
  return frame.type === type;
}
