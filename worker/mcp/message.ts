/** What a client says, as far as it has to be understood on its way through. */
import { HivegateError } from "../../shared/errors.ts";
import { parseJson } from "../../shared/wire/json.ts";

export type McpMessage = {
  /** `answer`: of the client's, to what a server asked it. */
  kind: "request" | "notification" | "answer";
  /** JSON, as the client wrote it; null where there is none. */
  id: string | number | null;
  /** Empty in an answer. */
  method: string;
  params: Readonly<Record<string, unknown>>;
};

const NOTHING: Readonly<Record<string, unknown>> = Object.freeze({});

/**
 * One message. Read by hand: a schema would take a copy of all that is in it.
 * @throws HivegateError `invalid_json`, `invalid_request`
 */
export function parseMessage(bytes: Uint8Array): McpMessage {
  const body = parsed(bytes);
  if (Array.isArray(body)) throw invalid("Send one message at a time.");
  if (!isObject(body) || body.jsonrpc !== "2.0") throw invalid("Send a JSON-RPC 2.0 message.");
  const { id = null, method, params = NOTHING } = body;
  if (id !== null && typeof id !== "string" && !isInteger(id))
    throw invalid("id: expected text or an integer.");
  if (method === undefined && ("result" in body || "error" in body))
    return { kind: "answer", id, method: "", params: NOTHING };
  if (typeof method !== "string") throw invalid("method: expected text.");
  if (!isObject(params)) throw invalid("params: expected an object.");
  if ("id" in body && id === null) throw invalid("id: expected text or an integer.");
  return { kind: "id" in body ? "request" : "notification", id, method, params };
}

/** Requests that are about one thing, and the field of `params` that names it. */
const NAMED_BY: Readonly<Record<string, string>> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
};

/** What a request is about: the name of a tool or prompt, or a URI; null where it is about no such thing. */
export function subjectOf(method: string, params: McpMessage["params"]): string | null {
  const field = Object.hasOwn(NAMED_BY, method) ? NAMED_BY[method] : undefined;
  const name = field === undefined ? undefined : params[field];
  return typeof name === "string" ? name : null;
}

const utf8 = new TextDecoder("utf-8", { fatal: true, ignoreBOM: false });

function parsed(bytes: Uint8Array): unknown {
  try {
    return parseJson(utf8.decode(bytes));
  } catch {
    throw new HivegateError("invalid_json", "Send one JSON-RPC message, not nested too deep.");
  }
}

const isInteger = (value: unknown): value is number => Number.isInteger(value);

const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

const invalid = (message: string) => new HivegateError("invalid_request", message);
