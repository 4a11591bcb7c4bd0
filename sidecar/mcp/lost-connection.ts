import { HivegateError } from "../../shared/errors.ts";
import type { McpRequest } from "../../shared/protocol/mcp.ts";
import type { Exchange } from "./upstream.ts";

/** The connection, or the server's session, ended before the answer. */
export class LostConnection extends HivegateError {
  /** Whether the server cannot have begun with the request. */
  readonly wasRefused: boolean;

  constructor(cause: unknown, { wasRefused = false }: { wasRefused?: boolean } = {}) {
    super(
      "mcp_unavailable",
      "The MCP server was lost before it answered. The request may still take effect.",
      { cause },
    );
    this.wasRefused = wasRefused;
  }
}

/** There was no connection yet when the time was up; it goes on being opened. */
export class StillOpening extends HivegateError {
  readonly waitedMs: number;

  constructor(waitedMs: number) {
    super("mcp_unavailable");
    this.waitedMs = waitedMs;
  }
}

/** The request was not sent: this connection makes way for another one, which is to be asked instead. */
export class Superseded extends HivegateError {
  constructor() {
    super("mcp_unavailable");
  }
}

/** Requests that only look. */
const LOOKS = /(^ping|\/list|\/read|\/get|\/discover|^completion\/complete)$/;

/** Whether a request that got no answer may be sent once more. */
export const isSafeToRepeat = (
  { wasRefused }: LostConnection,
  { method }: McpRequest,
  { retryable = false, signal }: Exchange,
): boolean => !signal.aborted && (wasRefused || retryable || LOOKS.test(method));
