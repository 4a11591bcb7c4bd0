/** What clients see of MCP servers that change: over the sidecar's own routes, with real connections behind them. */
import { Hono } from "hono";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { BREAKER_RULES } from "../../../shared/pressure/breaker.ts";
import { RegistryAnswer } from "../../../shared/protocol/tools.ts";
import type { Signed } from "../../../sidecar/http/authenticate.ts";
import { mcpFront } from "../../../sidecar/mcp/front.ts";
import { McpServerConfigs } from "../../../sidecar/mcp/server-config.ts";
import { McpServers } from "../../../sidecar/mcp/servers.ts";
import { ToolStreams } from "../../../sidecar/mcp/streams/streams.ts";
import { startLineServer } from "../../support/line-server.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { Events, jsonOf, legacy, modern } from "../../support/mcp-messages.ts";
import { recordingLog } from "../../support/recording-log.ts";

type Sent = { body?: unknown; method?: string; headers?: Record<string, string>; join?: string };

/** It has these tools, which say whose they are; `slow` says so when it is let. */
async function startServer(who: string, ...tools: string[]) {
  const waiting: (() => void)[] = [];
  const server = await startLineServer(({ id, method, params }, client) => {
    if (id === undefined) return;
    const say = (result: object) => client.send({ jsonrpc: "2.0", id, result });
    if (method === "tools/list") return say({ tools: tools.map((name) => ({ name, inputSchema: {} })) });
    if (method !== "tools/call") return say({ capabilities: { tools: {} } });
    const called = { content: [{ type: "text", text: `${who}: ${String(params?.name)}` }] };
    if (params?.name === "slow") waiting.push(() => say(called));
    else say(called);
  });
  const letGo = () => {
    for (const answer of waiting.splice(0)) answer();
  };
  return { port: server.port, waiting, letGo };
}

function start(configs: readonly object[]) {
  const { log } = recordingLog();
  const clock = new ManualClock();
  const servers = new McpServers(McpServerConfigs.parse(configs), {
    ...{ callTimeoutMs: 5_000, rules: BREAKER_RULES, log, now: Date.now, random: () => 0 },
    breakers: { load: () => null, save: () => {}, forget: () => {} },
  });
  const upstream = (name: string) => servers.upstream(name);
  const front = mcpFront({ servers, upstream, version: "1", clock, log });
  const streams = new ToolStreams({ upstream, clock, uuid: () => "stream" });
  onTestFinished(async () => {
    streams.close();
    front.close();
    await servers.close();
  });
  const app = new Hono<Signed>();
  app.use(async (c, next) => {
    c.set("body", new Uint8Array(await c.req.raw.clone().arrayBuffer()));
    await next();
  });
  front.routes(app);
  const send = (path: string, { body, method = "POST", headers = {}, join }: Sent) =>
    app.request(`/v1/mcp${path}?client=alice${join === undefined ? "" : `&join=${join}`}`, {
      method,
      headers: { accept: "application/json, text/event-stream", ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const registry = async () => {
    const response = await app.request("/v1/registry");
    const { servers } = RegistryAnswer.parse(await response.json());
    const tools = servers.map((one) => [one.name, ...one.tools.map(({ name }) => name)]);
    return { tools, version: response.headers.get("etag") };
  };
  const open = async (path: string) => {
    const params = { protocolVersion: "2025-11-25", capabilities: {}, clientInfo: {} };
    const response = await send(path, { body: { jsonrpc: "2.0", id: 0, method: "initialize", params } });
    return response.headers.get("mcp-session-id") ?? "";
  };
  const tools = async (path: string, session: string) => {
    const { result } = await jsonOf(await send(path, legacy(session, "tools/list")));
    return Array.isArray(result.tools) ? result.tools.map(({ name }) => name) : result;
  };
  const apply = (next: readonly object[]) => servers.apply(McpServerConfigs.parse(next));
  return { apply, front, streams, send, registry, open, tools };
}

const at = (name: string, { port }: { port: number }, more: object = {}) => ({
  ...{ name, host: "127.0.0.1", port },
  ...more,
});
const LISTS_CHANGED = ["tools", "prompts", "resources"].map((list) => `notifications/${list}/list_changed`);

describe("clients of MCP servers that change", () => {
  it("C1 T2 hear of it, find other tools, and go on in their sessions", async () => {
    const [one, two] = [await startServer("one", "x"), await startServer("two", "y", "z")];
    const { apply, front, send, registry, open, tools } = start([at("a", one), at("b", one)]);
    const [all, own] = [await open(""), await open("/a")];
    const streams = await Promise.all(
      [["", all] as const, ["/a", own] as const].map(async ([path, session]) => {
        const { headers } = legacy(session, "");
        const events = new Events(await send(path, { method: "GET", headers }));
        await events.next();
        return async () => (await events.message()).method;
      }),
    );
    expect(await tools("", all)).toEqual(["a__x", "b__x"]);
    const before = await registry();
    apply([at("a", two), at("c", one)]);
    for (const next of streams) expect([await next(), await next(), await next()]).toEqual(LISTS_CHANGED);
    expect(await tools("", all)).toEqual(["a__y", "a__z", "c__x"]);
    expect(await tools("/a", own)).toEqual(["y", "z"]);
    const called = await jsonOf(await send("/a", legacy(own, "tools/call", { name: "y" })));
    expect(called.result).toEqual({ content: [{ type: "text", text: "two: y" }] });
    const after = await registry();
    expect([before.tools, after.tools]).toEqual([
      [
        ["a", "x"],
        ["b", "x"],
      ],
      [
        ["a", "y", "z"],
        ["c", "x"],
      ],
    ]);
    expect(after.version).not.toBe(before.version);
    expect(front.figures().servers).toEqual([
      { server: "a", tools: 2 },
      { server: "c", tools: 1 },
    ]);
    expect((await send("/b", modern("tools/list"))).status).toBe(404);
  });

  it("C1 T6 have no tool that is not allowed, in whichever way they ask for it", async () => {
    const one = await startServer("one", "look", "write");
    const { apply, streams, send, registry, open, tools } = start([at("a", one)]);
    const [all, own] = [await open(""), await open("/a")];
    expect(await tools("/a", own)).toEqual(["look", "write"]);
    apply([at("a", one, { allowedTools: ["look*"] })]);
    expect([await tools("/a", own), await tools("", all)]).toEqual([["look"], ["a__look"]]);
    expect((await registry()).tools).toEqual([["a", "look"]]);
    const unknown = { code: -32602, message: "Unknown tool: write" };
    const call = (session: string, name: string) => legacy(session, "tools/call", { name });
    for (const refused of [
      await send("/a", call(own, "write")),
      await send("", call(all, "a__write")),
      await send("/a", modern("tools/call", { name: "write", arguments: {} })),
      await send("", modern("tools/call", { name: "a__write", arguments: {} })),
      await send("/a", { ...modern("tools/call", { name: "write", arguments: {} }), join: "k" }),
    ])
      expect((await jsonOf(refused)).error).toEqual(unknown);
    const { streamId } = streams.start("alice", { server: "a", tool: "write", arguments: {} });
    const told = new Response(streams.read("alice", streamId, 0)).text();
    expect(await told).toContain("Unknown tool: write");
    expect((await jsonOf(await send("/a", call(own, "look")))).result).toHaveProperty("content");
    apply([at("a", one)]);
    expect(await tools("", all)).toEqual(["a__look", "a__write"]);
  });

  it("C1 T3 share no answer of a server with a call that is made after it was replaced", async () => {
    const [one, two] = [await startServer("one", "slow"), await startServer("two", "slow")];
    const { apply, send } = start([at("a", one)]);
    const call = async () => {
      const sent = { ...modern("tools/call", { name: "slow", arguments: {} }), join: "same" };
      const response = await send("/a", sent);
      return [(await jsonOf(response)).result.content, response.headers.get("hivegate-joined")];
    };
    const [before, joined] = [call(), call()];
    await vi.waitFor(() => expect(one.waiting).toHaveLength(1));
    apply([at("a", two)]);
    const after = call();
    await vi.waitFor(() => expect(two.waiting).toHaveLength(1));
    two.letGo();
    one.letGo();
    const text = (who: string) => [{ type: "text", text: `${who}: slow` }];
    expect(await Promise.all([before, joined, after])).toEqual([
      [text("one"), null],
      [text("one"), "1"],
      [text("two"), null],
    ]);
  });
});
