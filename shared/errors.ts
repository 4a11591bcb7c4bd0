/**
 * The one error vocabulary: every error that leaves Hivegate has a code from this table.
 * `http` is the status of an HTTP answer, `rpc` the JSON-RPC code, `close` the WebSocket close code
 * (4000–4499: reconnecting may help; 4500–4999: it will not), `retryable` whether the same request may
 * succeed later. `advice` is what a client reads when no better words are given: what to do next.
 */
export const ERRORS = {
  invalid_json: row(400, -32700, 4500, false, "Send one JSON object per frame."),
  invalid_request: row(400, -32600, 4500, false, "Correct the request: its shape is wrong."),
  unknown_message: row(400, -32601, 4500, false, "Unknown message format"),
  header_mismatch: row(400, -32020, 4500, false, "Send the MCP headers that say what the body says."),
  frame_too_large: row(413, -32600, 4501, false, "Send a smaller frame."),
  body_too_large: row(413, -32600, 4501, false, "Send a smaller body."),
  unauthorized: row(401, -32001, 4502, false, "Send a valid token: Authorization: Bearer <token>."),
  token_expired: row(401, -32001, 4503, false, "The token has expired. Get a fresh one."),
  keys_unavailable: row(503, -32010, 4005, true, "The keys of tokens cannot be had now. Try again later."),
  forbidden: row(403, -32003, 4504, false, "The token does not allow this."),
  unknown_hive: row(404, -32004, 4505, false, "There is no such hive, or the token does not allow it."),
  unknown_task: row(404, -32004, 4505, false, "There is no such task."),
  unknown_stream: row(404, -32004, 4505, false, "There is no such streamed call, or it ended a while ago."),
  unknown_server: row(404, -32004, 4505, false, "There is no such server, or the token does not allow it."),
  unknown_tool: row(404, -32602, 4505, false, "There is no such tool, or the token does not allow it."),
  unknown_prompt: row(404, -32602, 4505, false, "There is no such prompt, or the token does not allow it."),
  unknown_resource: row(
    404,
    -32602,
    4505,
    false,
    "There is no such resource, or the token does not allow it.",
  ),
  origin_not_allowed: row(
    403,
    -32003,
    4504,
    false,
    "Pages of this origin, or this host name, are not allowed.",
  ),
  not_found: row(404, -32004, 4505, false, "There is nothing at this address."),
  unknown_config: row(404, -32004, 4505, false, "No MCP server is configured under this name."),
  config_invalid: row(422, -32602, 4500, false, "Correct the configuration: nothing of it was applied."),
  precondition_failed: row(412, -32009, 4506, false, "It was changed meanwhile. Read it again, then decide."),
  precondition_required: row(428, -32600, 4500, false, "Say which version you mean: If-Match with its ETag."),
  not_supported: row(409, -32009, 4506, false, "This swarm does not support that."),
  idempotency_conflict: row(409, -32009, 4506, false, "This key was used for another task. Use a new key."),
  cancelled: row(409, -32009, 4506, false, "The call was cancelled."),
  task_ended: row(409, -32009, 4506, false, "The task has already ended."),
  upgrade_required: row(426, -32600, 4500, false, "Open this address as a WebSocket."),
  rate_limited: row(429, -32012, 4001, true, "Too many requests. Wait a moment, then go on."),
  overloaded: row(503, -32012, 4002, true, "A limit is reached. Try again later."),
  slow_consumer: row(503, -32012, 4003, true, "The client reads too slowly. Reconnect."),
  idle: row(408, -32010, 4007, true, "Nothing was heard from the client. Reconnect, and send heartbeats."),
  shutting_down: row(503, -32010, 4004, true, "The service is restarting. Reconnect."),
  sidecar_unreachable: row(502, -32010, 4005, true, "The sidecar does not answer. Check that it runs."),
  sidecar_refused: row(
    502,
    -32010,
    4005,
    false,
    "The sidecar refused the gateway. Check their key and clocks.",
  ),
  timeout: row(504, -32010, 4006, true, "No answer in time. The request may still take effect: look it up."),
  swarm_unavailable: row(503, -32010, 4005, true, "The swarm cannot be reached. Check its container."),
  container_not_allowed: row(403, -32003, 4504, false, "This container is not on the allow list."),
  swarm_failed: row(502, -32011, 4005, false, "The swarm's command failed."),
  mcp_unavailable: row(503, -32010, 4005, true, "The MCP server cannot be reached."),
  mcp_failed: row(502, -32011, 4005, false, "The MCP server answered with an error."),
  circuit_open: row(503, -32010, 4005, true, "This service is failing. It is tried again by itself."),
  internal: row(500, -32603, 4000, true, "Something went wrong here. It has been logged."),
} as const satisfies Record<string, ErrorRow>;

type ErrorRow = { http: number; rpc: number; close: number; retryable: boolean; advice: string };

export type ErrorCode = keyof typeof ERRORS;

export const ERROR_CODES = Object.keys(ERRORS) as [ErrorCode, ...ErrorCode[]];

/** The body of every HTTP error answer, and the payload of an error frame. */
export type ErrorBody = {
  code: ErrorCode;
  message: string;
  retryable: boolean;
  /** Seconds, as in the header `Retry-After`: when it is known how long to wait. */
  retry_after?: number;
};

/**
 * An error that may be shown to a client: `message` says what to do and holds no address, path, key or
 * stack. What really happened goes into `cause`, for the log alone.
 */
export class HivegateError extends Error {
  readonly code: ErrorCode;
  /** How long to wait before the next try; null: nobody can say. */
  readonly retryAfterMs: number | null;

  constructor(code: ErrorCode, message?: string, options?: { cause?: unknown; retryAfterMs?: number }) {
    super(message ?? ERRORS[code].advice, options);
    this.name = "HivegateError";
    this.code = code;
    this.retryAfterMs = options?.retryAfterMs ?? null;
  }

  get httpStatus(): (typeof ERRORS)[ErrorCode]["http"] {
    return ERRORS[this.code].http;
  }

  toBody(): ErrorBody {
    return { code: this.code, message: this.message, ...this.#next() };
  }

  /** The same as the `error` of a JSON-RPC answer. */
  toRpcError(): { code: number; message: string; data: Omit<ErrorBody, "message"> } {
    return { code: ERRORS[this.code].rpc, message: this.message, data: { code: this.code, ...this.#next() } };
  }

  /** Whether, and when, to try again. */
  #next(): Pick<ErrorBody, "retryable" | "retry_after"> {
    const { retryable } = ERRORS[this.code];
    if (this.retryAfterMs === null) return { retryable };
    return { retryable, retry_after: Math.ceil(this.retryAfterMs / 1000) };
  }
}

/** Whether the one who runs the gateway should read of it in the log, with its cause. */
export const isOurFault = (error: HivegateError): boolean => error.httpStatus >= 500;

/** Whatever was thrown, as an error fit for a client: what is not ours becomes `internal`. */
export function asHivegateError(thrown: unknown): HivegateError {
  return thrown instanceof HivegateError
    ? thrown
    : new HivegateError("internal", undefined, { cause: thrown });
}

function row<H extends number>(
  http: H,
  rpc: number,
  close: number,
  retryable: boolean,
  advice: string,
): ErrorRow & { http: H } {
  return { http, rpc, close, retryable, advice };
}
