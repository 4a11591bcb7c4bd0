/** JSON-RPC as it comes in one HTTP body and goes out as text. Only the envelope is looked at: payloads are the servers'. */
import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import { parseJson } from "../../../shared/wire/json.ts";
import type { Notification, Params } from "../json-rpc-session.ts";
import { isRecord } from "../record.ts";
import { PROTOCOL, Refused } from "./refused.ts";

export type RequestId = string | number;

export type ClientRequest = McpRequest & { id: RequestId };

export type Message =
  | { kind: "request"; request: ClientRequest }
  | { kind: "notification"; notification: Notification }
  | { kind: "answer"; id: RequestId; answer: McpAnswer };

const utf8 = new TextDecoder("utf-8", { fatal: true });

/** @throws Refused when it is not exactly one message */
export function parseMessage(body: Uint8Array): Message {
  const message = jsonOf(body);
  if (Array.isArray(message)) throw invalid("Send one message per request: batches are not taken here.");
  if (!isRecord(message)) throw invalid("Send one JSON-RPC message as the body.");
  const { id, method } = message;
  if (id !== undefined && !isRequestId(id)) throw invalid("id: expected a string or an integer.");
  if (message.jsonrpc !== "2.0") throw invalid('jsonrpc: expected "2.0".', id);
  if (method === undefined) return answerOf(message, id);
  if (typeof method !== "string") throw invalid("method: expected a string.", id);
  const params = paramsOf(message.params, id);
  if (id === undefined) return { kind: "notification", notification: { method, params } };
  return { kind: "request", request: { id, method, params } };
}

function paramsOf(params: unknown, id: RequestId | undefined): Params {
  if (params === undefined) return {};
  if (isRecord(params)) return params;
  throw new Refused(400, { code: PROTOCOL.invalidParams, message: "params: expected an object." }, id);
}

function answerOf({ result, error }: Record<string, unknown>, id: RequestId | undefined): Message {
  if (id === undefined) throw invalid("Expected a method, or the id of what is answered.");
  if (isRecord(result)) return { kind: "answer", id, answer: { result } };
  if (isRecord(error) && typeof error.code === "number" && typeof error.message === "string") {
    const { code, message, data } = error;
    return { kind: "answer", id, answer: { error: { code, message, ...(data !== undefined && { data }) } } };
  }
  throw invalid("Expected a result or an error.", id);
}

function jsonOf(body: Uint8Array): unknown {
  try {
    return parseJson(utf8.decode(body));
  } catch {
    throw new Refused(400, {
      code: PROTOCOL.parseError,
      message: "The body is not JSON, or nested too deep.",
    });
  }
}

const isRequestId = (id: unknown): id is RequestId => typeof id === "string" || Number.isInteger(id);

const invalid = (message: string, id?: RequestId): Refused =>
  new Refused(400, { code: PROTOCOL.invalidRequest, message }, id);

export const answerText = (id: RequestId | null, answer: McpAnswer): string =>
  "result" in answer
    ? `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"result":${JSON.stringify(answer.result)}}`
    : `{"jsonrpc":"2.0","id":${JSON.stringify(id)},"error":${JSON.stringify(answer.error)}}`;

export const notificationText = ({ method, params }: Notification): string =>
  JSON.stringify({ jsonrpc: "2.0", method, params });

export const requestText = (id: string, { method, params }: McpRequest): string =>
  JSON.stringify({ jsonrpc: "2.0", id, method, params });
