/**
 * `/mcp` and `/mcp/{server}`: who asks may ask, then the message goes on to the sidecar as it came, and the answer comes
 * back as it comes. Everything about the protocol but its headers is the sidecar's.
 */
import type { Context, Hono } from "hono";
import type { Identity } from "../../shared/auth/permission.ts";
import { asHivegateError, HivegateError, isOurFault } from "../../shared/errors.ts";
import type { AppPorts } from "../app.ts";
import { tokenIn } from "../authenticate.ts";
import { type Asked, Exchange } from "./exchange.ts";
import { GatewayTools } from "./gateway-tools.ts";
import { challenge, METADATA_PATHS, resourceMetadata } from "./oauth.ts";
import { checkOrigin, corsHeaders, preflight } from "./origin.ts";
import { refusal } from "./refusal.ts";

export type McpPorts = Pick<AppPorts, "gateway" | "now" | "uuid" | "defer" | "log"> & {
  gatewayTools: GatewayTools;
};

export function mcpPorts(ports: Omit<McpPorts, "gatewayTools">): McpPorts {
  const { gateway, now, uuid, log } = ports;
  const gatewayTools = new GatewayTools({
    ...{ registry: gateway.registry, now, uuid, log },
    sidecar: (hive) => gateway.sidecar(hive),
    health: (hive, clock) => gateway.health(hive, clock),
  });
  return { ...ports, gatewayTools };
}

/** `hiveOf`: which hive a request is about. */
export function mcpRoutes(app: Hono, ports: McpPorts, hiveOf: (c: Context) => string): void {
  const { mcp } = ports.gateway;
  for (const path of METADATA_PATHS) {
    app.get(path, (c) => {
      c.header("access-control-allow-origin", "*");
      return c.json(resourceMetadata(new URL(c.req.url), mcp));
    });
  }
  for (const path of ["/mcp", "/mcp/:server", "/v1/hives/:hive/mcp", "/v1/hives/:hive/mcp/:server"])
    app.all(path, (c) => {
      const server = c.req.param("server") ?? null;
      return answer(ports, { hive: hiveOf(c), server, request: c.req.raw });
    });
}

async function answer(ports: McpPorts, asked: Asked): Promise<Response> {
  const { request } = asked;
  const { mcp } = ports.gateway;
  let cors: Record<string, string> = {};
  const exchange = new Exchange(ports, asked);
  try {
    const origin = checkOrigin(request, mcp);
    if (origin !== null) cors = corsHeaders(origin);
    if (request.method === "OPTIONS" && origin !== null) return preflight(request, origin);
    return withHeaders(await exchange.answer(await identify(request, ports)), cors);
  } catch (thrown) {
    const error = asHivegateError(thrown);
    if (isOurFault(error)) ports.log(`${request.method} MCP`, error);
    exchange.refused(error);
    const asked = challenge(error, request, mcp);
    const headers = { ...cors, ...(asked !== null && { "www-authenticate": asked }) };
    return refusal(error, { id: exchange.id, version: request.headers.get("mcp-protocol-version") }, headers);
  }
}

async function identify({ headers }: Request, { gateway, now }: McpPorts): Promise<Identity> {
  // A token in a WebSocket's subprotocol is no token here: a page of any origin could send it.
  const token = headers.has("authorization") ? tokenIn(headers) : undefined;
  if (!token) throw new HivegateError("unauthorized");
  return gateway.tokens.verify(token, now());
}

function withHeaders(response: Response, headers: Record<string, string>): Response {
  for (const [name, value] of Object.entries(headers)) response.headers.set(name, value);
  return response;
}
