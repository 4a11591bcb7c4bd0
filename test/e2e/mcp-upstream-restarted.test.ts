import { once } from "node:events";
import { createServer, type ServerResponse } from "node:http";
import { text } from "node:stream/consumers";
import { describe, expect, it, onTestFinished } from "vitest";
import { JsonRpcRequest } from "../../shared/protocol/mcp.ts";
import type { Era } from "../../sidecar/mcp/upstream.ts";
import { portOf } from "../support/line-server.ts";
import { exchangeTool, mcpServers } from "../support/scripted-mcp.ts";
import { registryOf } from "../unit/sidecar/mcp-registry/setup.ts";

/** What a server without sessions says by itself: of a restart there is no sign in its answers. */
const RESULTS: Record<Era, Record<string, object>> = {
  "2025": {
    initialize: {
      protocolVersion: "2025-11-25",
      capabilities: { tools: {} },
      serverInfo: { name: "s", version: "1" },
    },
  },
  "2026": {
    "server/discover": { supportedVersions: ["2026-07-28"], capabilities: { tools: { listChanged: true } } },
  },
};

/** Offers one tool, at an address that it has again when it is started again. */
async function start(era: Era, tool: string, port = 0) {
  const results = {
    ...RESULTS[era],
    "tools/list": { tools: [{ name: tool }] },
    "tools/call": { content: [] },
  };
  const answers = new Map<string, object>(Object.entries(results));
  const answer = (response: ServerResponse, { id, method }: JsonRpcRequest) => {
    if (id === undefined) return void response.writeHead(202).end();
    const result = answers.get(method);
    // It cannot be listened to for now.
    const code = method === "subscriptions/listen" ? -32603 : -32601;
    const said = result ? { result } : { error: { code, message: "no" } };
    response.writeHead(200, { "content-type": "application/json" });
    response.end(JSON.stringify({ jsonrpc: "2.0", id, ...said }));
  };
  const server = createServer(async (incoming, response) => {
    if (incoming.method !== "POST") return void response.writeHead(405).end();
    answer(response, JsonRpcRequest.parse(JSON.parse(await text(incoming))));
  }).listen(port, "127.0.0.1");
  await once(server, "listening");
  const stop = async () => {
    if (!server.listening) return;
    server.closeAllConnections();
    await new Promise((closed) => server.close(closed));
  };
  onTestFinished(stop);
  return { port: portOf(server), stop };
}

describe.each(["2025", "2026"] as const)("a server of %s over HTTP that is started anew", (era) => {
  it("T2 is listed anew once a request was lost, were it that it has no sessions", async () => {
    const first = await start(era, "old");
    const { upstream } = mcpServers([
      { name: "a", type: "http", url: `http://127.0.0.1:${first.port}/mcp` },
    ]).server("a");
    const { registry } = registryOf([upstream]);
    const tools = async () => {
      await registry.upToDate();
      return registry.get("a")?.listing?.tools.map(({ name }) => name);
    };
    expect(await tools()).toEqual(["old"]);
    await first.stop();
    await expect(exchangeTool(upstream, "old")).rejects.toMatchObject({ code: "mcp_unavailable" });
    await start(era, "new", first.port);
    expect(await tools()).toEqual(["new"]);
  });
});
