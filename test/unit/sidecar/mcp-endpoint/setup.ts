/** The endpoint over a server that the test plays, and its two kinds of clients, without a network. */
import { Hono } from "hono";
import { z } from "zod";
import { LineSplitter, readLines } from "../../../../shared/wire/lines.ts";
import { EventParser, type ServerSentEvent } from "../../../../shared/wire/sse.ts";
import type { Signed } from "../../../../sidecar/http/authenticate.ts";
import { type McpEndpoint, mcpEndpoint, mcpRoutes } from "../../../../sidecar/mcp/endpoint/endpoint.ts";
import type { EndpointPorts } from "../../../../sidecar/mcp/endpoint/ports.ts";
import type { FakeUpstream } from "../../../support/fake-upstream.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

export type Json = Record<string, unknown>;

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

const Answered = z.looseObject({
  id: z.union([z.string(), z.number(), z.null()]),
  result: z.record(z.string(), z.unknown()).default({}),
  error: z
    .object({ code: z.number(), message: z.string(), data: z.record(z.string(), z.unknown()) })
    .partial()
    .default({}),
});

export const jsonOf = async (response: Response): Promise<z.infer<typeof Answered>> =>
  Answered.parse(await response.json());

const KEY = "io.modelcontextprotocol/";

/** A request of 2026, its headers included. `meta` adds to the envelope, `capabilities` are the client's. */
export function modern(
  method: string,
  params: Json = {},
  { id = 1, capabilities = {}, meta = {} }: { id?: number | string; capabilities?: Json; meta?: Json } = {},
): { body: Json; headers: Record<string, string> } {
  const _meta = {
    [`${KEY}protocolVersion`]: "2026-07-28",
    [`${KEY}clientCapabilities`]: capabilities,
    [`${KEY}clientInfo`]: { name: "test", version: "0" },
    ...meta,
  };
  const name = params.name ?? params.uri;
  return {
    body: { jsonrpc: "2.0", id, method, params: { ...params, _meta } },
    headers: {
      "mcp-protocol-version": "2026-07-28",
      "mcp-method": method,
      ...(typeof name === "string" && { "mcp-name": name }),
    },
  };
}

/** A request of 2025 in a session. */
export const legacy = (session: string, method: string, params: Json = {}, id: number | string = 1) => ({
  body: { jsonrpc: "2.0", id, method, params },
  headers: { "mcp-session-id": session, "mcp-protocol-version": "2025-11-25" },
});

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

/** A stream's events one by one; `null` at its end. */
export class Events {
  readonly #events: AsyncGenerator<ServerSentEvent>;

  constructor(response: Response) {
    if (!response.body) throw new Error("the answer has no body");
    this.#events = eventsOf(response.body);
  }

  async next(): Promise<ServerSentEvent | null> {
    const { value, done } = await this.#events.next();
    return done ? null : value;
  }

  /** The next event that has data, parsed. */
  async message(): Promise<Json> {
    for (;;) {
      const next = await this.next();
      if (!next) throw new Error("the stream is over");
      if (next.data !== "") return JSON.parse(next.data);
    }
  }

  /** Hangs up. */
  async leave(): Promise<void> {
    await this.#events.return(undefined);
  }
}

async function* eventsOf(body: ReadableStream<Uint8Array>): AsyncGenerator<ServerSentEvent> {
  const parser = new EventParser();
  for await (const line of readLines(body, new LineSplitter(10_000_000, { keepEmpty: true }))) {
    const parsed = parser.push(line);
    if (parsed) yield parsed;
  }
}
