/** Lists as one client may see them: what it may not use is not in them. */
import { splitQualifiedName } from "../../shared/protocol/qualified-name.ts";
import { type RegistryServer, UNAVAILABLE_META } from "../../shared/protocol/tools.ts";
import type { Access } from "./access.ts";

/** The fields of the answers that hold lists. */
const LISTED: Readonly<Record<string, string>> = {
  "tools/list": "tools",
  "prompts/list": "prompts",
  "resources/list": "resources",
  "resources/templates/list": "resourceTemplates",
};

export const isList = (method: string): boolean => Object.hasOwn(LISTED, method);

type Result = Readonly<Record<string, unknown>>;

/** `server` null: names are qualified. `added`: what the gateway has to offer beside. */
export type Seen = { server: string | null; access: Access; added: readonly object[] };

/** A list's answer as JSON text, without what this client may not use. An error stays as it is. */
export function seenText(text: string, method: string, seen: Seen): string {
  const answer: unknown = text === "" ? null : JSON.parse(text);
  if (!isObject(answer) || !isObject(answer.result)) return text;
  return JSON.stringify({ ...answer, result: seenList(method, answer.result, seen) });
}

export function seenList(method: string, result: Result, { server, access, added }: Seen): Result {
  const field = LISTED[method] ?? "";
  const items = result[field];
  if (!Array.isArray(items)) return result;
  const kept = items.filter((item: unknown) => access.all || isSeen(field, nameOf(item), server, access));
  // What is told to one client is not for all.
  return {
    ...result,
    [field]: [...kept, ...added],
    ...("cacheScope" in result && { cacheScope: "private" }),
    ...(isObject(result._meta) && { _meta: seenMeta(result._meta, access) }),
  };
}

/** Servers that are missing from a list are named to those alone who may use them. */
function seenMeta(meta: Result, access: Access): Result {
  const { [UNAVAILABLE_META]: missing, ...rest } = meta;
  const seen = Array.isArray(missing) ? missing.filter((name) => access.server(String(name))) : [];
  return seen.length > 0 ? { ...rest, [UNAVAILABLE_META]: seen } : rest;
}

const isObject = (value: unknown): value is Result =>
  typeof value === "object" && value !== null && !Array.isArray(value);

function isSeen(field: string, name: string, server: string | null, access: Access): boolean {
  if (field !== "tools" && field !== "prompts") return access.resources(server);
  const place = server === null ? splitQualifiedName(name) : { server, name };
  if (!place) return false;
  return field === "tools" ? access.tool(place.server, place.name) : access.prompt(place.server, place.name);
}

const nameOf = (item: unknown): string =>
  typeof item === "object" && item !== null && "name" in item && typeof item.name === "string"
    ? item.name
    : "";

/** The registry, likewise. */
export const seenServers = (servers: readonly RegistryServer[], access: Access): RegistryServer[] =>
  servers
    .filter(({ name }) => access.server(name))
    .map((server) => ({
      ...server,
      tools: server.tools.filter(({ name }) => access.tool(server.name, name)),
    }));
