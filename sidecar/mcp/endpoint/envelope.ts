/** What a request of 2026 says about itself: in `_meta`, and again in headers, which have to agree. */

import { isRecord } from "../record.ts";
import type { ClientRequest } from "./json-rpc.ts";
import { headerMismatch, invalidParams, Refused, unsupportedVersion } from "./refused.ts";
import { META, MODERN_VERSION } from "./revisions.ts";
import { isLogLevel } from "./translate/log-level.ts";

export type HeaderOf = (name: string) => string | undefined;

export type Envelope = {
  capabilities: Record<string, unknown>;
  /** The least severe log messages that are wanted; null: none at all. */
  logLevel: string | null;
};

/** Where `Mcp-Name` comes from, for the methods that have to have it. */
const NAMED: Record<string, string> = {
  "tools/call": "name",
  "prompts/get": "name",
  "resources/read": "uri",
};

/** Whether the message says, in the way of 2026, which revision it speaks. */
export const isEnveloped = ({ params }: { params: Record<string, unknown> }): boolean =>
  isRecord(params._meta) && META.version in params._meta;

/** @throws Refused as the revision wants it */
export function checkedEnvelope(request: ClientRequest, header: HeaderOf): Envelope {
  const { _meta: meta } = request.params;
  if (!isRecord(meta)) throw malformed(request, "_meta is missing.");
  const version = meta[META.version];
  if (typeof version !== "string") throw malformed(request, `_meta: ${META.version} is missing.`);
  const capabilities = meta[META.capabilities];
  if (!isRecord(capabilities)) throw malformed(request, `_meta: ${META.capabilities} is missing.`);
  agree(request, "MCP-Protocol-Version", header("mcp-protocol-version"), version);
  if (version !== MODERN_VERSION) throw new Refused(400, unsupportedVersion(version, true), request.id);
  agree(request, "Mcp-Method", header("mcp-method"), request.method);
  const field = NAMED[request.method];
  const name = field === undefined ? undefined : request.params[field];
  if (typeof name === "string") agree(request, "Mcp-Name", decoded(header("mcp-name")), name);
  const level = meta[META.logLevel] ?? null;
  if (level !== null && !isLogLevel(level)) throw malformed(request, `_meta: ${META.logLevel} is none.`);
  return { capabilities, logLevel: level };
}

function agree({ id }: ClientRequest, name: string, said: string | undefined | null, body: string): void {
  if (said === body) return;
  throw new Refused(400, headerMismatch(name, said === undefined), id);
}

const SENTINEL = /^=\?base64\?(.*)\?=$/;
/** `atob` alone would take one without its padding. */
const BASE64 = /^(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?$/;
const utf8 = new TextDecoder("utf-8", { fatal: true });

/** A header's value as its client meant it; null when its encoding is wrong, which agrees with nothing. */
export function decoded(value: string | undefined): string | undefined | null {
  const encoded = value === undefined ? undefined : SENTINEL.exec(value)?.[1];
  if (encoded === undefined) return value;
  if (!BASE64.test(encoded)) return null;
  try {
    return utf8.decode(Uint8Array.from(atob(encoded), (char) => char.charCodeAt(0)));
  } catch {
    return null;
  }
}

const malformed = ({ id }: ClientRequest, message: string): Refused =>
  new Refused(400, invalidParams(message), id);
