/**
 * One MCP server, or several that look like one, as everybody in the sidecar uses it: one process or connection,
 * shared. What differs between transports and between the two eras of the protocol's handshake is behind it.
 */
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import type { Notification } from "./json-rpc-session.ts";

/** `2025`: `initialize`, and the server may ask the client. `2026`: stateless, it answers `input_required` instead. */
export type Era = "2025" | "2026";

/** What a server said of itself when it was connected to. */
export type ServerInfo = {
  era: Era;
  /** The revision that was agreed on, such as `2025-11-25`. */
  protocolVersion: string;
  capabilities: Record<string, unknown>;
  /** Its name and version, as it says; null when it says nothing. */
  serverInfo: Record<string, unknown> | null;
  instructions: string | null;
};

/** What belongs to one request beside the request. */
export type Exchange = {
  /** Who asks: the same for all requests of one client, never for two clients. */
  client: string;
  /** Aborting it tells the server that the answer is no longer wanted; `exchange` then rejects with the reason. */
  signal: AbortSignal;
  /** Including the opening of the connection. Progress starts it anew. The configured time when not given. */
  timeoutMs?: number;
  /** The request may be sent twice, as a tool that only reads, or is idempotent. False when not given. */
  retryable?: boolean;
  /** What the server says of this request before its answer: progress with the client's own token, log lines. */
  onNotification?(notification: Notification): void;
  /**
   * What a 2025 server asks of this client while it works: sampling, elicitation, roots. Without it the server
   * is told that the client offers no such thing.
   */
  onRequest?(request: McpRequest, signal: AbortSignal): Promise<McpAnswer>;
  /** W3C trace context, passed on in `_meta`, and as headers where there are some. */
  trace?: { traceparent: string; tracestate?: string };
};

/** Who waits for a connection, and for how long. */
export type Opening = Pick<Exchange, "signal" | "timeoutMs">;

/** The one server among several that a request is for, and the request as that one calls things. */
export type Route = { upstream: Upstream; request: McpRequest };

export interface Upstream {
  readonly name: string;
  /** How often it was connected to so far: whenever this grows, it may offer something else than before. */
  readonly connections: number;
  /** Whether it is connected to now. Whoever wants something of it connects it, if it can be. */
  readonly isOpen: boolean;
  /**
   * What it says of itself; connects if need be, which goes on when `opening` is over.
   * @throws HivegateError as `exchange`
   */
  info(opening?: Opening): Promise<ServerInfo>;
  /**
   * Of several servers that look like one: where a request goes, in whichever era's words it is; it is then an exchange
   * with that server, as if it had been asked in the first place. Null: it is for all of them, or for none that is known.
   */
  route?(request: McpRequest): Promise<Route | null>;
  /** Of several servers that look like one: those that have a log level to be set. */
  logging?(): readonly Upstream[];
  /**
   * The server's own answer, result or error, word for word. The request is in the words of the server's own era
   * (see `info`). It is sent again, once, only where the connection was lost and sending it twice is safe.
   * @throws HivegateError `mcp_unavailable` (no connection, or lost before the answer), `mcp_failed` (an answer that
   * cannot be read), `timeout`, `circuit_open`, `overloaded`, `shutting_down`
   */
  exchange(request: McpRequest, exchange: Exchange): Promise<McpAnswer>;
  /** Tells the server something that expects no answer. Nothing happens where there is no connection. */
  notify(notification: Notification): void;
  /** `listener` hears what the server says unasked, over every reconnection. Returns how to stop. */
  onNotification(listener: (notification: Notification) => void): () => void;
}
