/** Refusals in the words of JSON-RPC and of MCP. */
import { ERRORS, type HivegateError } from "../../../shared/errors.ts";
import type { McpAnswer } from "../../../shared/protocol/mcp.ts";
import type { RequestId } from "./json-rpc.ts";
import { LEGACY_VERSIONS, MODERN_VERSION } from "./revisions.ts";

export type RpcError = Extract<McpAnswer, { error: unknown }>["error"];

export const PROTOCOL = {
  parseError: -32700,
  invalidRequest: -32600,
  methodNotFound: -32601,
  invalidParams: -32602,
  headerMismatch: -32020,
  missingCapability: -32021,
  unsupportedVersion: -32022,
  /** Of revisions before 2026: since then it is `invalidParams`. */
  resourceNotFound: -32002,
  /** Of 2025-11-25 alone: since then it is an `input_required`. */
  urlElicitationRequired: -32042,
} as const;

/** Ends a request with this HTTP status and this error. `id` is null where it could not be read. */
export class Refused extends Error {
  readonly status: number;
  readonly error: RpcError;
  readonly id: RequestId | null;

  constructor(status: number, error: RpcError, id?: RequestId | null) {
    super(error.message);
    this.status = status;
    this.error = error;
    this.id = id ?? null;
  }
}

/** An error of our own, as JSON-RPC says it. */
export const rpcErrorOf = (error: HivegateError): RpcError => ({
  code: ERRORS[error.code].rpc,
  message: error.message,
  data: { code: error.code, retryable: ERRORS[error.code].retryable },
});

export const methodNotFound = (method: string): RpcError => ({
  code: PROTOCOL.methodNotFound,
  message: `Method not found: ${method}`,
});

export const invalidParams = (message: string): RpcError => ({ code: PROTOCOL.invalidParams, message });

export const headerMismatch = (name: string, isMissing: boolean): RpcError => ({
  code: PROTOCOL.headerMismatch,
  message: `Header mismatch: ${name} ${isMissing ? "is missing" : "does not say what the body says"}.`,
});

/** `isModern`: whoever asks in the way of 2026 is told of the revisions that are spoken in that way. */
export const unsupportedVersion = (requested: string, isModern: boolean): RpcError => ({
  code: PROTOCOL.unsupportedVersion,
  message: "This protocol version is not spoken here.",
  data: { supported: isModern ? [MODERN_VERSION] : [MODERN_VERSION, ...LEGACY_VERSIONS], requested },
});

const STATUS: Record<number, number> = {
  [PROTOCOL.methodNotFound]: 404,
  [PROTOCOL.headerMismatch]: 400,
  [PROTOCOL.missingCapability]: 400,
  [PROTOCOL.unsupportedVersion]: 400,
};

/** The status with which 2026 wants this answer to `method`: mostly 200, because the request itself was taken. */
export function modernStatus(method: string, answer: McpAnswer): number {
  if (!("error" in answer)) return 200;
  // Some servers say so of a tool that they do not have: it is no method that is missing.
  if (method === "tools/call" && answer.error.code === PROTOCOL.methodNotFound) return 200;
  return STATUS[answer.error.code] ?? 200;
}
