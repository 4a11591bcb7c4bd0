/** Which of several servers a request is for. */
import { patternOf } from "../../../shared/auth/pattern.ts";
import type { McpRequest } from "../../../shared/protocol/mcp.ts";
import { splitQualifiedName } from "../../../shared/protocol/qualified-name.ts";
import { isRecord } from "../record.ts";
import type { Offer } from "./listing.ts";

/** Resources, as they were last listed; null: not yet. */
export type Candidate = { name: string; offer: Pick<Offer, "resources" | "templates"> | null };

export type ServerRoute = { server: string; request: McpRequest };

/** Whether lists of resources have to be known to tell where the request goes. */
export function isByUri({ method, params }: McpRequest): boolean {
  if (method === "completion/complete") return isRecord(params.ref) && params.ref.type === "ref/resource";
  return BY_URI.has(method);
}

const BY_URI: ReadonlySet<string> = new Set([
  "resources/read",
  "resources/subscribe",
  "resources/unsubscribe",
]);

/** Null: for none of them. `servers` in the order in which they were configured: the first that has a URI is asked for it. */
export function serverRoute(request: McpRequest, servers: readonly Candidate[]): ServerRoute | null {
  const { method, params } = request;
  if (isByUri(request)) {
    const { uri } = method === "completion/complete" && isRecord(params.ref) ? params.ref : params;
    const server = typeof uri === "string" ? serverOfUri(uri, servers) : null;
    return server === null ? null : { server, request };
  }
  const { name } = params;
  if (method === "tools/call" || method === "prompts/get") {
    return routeByName(name, servers, (own) => ({ method, params: { ...params, name: own } }));
  }
  if (method !== "completion/complete" || !isRecord(params.ref)) return null;
  const { ref } = params;
  return routeByName(ref.name, servers, (own) => ({
    method,
    params: { ...params, ref: { ...ref, name: own } },
  }));
}

function routeByName(
  qualified: unknown,
  servers: readonly Candidate[],
  renamed: (name: string) => McpRequest,
): ServerRoute | null {
  const parts = typeof qualified === "string" ? splitQualifiedName(qualified) : null;
  if (!parts || !servers.some(({ name }) => name === parts.server)) return null;
  return { server: parts.server, request: renamed(parts.name) };
}

/** Servers may lead to resources that they do not list; where only one has any at all, it is that one's. */
function serverOfUri(uri: string, servers: readonly Candidate[]): string | null {
  const having = servers.flatMap(({ name, offer }) => (offer ? [{ name, ...offer }] : []));
  const listing = having.find(({ resources }) => resources.some((resource) => resource.uri === uri));
  const making =
    listing ??
    having.find(({ templates }) => templates.some(({ uriTemplate }) => fitsTemplate(uriTemplate, uri)));
  if (making) return making.name;
  const [only, ...others] = having.filter(
    ({ resources, templates }) => resources.length + templates.length > 0,
  );
  return only && others.length === 0 ? only.name : null;
}

/** Whether the template may have made the URI, or is meant itself. Expressions stand for anything: that is enough to route by. */
const fitsTemplate = (template: string, uri: string): boolean =>
  template === uri || patternOf(template.replaceAll(/\{[^{}]*\}/g, "*")).fits(uri);
