import { expect, it } from "vitest";
import { z } from "zod";
import type { Identity } from "../../shared/auth/permission.ts";
import { LIMITS } from "../../shared/limits.ts";
import { REGISTRY_HEADER } from "../../shared/protocol/tools.ts";
import { onEveryHost } from "./hosts.ts";

const Answer = z.object({
  id: z.union([z.string(), z.number(), z.null()]),
  result: z.record(z.string(), z.unknown()).optional(),
  error: z
    .object({ code: z.number(), message: z.string(), data: z.looseObject({ code: z.string() }).optional() })
    .optional(),
});

const REVISION = "2026-07-28";
const META = {
  "io.modelcontextprotocol/protocolVersion": REVISION,
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};

/** Something, then nothing any more. */
async function* endlessly() {
  yield ": first\n\n";
  await new Promise(() => {});
}

type Sent = {
  path?: string;
  identity?: Partial<Identity>;
  token?: string;
  headers?: Record<string, string>;
};

onEveryHost("MCP at the gateway", ({ sidecar, gateway }) => {
  const send = async (init: RequestInit, { path = "/mcp/demo", identity, token, headers = {} }: Sent = {}) =>
    fetch(`${gateway().url}${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${token ?? (await gateway().token(identity))}`,
        accept: "application/json, text/event-stream",
        ...headers,
      },
    });
  /** A message of 2025. */
  const post = (method: string, params: object = {}, sent?: Sent) =>
    send({ method: "POST", body: JSON.stringify({ jsonrpc: "2.0", id: 7, method, params }) }, sent);
  const answer = async (response: Response | Promise<Response>) =>
    Answer.parse(await (await response).json());
  const outcome = async (response: Response | Promise<Response>) => {
    const { status } = await response;
    return [status, (await answer(response)).error?.data?.code];
  };

  /** The sidecar answers each method with this result. */
  const answers = (results: Record<string, object>, path = "/v1/mcp/demo") =>
    sidecar.handle(`POST ${path}`, (_, body) => {
      const { id, method } = z.object({ id: z.number().optional(), method: z.string() }).parse(body);
      return Response.json(
        { jsonrpc: "2.0", id, result: results[method] ?? {} },
        { headers: { [REGISTRY_HEADER]: "1" } },
      );
    });
  const mcpRequests = () => sidecar.asked.filter(({ path }) => path.startsWith("/v1/mcp"));

  it("T1 passes a message and its answer on as they are, under the client's own opaque name", async () => {
    const clients: string[] = [];
    sidecar.handle("POST /v1/mcp/demo", (c, body) => {
      clients.push(c.req.query("client") ?? "");
      return Response.json(
        { jsonrpc: "2.0", id: 7, result: { body, session: c.req.header("mcp-session-id") } },
        { headers: { [REGISTRY_HEADER]: "1", "mcp-session-id": "s2" } },
      );
    });
    const identity = { subject: "alice@example.com" };
    const sent = { identity, headers: { "mcp-session-id": "s1" } };
    const response = await post("tools/call", { name: "look", arguments: { a: 1 } }, sent);
    expect(response.headers.get("mcp-session-id")).toBe("s2");
    expect(response.headers.get(REGISTRY_HEADER)).toBeNull();
    expect((await answer(response)).result).toEqual({
      body: { jsonrpc: "2.0", id: 7, method: "tools/call", params: { name: "look", arguments: { a: 1 } } },
      session: "s1",
    });
    await post("ping", {}, { identity });
    await post("ping", {}, { identity: { subject: "bob" } });
    expect(clients[1]).toBe(clients[0]);
    expect(clients[2]).not.toBe(clients[0]);
    expect(clients.join()).not.toContain("alice");
  });

  it("T1 passes a stream on as it comes, and cancels it when its client leaves", async () => {
    const { promise: left, resolve: leave } = Promise.withResolvers<void>();
    let more = () => {};
    sidecar.handle("POST /v1/mcp/demo", () => {
      const body = new ReadableStream<string>({
        start(controller) {
          controller.enqueue("data: 1\n\n");
          more = () => controller.enqueue("data: 2\n\n");
        },
        cancel: () => leave(),
      });
      return new Response(body.pipeThrough(new TextEncoderStream()), {
        headers: { [REGISTRY_HEADER]: "1", "content-type": "text/event-stream" },
      });
    });
    const response = await post("tools/call", { name: "look" });
    const reader = response.body?.pipeThrough(new TextDecoderStream()).getReader();
    expect(await reader?.read()).toMatchObject({ value: "data: 1\n\n" });
    more();
    expect(await reader?.read()).toMatchObject({ value: "data: 2\n\n" });
    await reader?.cancel();
    // workerd looks after its client when it has something to send; the sidecar says something now and then.
    const keepAlive = setInterval(more, 10);
    await left;
    clearInterval(keepAlive);
  });

  it("S8 ends a stream with the token that opened it", async () => {
    sidecar.handle(
      "GET /v1/mcp/demo",
      () =>
        new Response(ReadableStream.from(endlessly()).pipeThrough(new TextEncoderStream()), {
          headers: { [REGISTRY_HEADER]: "1", "content-type": "text/event-stream" },
        }),
    );
    const expiresMs = (Math.floor(Date.now() / 1000) + 2) * 1000;
    const response = await send({ method: "GET" }, { identity: { expiresMs } });
    expect(response.status).toBe(200);
    // Ended or broken off: over in any case, and not before its time.
    await response.text().catch(() => {});
    expect(Date.now()).toBeGreaterThanOrEqual(expiresMs);
    expect(Date.now()).toBeLessThan(expiresMs + 5_000);
  });

  it("T1 passes the stream and the end of a 2025 session on, and the sidecar's status", async () => {
    const headers = { [REGISTRY_HEADER]: "1" };
    sidecar.handle("DELETE /v1/mcp/demo", (c) =>
      c.req.header("mcp-session-id") === "mine"
        ? new Response(null, { status: 204, headers })
        : Response.json(
            { jsonrpc: "2.0", id: null, error: { code: -32001, message: "no" } },
            { status: 404, headers },
          ),
    );
    const remove = (session: string) =>
      send({ method: "DELETE" }, { headers: { "mcp-session-id": session } });
    expect((await remove("mine")).status).toBe(204);
    expect((await remove("another's")).status).toBe(404);
  });

  it("T6 says which token is needed, and where to get it", async () => {
    const url = `${gateway().url}/mcp/demo`;
    const missing = await fetch(url, { method: "POST", body: "{}" });
    expect(missing.status).toBe(401);
    const metadata = `${gateway().url}/.well-known/oauth-protected-resource/mcp/demo`;
    expect(missing.headers.get("www-authenticate")).toBe(
      `Bearer resource_metadata="${metadata}", scope="tools:call resources:read prompts:get"`,
    );
    const wrong = await send({ method: "POST", body: "{}" }, { token: "forged" });
    expect(wrong.headers.get("www-authenticate")).toMatch(
      /^Bearer error="invalid_token", resource_metadata=/,
    );
    const old = await post("ping", {}, { identity: { permissions: ["tasks:read", "tasks:write"] } });
    expect(old.headers.get("www-authenticate")).toMatch(/^Bearer error="insufficient_scope", /);
    expect(await outcome(old)).toEqual([403, "forbidden"]);
    expect(await (await fetch(metadata)).json()).toMatchObject({
      resource: url,
      bearer_methods_supported: ["header"],
    });
  });

  it("T6 S8 takes no token from where a page of any origin could put it", async () => {
    const token = await gateway().token();
    const url = `${gateway().url}/mcp/demo`;
    const hidden = await fetch(url, {
      method: "POST",
      body: "{}",
      headers: { "sec-websocket-protocol": `hivegate, ${token}` },
    });
    expect(hidden.status).toBe(401);
  });

  it("T6 lets a token call what it names, and shows it that alone", async () => {
    const identity = {
      permissions: ["tools:call:demo__look*", "prompts:get:demo__a"] as Identity["permissions"],
    };
    answers({
      "tools/list": {
        tools: [{ name: "look" }, { name: "look_up" }, { name: "change" }],
        cacheScope: "public",
      },
      "prompts/list": { prompts: [{ name: "a" }, { name: "b" }], nextCursor: "2" },
      "resources/list": { resources: [{ uri: "file:///a", name: "look" }] },
    });
    const result = async (method: string, params: object = {}) =>
      (await answer(post(method, params, { identity }))).result;
    expect(await result("tools/list")).toEqual({
      tools: [{ name: "look" }, { name: "look_up" }],
      cacheScope: "private",
    });
    expect(await result("prompts/list")).toEqual({ prompts: [{ name: "a" }], nextCursor: "2" });
    expect(await result("resources/list")).toEqual({ resources: [] });
    expect(await result("tools/call", { name: "look_up" })).toEqual({});
    const before = mcpRequests().length;
    const refused: [string, object, string][] = [
      ["tools/call", { name: "change" }, "unknown_tool"],
      ["tools/call", { name: "nowhere" }, "unknown_tool"],
      ["tools/call", {}, "unknown_tool"],
      ["prompts/get", { name: "b" }, "unknown_prompt"],
      ["resources/read", { uri: "file:///a" }, "unknown_resource"],
      ["completion/complete", { ref: { type: "ref/prompt", name: "b" } }, "unknown_prompt"],
      [
        "subscriptions/listen",
        { notifications: { resourceSubscriptions: ["file:///a"] } },
        "unknown_resource",
      ],
    ];
    for (const [method, params, code] of refused)
      expect((await answer(post(method, params, { identity }))).error).toMatchObject({
        code: -32602,
        data: { code },
      });
    expect(await outcome(post("tools/list", {}, { identity, path: "/mcp/other" }))).toEqual([
      404,
      "unknown_server",
    ]);
    expect(await outcome(post("something/new", {}, { identity }))).toEqual([200, "unknown_message"]);
    const headers = { "mcp-protocol-version": REVISION, "mcp-method": "something/new" };
    const modern = post("something/new", { _meta: META }, { identity, headers });
    expect(await outcome(modern)).toEqual([404, "unknown_message"]);
    expect(mcpRequests()).toHaveLength(before);
  });

  it("T2 T6 shows all servers' tools as one, by their full names, and its own", async () => {
    const names = ["demo__look", "demo__change", "other__look", "odd"];
    answers({ "tools/list": { tools: names.map((name) => ({ name })) } }, "/v1/mcp");
    const listed = async (permissions: Identity["permissions"]) => {
      const { result } = await answer(post("tools/list", {}, { path: "/mcp", identity: { permissions } }));
      const { tools } = z.object({ tools: z.array(z.object({ name: z.string() })) }).parse(result);
      return tools.map(({ name }) => name);
    };
    expect(await listed(["tools:call:*__look"])).toEqual(
      expect.arrayContaining(["demo__look", "other__look"]),
    );
    expect(await listed(["tools:call:*__look"])).not.toContain("demo__change");
    const all = await listed(["tools:call", "resources:read", "prompts:get", "tasks:write"]);
    expect(all).toEqual(
      expect.arrayContaining([...names, "hivegate__search_tools", "hivegate__create_task"]),
    );
    const called = (name: string) =>
      post("tools/call", { name }, { path: "/mcp", identity: { permissions: ["tools:call:demo__*"] } });
    expect((await answer(called("demo__look"))).result).toEqual({});
    for (const name of ["other__look", "look", "__look", "demo__", ""])
      expect((await answer(called(name))).error?.code).toBe(-32602);
  });

  it("T1 S8 refuses a request whose headers do not say what its body says", async () => {
    answers({});
    const params = { name: "look", _meta: META };
    const right = { "mcp-protocol-version": REVISION, "mcp-method": "tools/call", "mcp-name": "look" };
    const call = (headers: Record<string, string>) => post("tools/call", params, { headers });
    expect((await answer(call(right))).result).toEqual({});
    expect((await answer(call({ ...right, "mcp-name": "=?base64?bG9vaw==?=" }))).result).toEqual({});
    const { "mcp-name": _, ...nameless } = right;
    const wrong = [
      { ...right, "mcp-protocol-version": "2025-11-25" },
      { ...right, "mcp-method": "tools/list" },
      { ...right, "mcp-name": "change" },
      { ...right, "mcp-name": "=?base64?*?=" },
      nameless,
      {},
    ];
    for (const headers of wrong) {
      const response = await call(headers);
      expect(response.status).toBe(400);
      expect((await answer(response)).error?.code).toBe(-32020);
    }
  });

  it("T8 says what is wrong with a message in JSON-RPC's own words", async () => {
    const raw = (body: string) => send({ method: "POST", body });
    const cases: [string, number, string][] = [
      ["{", 400, "invalid_json"],
      [`{"a":${"[".repeat(6_000)}${"]".repeat(6_000)}}`, 400, "invalid_json"],
      ["[]", 400, "invalid_request"],
      ['{"jsonrpc":"2.0","id":null,"method":"ping"}', 400, "invalid_request"],
      ['{"jsonrpc":"2.0","id":1,"method":7}', 400, "invalid_request"],
      ["x".repeat(LIMITS.requestBodyBytes + 1), 413, "body_too_large"],
    ];
    for (const [body, status, code] of cases) expect(await outcome(raw(body))).toEqual([status, code]);
    expect(await answer(post("tools/call", {}))).toMatchObject({ id: 7 });
    await sidecar.stop();
    expect(await outcome(post("ping"))).toEqual([502, "sidecar_unreachable"]);
    await sidecar.start();
  });

  it("S8 refuses pages of other origins, and one whose own name was made to lead here", async () => {
    answers({});
    const { port } = gateway();
    const ping = (headers: Record<string, string>) => post("ping", {}, { headers });
    const own = await ping({ origin: `http://127.0.0.1:${port}` });
    expect(own.status).toBe(200);
    expect(own.headers.get("access-control-allow-origin")).toBe(`http://127.0.0.1:${port}`);
    for (const origin of ["http://evil.example", "null", `http://127.0.0.1:${port + 1}`])
      expect(await outcome(ping({ origin }))).toEqual([403, "origin_not_allowed"]);
  });
});
