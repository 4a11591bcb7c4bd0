import { once } from "node:events";
import type { IncomingMessage } from "node:http";
import type { Duplex } from "node:stream";
import { type WebSocket, WebSocketServer } from "ws";
import { type Clock, pause } from "../../shared/clock.ts";
import { asHivegateError, ERRORS, HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { LINK_PATH, LinkId } from "../../shared/relay/records.ts";
import type { Logger } from "../log.ts";
import { withinMs } from "../swarm/tasks-deadline.ts";
import type { RelayAudit } from "./audit.ts";
import type { RelayMetrics } from "./metrics.ts";
import type { Orchestrators } from "./orchestrators.ts";
import { RelayLink } from "./relay-link.ts";

export type RelayServerOptions = {
  orchestrators: Orchestrators;
  /** @throws HivegateError when the gateway did not sign this */
  checkUpgrade(request: IncomingMessage): Promise<void>;
  clock: Clock;
  metrics: RelayMetrics;
  audit: RelayAudit;
  log: Logger;
};

/** The gateway has to be heard of within twice this: its platform answers pings by itself. */
const PING_MS = 30_000;
/** How long the gateway may take to close a link as well. */
const CLOSE_WITHIN_MS = 200;
/** How long it may take to hear why an upgrade was refused. */
const REFUSED_WITHIN_MS = 1_000;
/** How often it is looked whether all is answered when the sidecar stops. */
const LOOK_EVERY_MS = 20;

/** The links of the gateway's relay objects, one WebSocket each. */
export class RelayServer {
  readonly #options: RelayServerOptions;
  readonly #links = new Map<string, RelayLink>();
  readonly #sockets = new WebSocketServer({
    noServer: true,
    perMessageDeflate: false,
    maxPayload: LIMITS.relayLinkBytes,
  });
  readonly #total = { bytes: 0, limitBytes: LIMITS.relaySidecarHeldBytes };
  #isClosing = false;

  constructor(options: RelayServerOptions) {
    this.#options = options;
  }

  /** Takes an HTTP upgrade, whatever it asks for. */
  async upgrade(request: IncomingMessage, socket: Duplex, head: Buffer): Promise<void> {
    socket.on("error", () => socket.destroy());
    try {
      await this.#options.checkUpgrade(request);
      const id = this.#linkIdOf(request);
      this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#attach(id, webSocket));
    } catch (thrown) {
      const error = asHivegateError(thrown);
      if (error.code === "internal") this.#options.log.error({ err: thrown }, "an upgrade failed");
      refuse(socket, error);
    }
  }

  /**
   * Says goodbye: no new sessions, dedicated ones end, what was asked may be answered for a moment; then everything
   * ends with a code that says "come back".
   */
  async close(): Promise<void> {
    this.#isClosing = true;
    const { orchestrators, clock, audit } = this.#options;
    for (const link of this.#links.values()) link.goAway();
    const untilMs = clock.now() + LIMITS.relayGoodbyeMs;
    while (orchestrators.pending > 0 && clock.now() < untilMs) await pause(clock, LOOK_EVERY_MS);
    // Whoever still waits is told so before its link ends.
    orchestrators.close();
    for (const link of this.#links.values()) link.close();
    const closed = [...this.#sockets.clients].map((socket) => once(socket, "close"));
    await Promise.all([withinMs(Promise.all(closed), CLOSE_WITHIN_MS, []), audit.close()]);
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  /** @throws HivegateError */
  #linkIdOf({ url = "" }: IncomingMessage): string {
    const { pathname, searchParams } = new URL(url, "http://sidecar");
    if (pathname !== LINK_PATH) throw new HivegateError("not_found");
    const id = LinkId.safeParse(searchParams.get("link"));
    if (!id.success) throw new HivegateError("invalid_request", "link: expected an id.");
    if (this.#isClosing) throw new HivegateError("shutting_down");
    if (!this.#links.has(id.data) && this.#links.size >= LIMITS.relayLinks) this.#makeRoom();
    return id.data;
  }

  /** A gateway that was restarted does not come back to its links. @throws HivegateError `overloaded` */
  #makeRoom(): void {
    const downs = [...this.#links.values()].filter((link) => link.downSinceMs !== null);
    const [longest] = downs.toSorted((a, b) => (a.downSinceMs ?? 0) - (b.downSinceMs ?? 0));
    if (!longest) throw new HivegateError("overloaded");
    longest.abandon();
  }

  #attach(id: string, webSocket: WebSocket): void {
    const link = this.#links.get(id) ?? this.#newLink(id);
    const socket = {
      send: (bytes: Uint8Array) => webSocket.send(bytes, { binary: true }),
      close: (code: number, reason: string) => webSocket.close(code, reason),
    };
    const stopPings = keepAlive(webSocket);
    webSocket.on("message", (data, isBinary) => {
      if (isBinary && data instanceof Buffer) link.receive(data, socket);
      else webSocket.close(1003, "binary messages were expected");
    });
    webSocket.on("error", () => webSocket.terminate());
    webSocket.on("close", () => {
      stopPings();
      link.detached(socket);
    });
    link.attach(socket);
  }

  #newLink(id: string): RelayLink {
    const { metrics } = this.#options;
    const link = new RelayLink({
      ...this.#options,
      total: this.#total,
      onAbandoned: (abandoned) => {
        if (this.#links.get(id) !== abandoned) return;
        this.#links.delete(id);
        metrics.links--;
      },
    });
    this.#links.set(id, link);
    metrics.links++;
    return link;
  }
}

/** Ends a socket whose other end does not answer. The answer calls it off. */
function keepAlive(webSocket: WebSocket): () => void {
  let isAlive = true;
  webSocket.on("pong", () => {
    isAlive = true;
  });
  const timer = setInterval(() => {
    if (!isAlive) webSocket.terminate();
    isAlive = false;
    if (webSocket.readyState === webSocket.OPEN) webSocket.ping();
  }, PING_MS);
  return () => clearInterval(timer);
}

function refuse(socket: Duplex, error: HivegateError): void {
  const body = JSON.stringify(error.toBody());
  const { http } = ERRORS[error.code];
  const head = [
    `HTTP/1.1 ${http} ${error.code}`,
    "Connection: close",
    "Content-Type: application/json",
    `Content-Length: ${Buffer.byteLength(body)}`,
  ];
  // Nobody reads this socket any more: left alone it would stay half open for as long as the other side likes.
  const timer = setTimeout(() => socket.destroy(), REFUSED_WITHIN_MS);
  socket.once("close", () => clearTimeout(timer)).once("finish", () => socket.destroy());
  socket.end(`${head.join("\r\n")}\r\n\r\n${body}`);
}
