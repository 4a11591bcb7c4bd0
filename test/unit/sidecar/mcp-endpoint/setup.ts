/** The endpoint over a server that the test plays, and its two kinds of clients, without a network. */
import { Hono } from "hono";
import type { Signed } from "../../../../sidecar/http/authenticate.ts";
import { type McpEndpoint, mcpEndpoint, mcpRoutes } from "../../../../sidecar/mcp/endpoint/endpoint.ts";
import type { EndpointPorts } from "../../../../sidecar/mcp/endpoint/ports.ts";
import type { FakeUpstream } from "../../../support/fake-upstream.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

export type Setup = {
  app: Hono<Signed>;
  clock: ManualClock;
  endpoint: McpEndpoint;
  warnings: unknown[];
};

export function setUp(upstream: FakeUpstream, ports: Partial<EndpointPorts> = {}): Setup {
  const clock = new ManualClock();
  const warnings: unknown[] = [];
  let ids = 0;
  const endpoint = mcpEndpoint({
    upstream: (name) => (name === "one" || name === null ? upstream : null),
    registryVersion: () => "7",
    clock,
    uuid: () => `id-${++ids}`,
    log: { warn: (entry: unknown) => void warnings.push(entry) },
    ...ports,
  });
  const app = new Hono<Signed>();
  app.use(async (c, next) => {
    c.set("body", new Uint8Array(await c.req.raw.clone().arrayBuffer()));
    await next();
  });
  mcpRoutes(app, endpoint);
  return { app, clock, endpoint, warnings };
}

export type Sent = {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  client?: string;
  path?: string;
  signal?: AbortSignal;
};

export async function send({ app }: Setup, sent: Sent): Promise<Response> {
  const { method = "POST", client = "alice", path = "/v1/mcp/one", headers = {}, signal } = sent;
  const body = typeof sent.body === "string" ? sent.body : JSON.stringify(sent.body);
  return app.request(`${path}${path.includes("?") ? "&" : "?"}client=${client}`, {
    method,
    headers: { accept: "application/json, text/event-stream", ...headers },
    ...(method === "POST" && { body }),
    ...(signal && { signal }),
  });
}

/** Opens a session; gives its id. */
export async function initialize(
  setup: Setup,
  { capabilities = {}, client = "alice", version = "2025-11-25", path = "/v1/mcp/one" } = {},
): Promise<string> {
  const params = { protocolVersion: version, capabilities, clientInfo: { name: "test", version: "0" } };
  const response = await send(setup, {
    body: { jsonrpc: "2.0", id: 0, method: "initialize", params },
    ...{ client, path },
  });
  const session = response.headers.get("mcp-session-id");
  if (session === null) throw new Error(`no session: ${await response.text()}`);
  return session;
}
