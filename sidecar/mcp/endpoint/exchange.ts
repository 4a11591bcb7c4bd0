/** The way from a request to the server that it is for. */
import { asHivegateError, isOurFault } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import type { Exchange, Route, ServerInfo, Upstream } from "../upstream.ts";
import type { Incoming, Shared } from "./ports.ts";
import { rpcErrorOf } from "./refused.ts";

/** What of an exchange is not the same for every request of one HTTP request. */
export type Part = Pick<Exchange, "signal" | "onNotification" | "onRequest">;

export type Destination = Route & { info: ServerInfo };

/** The one server that the request goes to, and the request as that one calls things. @throws as `Upstream.info` */
export async function routeOf({ upstream, head }: Incoming, request: McpRequest): Promise<Route> {
  const route = upstream.route ? await upstream.route(request) : null;
  if (!route) return { upstream, request };
  head.answeredBy = route.upstream.name;
  return route;
}

/** The same with what that server says of itself, connected to and told how much to log. @throws likewise */
export async function destinationOf(
  { logLevels }: Shared,
  incoming: Incoming,
  request: McpRequest,
  signal: AbortSignal,
): Promise<Destination> {
  const route = await routeOf(incoming, request);
  const info = await route.upstream.info({ signal, timeoutMs: LIMITS.mcpExchangeMs });
  const renewing = logLevels.renewed(route.upstream, info, incoming.client);
  if (renewing) await renewing;
  return { ...route, info };
}

/** What the server answers, or what went wrong instead. */
export async function exchanged(
  { ports }: Shared,
  { client, trace, join, head }: Incoming,
  { upstream, request }: Route,
  part: Part,
): Promise<McpAnswer> {
  const { joined, log } = ports;
  const retryable = ports.mayRepeat?.(upstream.name, request) ?? false;
  const exchange: Exchange = { client, retryable, ...part, ...(trace && { trace }) };
  try {
    if (join === null || !joined) return await upstream.exchange(request, exchange);
    const send = (...args: Parameters<Upstream["exchange"]>) => upstream.exchange(...args);
    const { answer, isJoined } = await joined.exchange(send, request, exchange, `${upstream.name} ${join}`);
    head.isJoined = isJoined;
    return answer;
  } catch (thrown) {
    return failure(thrown, log);
  }
}

/** An error of ours as an answer. What nobody foresaw is logged. */
export function failure(thrown: unknown, log: Shared["ports"]["log"]): McpAnswer {
  const error = asHivegateError(thrown);
  if (error.code === "internal" && isOurFault(error)) log.warn({ err: thrown }, "an MCP request failed");
  return { error: rpcErrorOf(error) };
}
