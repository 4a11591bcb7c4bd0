import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { TCP_PROTOCOL_VERSION } from "../../shared/protocol/mcp.ts";
import type { Logger } from "../log.ts";
import { JsonRpcSession, type Notification, type Params } from "./json-rpc-session.ts";
import { type LineSocket, openLineSocket } from "./line-socket.ts";

/** As much of the answer to `initialize` as is of use. */
const Welcome = z.object({ capabilities: z.record(z.string(), z.unknown()).optional() });

export type LinkOptions = {
  /** The server's name, for the log. */
  name: string;
  host: string;
  port: number;
  /** Sent in an `authenticate` line before anything else; null where the server wants none. */
  token: string | null;
  /** For each step: the TCP connection, `authenticate`, `initialize`. */
  connectTimeoutMs: number;
  newId: () => string;
  /** Ends the link at any time, the opening included. */
  signal: AbortSignal;
  log: Logger;
  onNotification(notification: Notification): void;
  /** Called once when an open link is over, for whatever reason. */
  onOver(link: McpLink): void;
};

/** So many timeouts one after the other, with not a line from the server in between: it is taken for dead. */
const SILENT_ROUNDS = 3;

/**
 * One TCP connection to one MCP server, from its opening to its end: the handshake, the answers, the
 * timeouts. When it is over it stays over; `McpConnection` opens the next one.
 */
export class McpLink {
  readonly #options: LinkOptions;
  readonly #session: JsonRpcSession;
  #socket: LineSocket | null = null;
  #silentRounds = 0;

  /** @throws whatever went wrong, for the log: an error of the system's or a HivegateError */
  static async open(options: LinkOptions): Promise<McpLink> {
    const link = new McpLink(options);
    link.#socket = await openLineSocket({
      host: options.host,
      port: options.port,
      connectTimeoutMs: options.connectTimeoutMs,
      signal: options.signal,
      lineBytes: LIMITS.mcpLineBytes,
      onLine: (line) => link.#received(line),
      onClose: (cause) => link.#over(cause),
    });
    try {
      await link.#shakeHands();
      // A server may greet and refuse in one breath.
      if (!link.isOpen) throw new HivegateError("mcp_unavailable");
    } catch (error) {
      link.#socket.close();
      throw error;
    }
    return link;
  }

  #capabilities: Record<string, unknown> | null = null;

  private constructor(options: LinkOptions) {
    this.#options = options;
    this.#session = new JsonRpcSession(options.newId);
  }

  get isOpen(): boolean {
    return this.#socket?.isOpen ?? false;
  }

  /** What the server said of itself when it was connected to; null when it said nothing of the kind. */
  get capabilities(): Record<string, unknown> | null {
    return this.#capabilities;
  }

  get counters(): { unknownIds: number; strangeLines: number } {
    return { unknownIds: this.#session.unknownIds, strangeLines: this.#session.strangeLines };
  }

  /** @throws HivegateError `mcp_failed`, `mcp_unavailable`, `timeout`, `overloaded` */
  async request(method: string, params: Params, timeoutMs: number): Promise<unknown> {
    const socket = this.#socket;
    if (!socket?.isOpen) throw new HivegateError("mcp_unavailable");
    // A server that does not read must not make us hold what it leaves.
    if (socket.unsentBytes > LIMITS.mcpUnsentBytes) throw new HivegateError("overloaded");

    const round = this.#silentRounds;
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    const { id, line } = this.#session.ask(method, params, { resolve, reject });
    const timer = setTimeout(() => {
      this.#session.forget(id);
      reject(new HivegateError("timeout"));
      this.#heardNothing(round);
    }, timeoutMs);
    socket.send(line);
    try {
      return await promise;
    } finally {
      clearTimeout(timer);
    }
  }

  /** Fails what waits for an answer with `reason`, and hangs up. */
  close(reason: HivegateError): void {
    this.#session.failAll(reason);
    this.#socket?.close();
  }

  async #shakeHands(): Promise<void> {
    const { token, connectTimeoutMs } = this.#options;
    if (token !== null) await this.request("authenticate", { token }, connectTimeoutMs);
    const client = {
      protocolVersion: TCP_PROTOCOL_VERSION,
      capabilities: {},
      clientInfo: { name: "hivegate", version: "0.1.0" },
    };
    const welcome = await this.request("initialize", client, connectTimeoutMs);
    this.#capabilities = Welcome.safeParse(welcome).data?.capabilities ?? null;
    this.#socket?.send(this.#session.notify("notifications/initialized"));
  }

  #received(line: string): void {
    this.#silentRounds = 0;
    const received = this.#session.receive(line);
    switch (received.kind) {
      case "notification":
        this.#options.onNotification(received.notification);
        break;
      case "reply":
        this.#reply(received.line);
        break;
      case "refused":
        this.#warn("the MCP server refused the connection", { reason: received.reason });
        this.#socket?.close();
        break;
    }
  }

  /** A server that asks without reading the answers must not make us hold them. */
  #reply(line: string): void {
    const socket = this.#socket;
    if (!socket) return;
    if (socket.unsentBytes <= LIMITS.mcpUnsentBytes) {
      socket.send(line);
      return;
    }
    this.#warn("the MCP server asks and does not read the answers: its connection is closed");
    socket.close();
  }

  /** Calls of one round that end together are one sign of silence, not many. */
  #heardNothing(round: number): void {
    if (round !== this.#silentRounds) return;
    this.#silentRounds++;
    if (this.#silentRounds < SILENT_ROUNDS) return;
    this.#warn("the MCP server answers nothing: its connection is closed");
    this.#socket?.close();
  }

  #over(cause: Error | null): void {
    this.#session.failAll(
      new HivegateError(
        "mcp_unavailable",
        "The MCP server was lost before it answered. The request may still take effect.",
        { cause },
      ),
    );
    this.#options.onOver(this);
  }

  #warn(message: string, details: object = {}): void {
    this.#options.log.warn({ server: this.#options.name, ...details }, message);
  }
}
