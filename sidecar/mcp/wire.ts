/** A way to one MCP server that carries JSON-RPC messages, whatever it is made of: a socket, a process, HTTP. */
import type { HivegateError } from "../../shared/errors.ts";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";

export type OutgoingRequest = {
  jsonrpc: "2.0";
  id: string;
  method: string;
  params: Record<string, unknown>;
};
export type OutgoingNotification = { jsonrpc: "2.0"; method: string; params?: Record<string, unknown> };
export type OutgoingAnswer = { jsonrpc: "2.0"; id: string | number } & McpAnswer;
export type Outgoing = OutgoingRequest | OutgoingNotification | OutgoingAnswer;

export interface Wire {
  /** False once the other side hung up, even if that has not been told yet. */
  readonly isOpen: boolean;
  /** Bytes accepted from us and not yet taken by the other side. */
  readonly unsentBytes: number;
  /** Set on wires that outlive the server's process: whether one that was started anew would not know us. */
  readonly hasSession?: boolean;
  send(message: Outgoing): void;
  /** The protocol's revision that was agreed on, for wires that say it with each message. */
  agreed?(protocolVersion: string): void;
  /** Nobody waits for the answer to this request any more, for wires that keep something open for it. */
  abandon?(id: string): void;
  /** Resolves when nothing is left of it, processes included. Never rejects. */
  close(): Promise<void>;
}

export type WireEvents = {
  /**
   * What the server said, parsed; undefined when that was no JSON. `stream` is the id of the request in whose answer's
   * stream it was said, on wires that have one for each.
   */
  onMessage(message: unknown, stream?: string): void;
  /** This request will not be answered, though the wire is still open. */
  onLost(id: string, why: HivegateError): void;
  /** Called once when an open wire is lost or closed; `cause` is null when nothing went wrong. */
  onClose(cause: Error | null): void;
};

/** Rejects with whatever went wrong, for the log. `signal` closes the wire, open or not. */
export type OpenWire = (events: WireEvents, signal: AbortSignal, timeoutMs: number) => Promise<Wire>;
