/** What is told of calls of tools, by the real gateway on each host and the real sidecar before a server over TCP. */
import { afterEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { Collector } from "../support/collector.ts";
import { startDenoGateway } from "../support/deno-gateway.ts";
import { type RunningGateway, startGateway } from "../support/gateway.ts";
import { type LineServer, mcpServer, startLineServer } from "../support/line-server.ts";
import { startMcpSidecar } from "../support/mcp-sidecar.ts";
import { samplesIn } from "../support/metrics.ts";

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = `00-${TRACE}-b7ad6b7169203331-01`;
const SECRET = "sk-live-aaaaaaaaaaaaaaaaaaaaaa";
const REVISION = "2026-07-28";
const ENVELOPE = {
  "io.modelcontextprotocol/protocolVersion": REVISION,
  "io.modelcontextprotocol/clientInfo": { name: "test", version: "1" },
  "io.modelcontextprotocol/clientCapabilities": {},
};
const Stats = z.object({ tools: z.array(z.looseObject({ tool: z.string(), count: z.number() })) });
const LATE = { timeout: 15_000, interval: 50 };

const ends: (() => Promise<unknown>)[] = [];
afterEach(async () => {
  for (const end of ends.splice(0).reverse()) await end();
});

async function setUp(start: typeof startGateway, env: Record<string, string> = {}) {
  const waiting: (() => void)[] = [];
  const server = await startLineServer(
    mcpServer({
      echo: (args, reply) => reply(args),
      wait: (_, reply) => void waiting.push(() => reply({})),
    }),
  );
  const mcp = await startMcpSidecar([{ name: "line", host: "127.0.0.1", port: server.port }], env);
  ends.push(() => mcp.stop());
  const gateway = await start({ sidecarUrl: mcp.sidecar.url, keys: mcp.keys, env });
  ends.push(() => gateway.kill("SIGKILL"));
  return { server, waiting, gateway, ...clientOf(gateway) };
}

function clientOf(gateway: RunningGateway) {
  const ask = async (path: string, init: RequestInit = {}) =>
    fetch(`${gateway.url}${path}`, {
      ...init,
      headers: {
        authorization: `Bearer ${await gateway.token({ subject: "ada" })}`,
        accept: "application/json, text/event-stream",
        ...init.headers,
      },
    });
  /** In the words of 2026, which take no session. */
  const call = (
    name: string,
    given: object,
    { meta, headers, ...init }: RequestInit & { meta?: object; headers?: Record<string, string> } = {},
  ) =>
    ask("/mcp/line", {
      method: "POST",
      body: JSON.stringify({
        ...{ jsonrpc: "2.0", id: 1, method: "tools/call" },
        params: { name, arguments: given, _meta: { ...ENVELOPE, ...meta } },
      }),
      headers: {
        "content-type": "application/json",
        "mcp-protocol-version": REVISION,
        "mcp-method": "tools/call",
        "mcp-name": name,
        ...headers,
      },
      ...init,
    });
  return { ask, call };
}

const callsAt = (server: LineServer) => server.received.filter(({ method }) => method === "tools/call");

describe.each([
  { host: "workerd", start: startGateway },
  { host: "deno", start: startDenoGateway },
])("what is told of calls, on $host", ({ start }) => {
  it("T9 carries a client's trace through edge and sidecar to the server, and tells a collector of both", async () => {
    await using collector = await new Collector().start();
    const env = { OTEL_EXPORTER_OTLP_ENDPOINT: collector.url };
    const { server, call } = await setUp(start, env);
    await call("echo", { city: "Bern" }, { headers: { traceparent: PARENT, tracestate: "a=b" } });
    await expect.poll(() => collector.spans.length, LATE).toBe(2);
    const named = (service: string) => collector.spans.find((span) => span.service === service);
    const [edge, sidecar] = [named("hivegate-gateway"), named("hivegate-sidecar")];
    expect(edge).toMatchObject({
      ...{ traceId: TRACE, parentSpanId: "b7ad6b7169203331", name: "tools/call echo", kind: 2 },
      attributes: { "gen_ai.tool.name": "echo", "hivegate.server": "line", "hivegate.hive": "default" },
    });
    expect(sidecar).toMatchObject({
      ...{ traceId: TRACE, parentSpanId: edge?.spanId, name: "tools/call echo", kind: 3 },
    });
    expect(callsAt(server)[0]?.params?._meta).toMatchObject({
      ...{ traceparent: `00-${TRACE}-${sidecar?.spanId}-01`, tracestate: "a=b" },
    });
    // MCP's own way to say it.
    await call("echo", {}, { meta: { traceparent: PARENT.replace("0af7", "1bf7") } });
    await expect.poll(() => collector.spans.length, LATE).toBe(4);
    expect(new Set(collector.spans.slice(2).map(({ traceId }) => traceId))).toEqual(
      new Set([TRACE.replace("0af7", "1bf7")]),
    );
    // Nobody wants this one.
    await call("echo", {}, { headers: { traceparent: PARENT.replace(/01$/, "00") } });
    expect(callsAt(server)[2]?.params?._meta).toMatchObject({ traceparent: expect.stringMatching(/-00$/) });
  });

  it("T9 T7 S8 counts calls by tool, remembers each one, and shows no secret anywhere", async () => {
    const { gateway, ask, call, waiting } = await setUp(start, { AUDIT_ARGUMENTS: "true" });
    for (let count = 0; count < 20; count++) await call("echo", { count, api_key: SECRET });
    expect((await call("missing", {})).status).toBeLessThan(500);
    const leaves = new AbortController();
    const left = call("wait", {}, { signal: leaves.signal }).catch(() => null);
    await expect.poll(() => waiting.length, LATE).toBe(1);
    leaves.abort();
    expect(await left).toBeNull();
    for (const answer of waiting) answer();
    const figures = async (name: string) => {
      const { tools } = Stats.parse(await (await ask("/v1/hives/default/tools/stats")).json());
      return tools.find(({ tool }) => tool === name);
    };
    // Who leaves before the answer is remembered as well.
    await expect.poll(async () => (await figures("wait"))?.count, LATE).toBe(1);
    expect(await figures("echo")).toMatchObject({ server: "line", count: 20, errors: 0, cache_hits: 0 });
    expect(await figures("missing")).toMatchObject({ count: 1, errors: 1 });
    const samples = samplesIn(await (await ask("/metrics")).text());
    const calls = samples.find(
      ({ name, labels }) => name === "hivegate_gateway_tool_calls_total" && labels.tool === "echo",
    );
    expect(calls).toMatchObject({ value: 20, labels: { server: "line", outcome: "ok", hive: "default" } });
    const audit = await (await ask("/v1/hives/default/audit")).text();
    const entries = audit
      .trim()
      .split("\n")
      .slice(0, -1)
      .map((line) => JSON.parse(line).entry);
    expect(entries.filter(({ tool }) => tool === "echo")).toHaveLength(20);
    expect(entries.find(({ tool }) => tool === "echo")).toMatchObject({
      ...{ client: "ada", method: "tools/call", server: "line", outcome: "ok", code: null },
      arguments: expect.stringContaining('"count"'),
    });
    expect(`${audit}${gateway.log()}${JSON.stringify(samples)}`).not.toContain(SECRET);
  });
});
