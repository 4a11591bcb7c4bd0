/** MCP over TCP: one JSON-RPC message a line. */
import { createServer, type Server, type Socket } from "node:net";
import { z } from "zod";
import { JsonRpcId, JsonRpcRequest, type JsonRpcResponse } from "../../shared/protocol/mcp.ts";
import { LineSplitter, LineTooLong } from "../../shared/wire/lines.ts";
import type { Faults } from "./faults.ts";
import { parseJson } from "./json.ts";
import { DEMO_LIMITS } from "./limits.ts";
import { RPC, type Rpc, rpcError, rpcResult } from "./rpc.ts";
import { sameToken } from "./token.ts";

/** The first line where a token is wanted. Clients that exist leave `jsonrpc` out. */
const Authenticate = z.object({
  method: z.literal("authenticate"),
  params: z.object({ token: z.string() }),
  id: JsonRpcId.default(null),
});

export type McpServerOptions = { rpc: Rpc; token: string | null; faults: Faults | null };

export class McpServer {
  readonly server: Server;
  readonly #connections = new Set<Connection>();

  constructor(options: McpServerOptions) {
    this.server = createServer(
      { noDelay: true, keepAlive: true, keepAliveInitialDelay: 30_000 },
      (socket) => {
        socket.on("error", () => socket.destroy());
        const refusal = this.#whyRefused(options.faults);
        if (refusal !== null) dismiss(socket, { error: refusal });
        else this.#accept(socket, options);
      },
    );
  }

  /** Sends a notification to every connection that may have it. */
  broadcast(notification: string): void {
    for (const connection of this.#connections) connection.notify(notification);
  }

  close(): void {
    this.server.close();
    for (const connection of this.#connections) connection.close();
  }

  #whyRefused(faults: Faults | null): string | null {
    if (faults?.refusing) return "Connection refused for a test";
    return this.#connections.size >= DEMO_LIMITS.connections ? "Too many connections" : null;
  }

  #accept(socket: Socket, options: McpServerOptions): void {
    const connection = new Connection(socket, options);
    this.#connections.add(connection);
    socket.on("close", () => this.#connections.delete(connection));
  }
}

class Connection {
  readonly #socket: Socket;
  readonly #options: McpServerOptions;
  readonly #splitter = new LineSplitter(DEMO_LIMITS.lineBytes);
  #authenticated: boolean;
  /** Keeps lines in order while faults may delay one. */
  #sending: Promise<void> = Promise.resolve();

  constructor(socket: Socket, options: McpServerOptions) {
    this.#socket = socket;
    this.#options = options;
    this.#authenticated = options.token === null;
    socket.on("data", (chunk) => this.#receive(chunk));
    if (this.#authenticated) return;
    const tooLate = setTimeout(() => {
      if (!this.#authenticated) this.#refuseToken(null);
    }, DEMO_LIMITS.authenticateMs);
    socket.on("close", () => clearTimeout(tooLate));
  }

  notify(line: string): void {
    if (this.#authenticated) this.#sendLine(line);
  }

  close(): void {
    this.#socket.destroy();
  }

  #receive(chunk: Buffer): void {
    // Once the connection is dismissed for a line, what comes behind it does not count.
    if (!this.#socket.writable) return;
    try {
      for (const line of this.#splitter.push(chunk)) if (this.#socket.writable) this.#line(line);
    } catch (error) {
      if (!(error instanceof LineTooLong)) throw error;
      dismiss(this.#socket, { error: error.message });
    }
  }

  #line(line: string): void {
    const message = parseJson(line);
    const authenticate = Authenticate.safeParse(message);
    const request = JsonRpcRequest.safeParse(message);
    if (message === undefined) {
      // A browser made to post here would come this far: its body, the lines behind, must not be heard.
      dismiss(this.#socket, rpcError(null, RPC.parse, "A line must be one JSON object."));
    } else if (authenticate.success) {
      this.#authenticate(authenticate.data);
    } else if (!this.#authenticated) {
      this.#refuseToken(null);
    } else if (request.success) {
      void this.#request(request.data);
    } else {
      this.#send(rpcError(null, RPC.invalid, "This is no JSON-RPC 2.0 request."));
    }
  }

  #authenticate({ id, params }: z.infer<typeof Authenticate>): void {
    const { token } = this.#options;
    this.#authenticated = token === null || sameToken(params.token, token);
    if (this.#authenticated) this.#send(rpcResult(id, { authenticated: true }));
    else this.#refuseToken(id);
  }

  async #request(request: JsonRpcRequest): Promise<void> {
    const fate = (await this.#options.faults?.admit(request)) ?? "answer";
    if (fate === "drop") this.close();
    if (fate !== "answer") return;
    const answer = await this.#options.rpc(request);
    if (answer) this.#send(answer);
  }

  #refuseToken(id: JsonRpcResponse["id"]): void {
    dismiss(this.#socket, rpcError(id, RPC.unauthenticated, "Authenticate first, with a valid token."));
  }

  #send(answer: JsonRpcResponse): void {
    this.#sendLine(JSON.stringify(answer));
  }

  #sendLine(line: string): void {
    const { faults } = this.#options;
    if (!this.#socket.writable) return;
    if (faults) this.#sending = this.#sending.then(() => faults.send(this.#socket, line));
    else this.#socket.write(`${line}\n`);
    if (this.#socket.writableLength > DEMO_LIMITS.backlogBytes) this.close();
  }
}

/**
 * One last line, and the end. What still comes in is read until then: closing with bytes unread would reset
 * the connection, and the other side might never see the line.
 */
function dismiss(socket: Socket, last: JsonRpcResponse | { error: string }): void {
  socket.end(`${JSON.stringify(last)}\n`);
  socket.resume();
  setTimeout(() => socket.destroy(), DEMO_LIMITS.dismissMs).unref();
}
