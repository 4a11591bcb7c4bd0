/**
 * The orchestrator's WebSocket: the same JSON-RPC as over TCP, one message a text frame, on any path. A text
 * frame that is no request, and every binary frame, comes back unchanged: whoever relays frames can see that
 * they arrive whole and in order.
 */
import { createServer, type IncomingMessage, type Server } from "node:http";
import type { Duplex } from "node:stream";
import { type RawData, type WebSocket, WebSocketServer } from "ws";
import { JsonRpcRequest } from "../../shared/protocol/mcp.ts";
import { parseJson } from "./json.ts";
import { DEMO_LIMITS } from "./limits.ts";
import type { Rpc } from "./rpc.ts";
import { sameToken } from "./token.ts";

export class Orchestrator {
  readonly server: Server = createServer((_, response) => response.writeHead(426).end());
  readonly #sockets = new WebSocketServer({
    noServer: true,
    maxPayload: DEMO_LIMITS.lineBytes,
    perMessageDeflate: false,
  });
  readonly #rpc: Rpc;

  constructor(options: { rpc: Rpc; token: string | null }) {
    this.#rpc = options.rpc;
    this.server.maxConnections = DEMO_LIMITS.connections;
    this.server.on("upgrade", (request, socket, head) => {
      const refusal = whyRefused(request, options.token);
      if (refusal) refuseUpgrade(socket, refusal);
      else this.#sockets.handleUpgrade(request, socket, head, (webSocket) => this.#accept(webSocket));
    });
  }

  broadcast(notification: string): void {
    for (const socket of this.#sockets.clients) send(socket, notification, false);
  }

  close(): void {
    this.server.close();
    this.server.closeAllConnections();
    for (const socket of this.#sockets.clients) socket.terminate();
  }

  #accept(socket: WebSocket): void {
    socket.on("error", () => socket.terminate());
    socket.on("message", (data, isBinary) => void this.#receive(socket, data, isBinary));
  }

  async #receive(socket: WebSocket, data: RawData, isBinary: boolean): Promise<void> {
    const request = isBinary ? undefined : JsonRpcRequest.safeParse(parseJson(data.toString())).data;
    if (!request) send(socket, data, isBinary);
    else {
      const answer = await this.#rpc(request);
      if (answer) send(socket, JSON.stringify(answer), false);
    }
  }
}

/** Pages in a browser name their origin; none of them has business with a swarm. */
function whyRefused(request: IncomingMessage, token: string | null): string | null {
  if (request.headers.origin !== undefined) return "403 Forbidden";
  if (token === null) return null;
  const given = /^Bearer (.+)$/.exec(request.headers.authorization ?? "")?.[1];
  return given !== undefined && sameToken(given, token) ? null : "401 Unauthorized";
}

function refuseUpgrade(socket: Duplex, status: string): void {
  socket.on("error", () => socket.destroy());
  socket.end(`HTTP/1.1 ${status}\r\nConnection: close\r\nContent-Length: 0\r\n\r\n`);
}

function send(socket: WebSocket, data: RawData | string, binary: boolean): void {
  socket.send(data, { binary });
  if (socket.bufferedAmount > DEMO_LIMITS.backlogBytes) socket.terminate();
}
