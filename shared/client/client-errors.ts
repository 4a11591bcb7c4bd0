import { ERROR_CODES, ERRORS, type ErrorCode, HivegateError } from "../errors.ts";

/** The gateway itself gave no answer: no network, a wrong address, or the connection broke. */
export class GatewayUnreachable extends Error {
  constructor(message = "The gateway does not answer. Check the address and that it runs.", cause?: unknown) {
    super(message, { cause });
    this.name = "GatewayUnreachable";
  }
}

/** Whether the same request may succeed when it is sent again. */
export const mayRetry = (thrown: unknown): boolean =>
  thrown instanceof GatewayUnreachable || (thrown instanceof HivegateError && ERRORS[thrown.code].retryable);

/** Whether nobody can say if the request was carried out. */
export const mayHaveTakenEffect = (thrown: unknown): boolean =>
  thrown instanceof GatewayUnreachable || (thrown instanceof HivegateError && thrown.code === "timeout");

/** Whether the request got no answer of the swarm's own side: it never arrived there, or its answer was lost. */
export const isUnanswered = (thrown: unknown): thrown is GatewayUnreachable | HivegateError =>
  thrown instanceof GatewayUnreachable || (thrown instanceof HivegateError && UNANSWERED.has(thrown.code));

const UNANSWERED: ReadonlySet<ErrorCode> = new Set(["timeout", "sidecar_unreachable", "shutting_down"]);

/** What an HTTP error answer says. One that is not ours, from a proxy on the way, is told by its status. */
export function errorFromAnswer(status: number, body: unknown): HivegateError {
  if (isErrorBody(body)) return new HivegateError(body.code, body.message);
  return new HivegateError(CODE_BY_STATUS[status] ?? (status >= 500 ? "internal" : "invalid_request"));
}

/** A tool's server answered with an error of its own, as JSON-RPC has it. */
export class ToolFailed extends Error {
  readonly code: number;
  readonly data: unknown;

  constructor({ code, message, data }: { code: number; message: string; data?: unknown }) {
    super(message);
    this.name = "ToolFailed";
    this.code = code;
    this.data = data;
  }
}

/** What kept a tool from a result: in our words, or in its server's. */
export function errorFromRpc(error: { code: number; message: string; data?: unknown }): Error {
  const body = typeof error.data === "object" ? { ...error.data, message: error.message } : null;
  return isErrorBody(body) ? new HivegateError(body.code, body.message) : new ToolFailed(error);
}

/** What a WebSocket close code of ours says. Several errors share a code: the reason has the words. */
export function errorFromClose(close: number, reason: string): HivegateError {
  const code = ERROR_CODES.find((candidate) => ERRORS[candidate].close === close) ?? "invalid_request";
  return new HivegateError(code, reason || undefined);
}

/** Closed with one of these, a connection is not worth another try. */
export const isFinalClose = (close: number): boolean => close >= 4500 && close <= 4999;

const CODE_BY_STATUS: Record<number, ErrorCode> = {
  401: "unauthorized",
  403: "forbidden",
  404: "not_found",
  413: "body_too_large",
  429: "rate_limited",
  502: "sidecar_unreachable",
  503: "overloaded",
  504: "timeout",
};

const isErrorBody = (body: unknown): body is { code: ErrorCode; message: string } =>
  typeof body === "object" &&
  body !== null &&
  "code" in body &&
  "message" in body &&
  typeof body.code === "string" &&
  Object.hasOwn(ERRORS, body.code) &&
  typeof body.message === "string";
