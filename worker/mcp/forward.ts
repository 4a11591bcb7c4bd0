/** What of a client's request goes on to the sidecar, and what of the sidecar's answer comes back. */
import type { Identity } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { MCP_HEADERS } from "../../shared/protocol/tools.ts";
import type { TraceHeaders } from "../../shared/trace/tracer.ts";
import { clientNameOf } from "../task-id.ts";

/** Arguments that a server wants to see in headers too. */
const PARAMETER = "mcp-param-";

export function forwardedHeaders(headers: Headers, trace: TraceHeaders | null): Record<string, string> {
  const forwarded: Record<string, string> = { ...trace };
  for (const name of MCP_HEADERS) {
    const value = headers.get(name);
    if (value !== null) forwarded[name] = value;
  }
  for (const [name, value] of headers) if (name.startsWith(PARAMETER)) forwarded[name] = value;
  forwarded["content-type"] = "application/json";
  return forwarded;
}

const RETURNED = [
  ...["content-type", "content-length", "cache-control", "x-accel-buffering", "allow"],
  ...["mcp-session-id", "mcp-protocol-version", "hivegate-cache", "age"],
];

export function returnedHeaders(headers: Headers): Record<string, string> {
  const returned: Record<string, string> = {};
  for (const name of RETURNED) {
    const value = headers.get(name);
    if (value !== null) returned[name] = value;
  }
  return returned;
}

/** The whole body. @throws HivegateError `body_too_large`, `cancelled` when the client goes before it is there */
export function bodyOf(request: Request): Promise<Uint8Array> {
  return wholeBody(request).catch((cause) => {
    throw cause instanceof HivegateError ? cause : new HivegateError("cancelled", undefined, { cause });
  });
}

async function wholeBody(request: Request): Promise<Uint8Array> {
  const declared = request.headers.get("content-length");
  if (declared === null) return request.body ? countedBody(request.body) : new Uint8Array();
  // No more comes than is declared.
  if (!(Number(declared) <= LIMITS.requestBodyBytes)) throw tooLarge();
  return new Uint8Array(await request.arrayBuffer());
}

async function countedBody(body: ReadableStream<Uint8Array>): Promise<Uint8Array> {
  const whole = new Uint8Array(LIMITS.requestBodyBytes);
  let bytes = 0;
  for await (const chunk of body) {
    if (bytes + chunk.length > whole.length) throw tooLarge();
    whole.set(chunk, bytes);
    bytes += chunk.length;
  }
  return whole.subarray(0, bytes);
}

const tooLarge = () =>
  new HivegateError("body_too_large", `Send at most ${LIMITS.requestBodyBytes} bytes in one request.`);

const names = new WeakMap<Identity, Map<string, string>>();

/** `clientNameOf`, made once for each token that is remembered. */
export async function clientOf(hive: string, identity: Identity): Promise<string> {
  const known = names.get(identity)?.get(hive);
  if (known !== undefined) return known;
  const name = await clientNameOf(hive, identity.subject);
  const ofToken = names.get(identity) ?? new Map<string, string>();
  names.set(identity, ofToken.set(hive, name));
  return name;
}
