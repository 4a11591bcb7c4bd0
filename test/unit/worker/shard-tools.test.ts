import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { mintToken } from "../../../shared/auth/token.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { Signed } from "../../../sidecar/http/authenticate.ts";
import { toolStreamRoutes } from "../../../sidecar/mcp/streams/routes.ts";
import { Policy } from "../../../worker/mcp/policy.ts";
import { Rules } from "../../../worker/mcp/rules.ts";
import { DEFAULT_MCP } from "../../../worker/mcp/settings.ts";
import { ToolStreams } from "../../../worker/mcp/streams.ts";
import { SidecarClient } from "../../../worker/sidecar-client.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { streamedTools } from "../../support/streamed-tools.ts";
import { settled } from "../streams/setup.ts";
import { SECRET, setUp } from "./shard-setup.ts";

/** A shard whose streamed calls are made by a sidecar in the same process. */
function start(rules = DEFAULT_MCP.rules) {
  const clock = new ManualClock();
  const { streams, calls } = streamedTools(clock);
  const app = new Hono<Signed>();
  app.use(async (c, next) => {
    c.set("body", new Uint8Array(await c.req.arrayBuffer()));
    await next();
  });
  toolStreamRoutes(app, streams);
  const sidecar = new SidecarClient({
    ...{ hive: "default", url: "http://sidecar", key: { kid: "k", mac: () => new Uint8Array(32) } },
    fetch: async (url, init) => app.request(url, init),
    ...{ sha256: () => new Uint8Array(32), clock, nonce: () => "nonce-0123456789" },
  });
  const policy = new Policy({ ...DEFAULT_MCP, rules });
  const toolStreams = new ToolStreams({
    ...{ policy, sidecar: () => sidecar, events: { record: () => {} }, now: () => clock.now() },
    tracer: { begin: () => ({ traceId: null, headers: null, span: null }) },
    uuid: () => crypto.randomUUID(),
  });
  const toolCalls = { call: () => Promise.reject(new Error("nothing but streams is called here")) };
  const parts = setUp({ tools: { gateway: { toolStreams, toolCalls }, defer: () => {} } });
  const begin = (socket: ReturnType<typeof parts.connect>["socket"]) =>
    parts.shard.receive(socket, JSON.stringify({ type: "call_tool", tool: "demo__count", stream: true }));
  return { ...parts, calls, begin };
}

describe("a shard whose sessions call tools", () => {
  it("T5 says in a session's attachment that it reads, and sends away one that it finds after it lost its memory", async () => {
    const { shard, connect, begin, calls } = start();
    const { socket, saved, closed, ofType } = connect("stream");
    await begin(socket);
    expect(saved.at(-1)?.follows).toBe(true);
    await settled();
    calls[0]?.answer({ result: {} });
    await settled();
    expect(ofType("tool_chunk").at(-1)?.chunk).toMatchObject({ seq: 1, done: true });
    expect(saved.at(-1)?.follows).toBe(false);
    await begin(socket);
    const state = saved.at(-1);
    if (state) shard.restore(socket, state);
    expect(closed).toEqual([4004]);
  });

  it("T5 S6 begins no call that its session cannot read", async () => {
    const { connect, begin, calls } = start();
    const { socket, ofType } = connect("stream");
    const begun = Array.from({ length: LIMITS.toolStreamsPerSession + 2 }, () => begin(socket));
    await Promise.all(begun);
    await settled();
    expect(ofType("tool_stream")).toHaveLength(LIMITS.toolStreamsPerSession);
    expect(ofType("error").map(({ code }) => code)).toEqual(["overloaded", "overloaded"]);
    const running = calls.filter(({ exchange }) => !exchange.signal.aborted);
    expect(running).toHaveLength(LIMITS.toolStreamsPerSession);
  });

  it("T5 S8 lets go of calls when a fresh token allows less, and reads none of a tool that it does not allow", async () => {
    const { shard, connect, begin, clock } = start();
    const { socket, ofType } = connect("stream");
    await begin(socket);
    await settled();
    const stream_id = ofType("tool_stream")[0]?.stream_id;
    const token = await mintToken(
      {
        ...{ subject: "s", hives: ["default"], expiresMs: clock.now() + 60_000 },
        permissions: ["telemetry:read", "tools:call:demo__look"],
      },
      SECRET,
      clock.now(),
    );
    await shard.receive(socket, JSON.stringify({ type: "refresh_token", token }));
    expect(ofType("tool_lost")).toMatchObject([{ stream_id }]);
    await shard.receive(socket, JSON.stringify({ type: "resume_tool", stream_id }));
    expect(ofType("error").at(-1)).toMatchObject({ code: "unknown_stream" });
  });

  it("T6 S8 lets go of calls when a fresh token has a role that may not make them", async () => {
    const deny = Rules.parse({ access: [{ effect: "deny", roles: ["viewer"] }] });
    const { shard, connect, begin, calls, clock } = start(deny);
    const { socket, ofType } = connect("stream", {
      permissions: ["telemetry:read", "tools:call"],
      scope: {},
    });
    await begin(socket);
    await settled();
    const stream_id = ofType("tool_stream")[0]?.stream_id;
    const token = await mintToken(
      {
        ...{ subject: "s", hives: ["default"], expiresMs: clock.now() + 60_000, role: "viewer" },
        permissions: ["telemetry:read", "tools:call"],
      },
      SECRET,
      clock.now(),
    );
    await shard.receive(socket, JSON.stringify({ type: "refresh_token", token }));
    expect(ofType("tool_lost")).toMatchObject([{ stream_id }]);
    calls[0]?.answer({ result: { content: [] } });
    await settled();
    expect(ofType("tool_chunk")).toEqual([]);
  });
});
