import { once } from "node:events";
import { createServer, type IncomingMessage, type Server, type ServerResponse } from "node:http";
import { text as readText } from "node:stream/consumers";
import { serve } from "@hono/node-server";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { LIMITS } from "../../shared/limits.ts";
import { JsonRpcRequest } from "../../shared/protocol/mcp.ts";
import { portOf } from "../support/line-server.ts";
import { referenceHandler } from "../support/mcp-reference/http.ts";
import { callTool, exchangeTool, mcpServers } from "../support/scripted-mcp.ts";

const code = (code: string) => expect.objectContaining({ code });
const { signal } = new AbortController();

/** The reference server at an address that it has again when it is started again. */
async function startReference(era: "2025" | "2026", port = 0) {
  const server = serve({
    fetch: referenceHandler({ only2025: era === "2025" }),
    port,
    hostname: "127.0.0.1",
  });
  await once(server, "listening");
  const stop = async () => {
    if ("closeAllConnections" in server) server.closeAllConnections();
    if (server.listening) await new Promise((closed) => server.close(closed));
  };
  onTestFinished(stop);
  const address = z.object({ port: z.number() }).parse(server.address());
  return { url: `http://127.0.0.1:${address.port}/mcp`, port: address.port, stop };
}

function over(url: string, headers: Record<string, string> = {}) {
  const all = mcpServers([{ name: "a", type: "http", url, headers }]);
  return { ...all, upstream: all.server("a").upstream, connection: all.server("a").connection };
}

describe.each(["2025", "2026"] as const)("a server of %s over HTTP", (era) => {
  it("T1 is understood in its own era, and connected to once", async () => {
    const { url } = await startReference(era);
    const { upstream } = over(url);
    expect(await upstream.info()).toMatchObject({ era, serverInfo: { name: "hivegate-reference" } });
    const calls = Array.from({ length: 20 }, () => exchangeTool(upstream, "test_simple_text"));
    for (const answer of await Promise.all(calls))
      expect(answer).toMatchObject({ result: { content: [{ type: "text" }] } });
    expect(upstream.connections).toBe(1);
  });

  it("T2 tells everybody of changes in its lists, also when it was away in between", async () => {
    const first = await startReference(era);
    const { upstream } = over(first.url);
    const heard = new Set<string>();
    upstream.onNotification(({ method }) => heard.add(method));
    const change = async () => {
      heard.clear();
      await exchangeTool(upstream, "test_trigger_tool_change");
      await vi.waitFor(() => expect(heard).toContain("notifications/tools/list_changed"), 500);
    };
    await upstream.info();
    await vi.waitFor(change, 5_000);
    await first.stop();
    await startReference(era, first.port);
    const before = upstream.connections;
    // Its session, or its stream of changes, is over; what only looks is asked again.
    const list = () => upstream.exchange({ method: "tools/list", params: {} }, { client: "a", signal });
    await vi.waitFor(async () => expect(await list()).toHaveProperty("result.tools"), 10_000);
    await vi.waitFor(async () => {
      await list();
      expect(upstream.connections).toBeGreaterThan(before);
    }, 15_000);
    await vi.waitFor(change, 15_000);
  });

  it("T5 an answer whose stream was closed is fetched, and progress comes under the client's token", async () => {
    const { url } = await startReference(era);
    const { upstream } = over(url);
    const heard: unknown[] = [];
    expect(await exchangeTool(upstream, "test_reconnection", {}, { timeoutMs: 10_000 })).toHaveProperty(
      "result",
    );
    await exchangeTool(
      upstream,
      "test_tool_with_progress",
      {},
      { meta: { progressToken: "mine" }, onNotification: ({ params }) => heard.push(params.progressToken) },
    );
    expect(heard).toEqual(["mine", "mine", "mine"]);
  });
});

it("T1 a server of 2026 gets arguments as headers where its tools want that, and refuses calls without them", async () => {
  const { url } = await startReference("2026");
  const { upstream } = over(url);
  const call = (region: string) => exchangeTool(upstream, "test_x_mcp_header", { region });
  expect(await call("eu")).toMatchObject({ error: { code: -32020 } });
  await upstream.exchange({ method: "tools/list", params: {} }, { client: "a", signal });
  expect(await call("eu")).toHaveProperty("result");
  expect(await call("grüße")).toHaveProperty("result");
});

it("T1 a server of 2025 may ask several clients at once: the stream of each call tells whom it means", async () => {
  const { url } = await startReference("2025");
  const { upstream } = over(url);
  const answers = await Promise.all(
    ["a", "b", "c"].map((client) =>
      exchangeTool(
        upstream,
        "test_elicitation",
        { message: "Who?" },
        { client, onRequest: async () => ({ result: { action: "accept", content: { response: client } } }) },
      ),
    ),
  );
  for (const [index, client] of ["a", "b", "c"].entries())
    expect(JSON.stringify(answers[index])).toContain(`\\"response\\":\\"${client}\\"`);
});

type Handle = (request: JsonRpcRequest, response: ServerResponse, incoming: IncomingMessage) => void;

/** A server of 2025 of which each request but the greeting is handled by `handle`. */
async function startHttp(
  handle: Handle,
  get = (response: ServerResponse) => void response.writeHead(405).end(),
) {
  const seen: string[] = [];
  let sessions = 0;
  const server: Server = createServer(async (incoming, response) => {
    seen.push(incoming.method ?? "");
    if (incoming.method === "GET") return get(response);
    if (incoming.method !== "POST") return void response.writeHead(405).end();
    const body = await readText(incoming);
    const request = JsonRpcRequest.parse(JSON.parse(body));
    seen.push(request.method);
    if (request.method === "initialize") {
      const result = {
        protocolVersion: "2025-11-25",
        capabilities: {},
        serverInfo: { name: "h", version: "1" },
      };
      response.setHeader("mcp-session-id", `session-${++sessions}`);
      return void json(response, { jsonrpc: "2.0", id: request.id, result });
    }
    if (request.method === "server/discover")
      return void json(
        response,
        { jsonrpc: "2.0", id: null, error: { code: -32000, message: "no session" } },
        400,
      );
    if (request.id === undefined) return void response.writeHead(202).end();
    handle(request, response, incoming);
  }).listen(0, "127.0.0.1");
  await once(server, "listening");
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  return { url: `http://127.0.0.1:${portOf(server)}/mcp`, seen };
}

function json(response: ServerResponse, message: unknown, status = 200): void {
  response.writeHead(status, { "content-type": "application/json" }).end(JSON.stringify(message));
}

const text = (data: unknown) => ({ content: [{ type: "text", text: JSON.stringify(data) }] });

describe("a server over HTTP", () => {
  /** Says this of every session but its second. */
  const forgetful =
    (status: number, message: string): Handle =>
    ({ id }, response, { headers }) => {
      if (headers["mcp-session-id"] === "session-2")
        json(response, { jsonrpc: "2.0", id, result: text("ok") });
      else json(response, { jsonrpc: "2.0", id: null, error: { code: -32000, message } }, status);
    };

  it("T2 whose session is over gets a new one, and the call once more", async () => {
    const { url, seen } = await startHttp(forgetful(404, "gone"));
    const { upstream, servers } = over(url);
    expect(await callTool(upstream, "t")).toBe("ok");
    expect(seen.filter((method) => method === "tools/call")).toHaveLength(2);
    expect(upstream.connections).toBe(2);
    await servers.close();
    expect(seen.at(-1)).toBe("DELETE");
  });

  it("T2 that only seems to say so gets a new session, and nothing twice that may have been done", async () => {
    const { url, seen } = await startHttp(forgetful(400, "Bad Request: cannot book the Session plan"));
    const { upstream } = over(url);
    await expect(exchangeTool(upstream, "book")).rejects.toEqual(code("mcp_unavailable"));
    expect(seen.filter((method) => method === "tools/call")).toHaveLength(1);
    expect(await exchangeTool(upstream, "look", {}, { retryable: true })).toHaveProperty("result");
    expect(upstream.connections).toBe(2);
  });

  it("S6 is asked for its stream again after a while, however soon it wants that", async () => {
    let gets = 0;
    const startedMs = performance.now();
    const { url } = await startHttp(
      ({ id }, response) => json(response, { jsonrpc: "2.0", id, result: text("ok") }),
      (response) => {
        gets++;
        response.setHeader("content-type", "text/event-stream").end(`retry: 0\nid: ${gets}\ndata: \n\n`);
      },
    );
    await callTool(over(url).upstream, "t");
    await vi.waitFor(() => expect(gets).toBe(4), 10_000);
    expect(performance.now() - startedMs).toBeGreaterThan(3 * LIMITS.mcpReconnectMs);
  });

  it("T8 an error under the call's own id is an answer, whatever the status", async () => {
    const error = { code: -32602, message: "no such tool" };
    const { url } = await startHttp(({ id }, response) => json(response, { jsonrpc: "2.0", id, error }, 400));
    expect(await exchangeTool(over(url).upstream, "t")).toEqual({ error });
  });

  it.each<[string, string, Handle]>([
    ["500", "mcp_unavailable", (_, response) => json(response, {}, 500)],
    ["401", "mcp_unavailable", (_, response) => json(response, {}, 401)],
    ["422", "mcp_failed", (_, response) => json(response, {}, 422)],
    [
      "no JSON",
      "mcp_failed",
      (_, response) => void response.setHeader("content-type", "application/json").end("{"),
    ],
    ["HTML", "mcp_failed", (_, response) => void response.setHeader("content-type", "text/html").end("<p>")],
    ["nothing", "mcp_unavailable", (_, response) => void response.destroy()],
    [
      "a stream without the answer",
      "mcp_unavailable",
      (_, response) => void response.setHeader("content-type", "text/event-stream").end(": hello\n\n"),
    ],
    [
      "50 MB of JSON",
      "mcp_failed",
      (_, response) =>
        void response.setHeader("content-type", "application/json").end(`{"a":"${"a".repeat(50_000_000)}"}`),
    ],
    [
      "50 MB in the lines of one event",
      "mcp_unavailable",
      (_, response) =>
        void response
          .setHeader("content-type", "text/event-stream")
          .end(`${`data: ${"a".repeat(1_000_000)}\n`.repeat(50)}\n`),
    ],
    [
      "nesting without end",
      "mcp_failed",
      ({ id }, response) =>
        void response
          .setHeader("content-type", "application/json")
          .end(`{"jsonrpc":"2.0","id":"${id}","result":{"a":${"[".repeat(6_000)}${"]".repeat(6_000)}}}`),
    ],
    [
      "50 MB in one line of a stream",
      "mcp_unavailable",
      (_, response) =>
        void response
          .setHeader("content-type", "text/event-stream")
          .end(`data: ${"a".repeat(50_000_000)}\n\n`),
    ],
  ])("Q2 that answers %s fails that call alone, with %s", async (_what, outcome, handle) => {
    const { url } = await startHttp((request, response, incoming) => {
      if (request.params?.name === "faulty") handle(request, response, incoming);
      else json(response, { jsonrpc: "2.0", id: request.id, result: text("ok") });
    });
    const { upstream } = over(url);
    const other = Promise.all(Array.from({ length: 20 }, () => callTool(upstream, "t")));
    await expect(exchangeTool(upstream, "faulty", {}, { timeoutMs: 5_000 })).rejects.toEqual(code(outcome));
    expect(await other).toEqual(Array(20).fill("ok"));
    expect(await callTool(upstream, "t")).toBe("ok");
    expect(upstream.connections).toBe(1);
  });

  it("T9 gets what its configuration says and the trace as headers, and hears that a call is not wanted", async () => {
    const received: IncomingMessage["headers"][] = [];
    const open = Promise.withResolvers<void>();
    const closed = Promise.withResolvers<void>();
    const { url, seen } = await startHttp(({ id, params }, response, incoming) => {
      received.push(incoming.headers);
      if (params?.name === "t") return json(response, { jsonrpc: "2.0", id, result: text("ok") });
      response.on("close", closed.resolve);
      open.resolve();
    });
    const { upstream } = over(url, { authorization: "Bearer own" });
    const traceparent = `00-${"1".repeat(32)}-${"2".repeat(16)}-01`;
    await callTool(upstream, "t", {}, { trace: { traceparent } });
    expect(received).toMatchObject([
      { authorization: "Bearer own", traceparent, "mcp-protocol-version": "2025-11-25" },
    ]);
    const leaving = new AbortController();
    const call = exchangeTool(upstream, "never", {}, { signal: leaving.signal });
    await open.promise;
    leaving.abort(new Error("gone"));
    await expect(call).rejects.toThrow("gone");
    await closed.promise;
    await vi.waitFor(() => expect(seen).toContain("notifications/cancelled"));
  });
});
