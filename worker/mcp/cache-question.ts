/** Which requests are the same question: what the cache knows them by. */
import type { Identity } from "../../shared/auth/permission.ts";
import { LIMITS } from "../../shared/limits.ts";
import { qualifiedName, splitQualifiedName } from "../../shared/protocol/qualified-name.ts";
import { canonicalJson } from "../../shared/wire/canonical-json.ts";
import { keepingOf, type Target } from "./cache-rules.ts";
import { subjectOf } from "./message.ts";
import type { Known } from "./registry-view.ts";

/** One request as whoever received it knows it, permitted already. */
export type CacheCall = {
  hive: string;
  identity: Pick<Identity, "subject" | "permissions" | "scope" | "role">;
  /** As in the address; null: all servers as one, with qualified names. */
  server: string | null;
  method: string;
  params: Readonly<Record<string, unknown>>;
  /** The revision that the answer has to be in; null: it is not known, and nothing is cached. */
  protocolVersion: string | null;
  /** The client's `Cache-Control`, where it has one. */
  cacheControl: string | null;
};

export type Question = {
  target: Target;
  /** False where it is not known which server answers: not everybody who may ask may see what that one says. */
  shareable: boolean;
  /** Equal questions of anybody have the same key; `own` is that of this client's. */
  key: string;
  own: string;
  /** Of the server's tools, and of the whole registry: an answer holds for them. */
  version: string;
  registry: string;
  /** What figures are kept under: a qualified tool, or a method. */
  label: string;
};

/** What the cache needs to know of a request; null: its answer may not be kept. */
export function questionOf(call: CacheCall, known: Known): Question | null {
  const { hive, identity, method, params, protocolVersion } = call;
  const name = subjectOf(method, params);
  if (name === null || protocolVersion === null) return null;
  const place = placeOf(call.server, name, method);
  const server = typeof place?.server === "string" ? known.servers.get(place.server) : null;
  if (!place || server === undefined) return null;
  const tool = (method === "tools/call" && server?.tools.get(place.name)) || null;
  const target: Target = { method, tool, era: server?.era ?? null };
  if (keepingOf(target) === "never" || !isPlain(params)) return null;
  const said = canonicalJson({ ...params, _meta: tellingMeta(params) });
  if (said.length > LIMITS.cacheKeyChars) return null;
  const key = `${JSON.stringify([hive, call.server, method, protocolVersion])}${said}`;
  return {
    ...{ target, shareable: server !== null, key, own: whoOf(identity) + key },
    version: server?.version ?? known.version,
    registry: known.version,
    label: server && tool ? qualifiedName(server.name, tool.name) : method,
  };
}

/** Whose tools have to be known for it; null: everybody's. */
export function serverAsked({ server, method, params }: CacheCall): string | null {
  const name = subjectOf(method, params);
  return name === null ? server : (placeOf(server, name, method)?.server ?? null);
}

/** Whom a request is for; null: nobody. Which of all servers has a resource is not told apart: `server` is null then. */
function placeOf(
  server: string | null,
  name: string,
  method: string,
): { server: string | null; name: string } | null {
  return server !== null || method === "resources/read" ? { server, name } : splitQualifiedName(name);
}

const PARAMS: ReadonlySet<string> = new Set(["name", "arguments", "uri", "_meta"]);
const CAPABILITIES = "io.modelcontextprotocol/clientCapabilities";
const LOG_LEVEL = "io.modelcontextprotocol/logLevel";
const META: ReadonlySet<string> = new Set([
  ...["progressToken", "traceparent", "tracestate", "baggage"],
  ...["io.modelcontextprotocol/protocolVersion", "io.modelcontextprotocol/clientInfo"],
  ...[CAPABILITIES, LOG_LEVEL],
]);

type Fields = Readonly<Record<string, unknown>>;

/** Whether a request says nothing but what is known not to change its answer, or is part of its key. */
function isPlain(params: Fields): boolean {
  for (const key in params) if (!PARAMS.has(key)) return false;
  for (const key in metaOf(params)) if (!META.has(key)) return false;
  return true;
}

/** What the client can do may change what a server answers, and what it wants to hear what comes before the answer. */
function tellingMeta(params: Fields): Fields {
  const { [CAPABILITIES]: capabilities, [LOG_LEVEL]: logLevel } = metaOf(params);
  return { capabilities, logLevel };
}

const metaOf = ({ _meta: meta }: Fields): Fields => (isFields(meta) ? meta : NOTHING);
const isFields = (value: unknown): value is Fields => typeof value === "object" && value !== null;
const NOTHING: Fields = {};

const names = new WeakMap<CacheCall["identity"], string>();

/** Two tokens of one subject share what is kept only if they allow and show the same. */
function whoOf(identity: CacheCall["identity"]): string {
  let who = names.get(identity);
  if (who === undefined) {
    const { subject, permissions, scope, role = null } = identity;
    who = JSON.stringify([subject, permissions.toSorted(), scope, role]);
    names.set(identity, who);
  }
  return who;
}
