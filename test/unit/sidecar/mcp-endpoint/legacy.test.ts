import { describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import type { McpAnswer } from "../../../../shared/protocol/mcp.ts";
import { FakeUpstream } from "../../../support/fake-upstream.ts";
import { Events, jsonOf, legacy } from "../../../support/mcp-messages.ts";
import { initialize, send, setUp } from "./setup.ts";

const said = (text: string): McpAnswer => ({ result: { content: [{ type: "text", text }] } });
const quiet = () => new FakeUpstream("2025", ({ method }) => said(method));
const progress = (progressToken: number) => ({
  method: "notifications/progress",
  params: { progressToken, progress: 1 },
});

describe("a session of a 2025 client", () => {
  it("T1 is opened by initialize, with what the server says of itself, and ended by DELETE", async () => {
    const setup = setUp(quiet());
    const params = {
      protocolVersion: "2025-06-18",
      capabilities: {},
      clientInfo: { name: "c", version: "1" },
    };
    const response = await send(setup, { body: { jsonrpc: "2.0", id: 0, method: "initialize", params } });
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(await response.json()).toEqual({
      jsonrpc: "2.0",
      id: 0,
      result: {
        protocolVersion: "2025-06-18",
        capabilities: { tools: { listChanged: true }, resources: { subscribe: true }, logging: {} },
        serverInfo: { name: "fake", version: "1" },
        instructions: "Be careful.",
      },
    });
    const session = String(response.headers.get("mcp-session-id"));
    const initialized = { body: { jsonrpc: "2.0", method: "notifications/initialized" } };
    const headers = { "mcp-session-id": session };
    expect((await send(setup, { ...initialized, headers })).status).toBe(202);
    expect((await send(setup, { method: "DELETE", headers })).status).toBe(204);
    const gone = await send(setup, legacy(session, "tools/list"));
    expect([gone.status, (await jsonOf(gone)).error.data?.code]).toEqual([404, "not_found"]);
    expect(setup.endpoint.counts().sessions).toBe(0);
    expect(setup.clock.waiting).toBe(0);
  });

  it("T1 speaks the newest revision with whoever wants one that is not spoken", async () => {
    const setup = setUp(quiet());
    for (const [wanted, spoken] of [
      ["2025-03-26", "2025-03-26"],
      ["1999-01-01", "2025-11-25"],
    ]) {
      const params = { protocolVersion: wanted, capabilities: {} };
      const response = await send(setup, { body: { jsonrpc: "2.0", id: 0, method: "initialize", params } });
      expect((await jsonOf(response)).result.protocolVersion).toBe(spoken);
    }
  });

  it("T1 refuses the header of a revision that is not spoken, whatever comes with it, and ends nothing", async () => {
    const setup = setUp(quiet());
    const session = await initialize(setup);
    const headers = { "mcp-session-id": session, "mcp-protocol-version": "1999-01-01" };
    for (const [sent, id] of [
      [{ body: legacy(session, "tools/list", {}, 7).body }, 7],
      [{ body: { jsonrpc: "2.0", method: "notifications/initialized" } }, null],
      [{ body: { jsonrpc: "2.0", id: 1, result: {} } }, null],
      [{ method: "GET" }, null],
      [{ method: "DELETE" }, null],
    ] as const) {
      const refused = await send(setup, { ...sent, headers });
      expect([refused.status, await jsonOf(refused)]).toMatchObject([400, { id, error: { code: -32022 } }]);
    }
    expect(setup.endpoint.counts()).toMatchObject({ sessions: 1, streams: 0 });
  });

  it("T1 hears nothing of its server's notifications that only look like a name of ours", async () => {
    const upstream = quiet();
    const setup = setUp(upstream);
    const { headers } = legacy(await initialize(setup), "");
    const events = new Events(await send(setup, { method: "GET", headers }));
    await events.next();
    for (const name of ["constructor", "toString", "__proto__"]) upstream.say(name);
    upstream.say("notifications/tools/list_changed");
    expect(await events.message()).toMatchObject({ method: "notifications/tools/list_changed" });
  });

  it("S8 is to any other client, and at any other server, as if it did not exist", async () => {
    const setup = setUp(quiet());
    const session = await initialize(setup);
    const request = legacy(session, "tools/list");
    const stranger = await send(setup, { ...request, client: "mallory" });
    const unknown = await send(setup, legacy("no-such-session", "tools/list"));
    expect([stranger.status, await stranger.text()]).toEqual([unknown.status, await unknown.text()]);
    expect((await send(setup, { ...request, path: "/v1/mcp" })).status).toBe(404);
    for (const method of ["GET", "DELETE"])
      expect((await send(setup, { method, headers: request.headers, client: "mallory" })).status).toBe(404);
    expect((await send(setup, request)).status).toBe(200);
    expect((await send(setup, { body: request.body })).status).toBe(400);
  });

  it("T1 gets the server's answers word for word, and pongs of our own", async () => {
    const upstream = new FakeUpstream("2025", () => ({ result: { tools: [], odd: { a: 1 } } }));
    const setup = setUp(upstream);
    const session = await initialize(setup);
    const response = await send(setup, legacy(session, "tools/list", { cursor: "c", _meta: { x: 1 } }, "é"));
    expect(await response.json()).toEqual({ jsonrpc: "2.0", id: "é", result: { tools: [], odd: { a: 1 } } });
    expect(upstream.asked).toEqual([{ method: "tools/list", params: { cursor: "c", _meta: { x: 1 } } }]);
    expect(await (await send(setup, legacy(session, "ping"))).json()).toMatchObject({ result: {} });
    const error = { code: -32002, message: "none", data: 1 };
    upstream.play = () => ({ error });
    const failed = await send(setup, legacy(session, "resources/read", { uri: "a:b" }));
    expect([failed.status, await failed.json()]).toEqual([200, { jsonrpc: "2.0", id: 1, error }]);
    expect((await jsonOf(await send(setup, legacy(session, "tasks/list")))).error.code).toBe(-32601);
    expect(upstream.asked).toHaveLength(2);
  });

  it("S6 hears that an answer cannot be written, and may ask again", async () => {
    const cyclic: Record<string, unknown> = {};
    cyclic.itself = cyclic;
    const setup = setUp(new FakeUpstream("2025", () => ({ result: cyclic })));
    const session = await initialize(setup);
    for (let n = 0; n < 2; n++) {
      const { error } = await jsonOf(await send(setup, legacy(session, "tools/call", { name: "t" }, 1)));
      expect(error.code).toBe(-32603);
    }
    expect(setup.warnings).toHaveLength(2);
  });

  it("T1 cancels a call by its id, and one of which nothing was said when its client leaves", async () => {
    const reasons: unknown[] = [];
    let begun = Promise.withResolvers<void>();
    const upstream = new FakeUpstream("2025", (_request, { signal }) => {
      signal.addEventListener("abort", () => reasons.push(signal.reason));
      begun.resolve();
      return new Promise(() => {});
    });
    const setup = setUp(upstream);
    const session = await initialize(setup);
    const cancelled = send(setup, legacy(session, "tools/call", { name: "slow" }, 9));
    await begun.promise;
    const { headers } = legacy(session, "");
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 9 } };
    await send(setup, { body: cancel, headers, client: "mallory" });
    expect(reasons).toHaveLength(0);
    await send(setup, { body: cancel, headers });
    expect((await jsonOf(await cancelled)).error.message).toMatch("cancelled");
    begun = Promise.withResolvers();
    const leaving = new AbortController();
    const left = send(setup, { ...legacy(session, "tools/call", { name: "slow" }), signal: leaving.signal });
    await begun.promise;
    leaving.abort();
    await left;
    expect(reasons).toHaveLength(2);
    await send(setup, { body: { jsonrpc: "2.0", method: "notifications/anything" }, headers });
    expect(upstream.told).toEqual([]);
  });

  it("T1 cancels a call whose server is not even connected to", async () => {
    const upstream = quiet();
    const setup = setUp(upstream);
    const session = await initialize(setup);
    const waiting = Promise.withResolvers<number | undefined>();
    upstream.opened = ({ signal, timeoutMs }) => {
      waiting.resolve(timeoutMs);
      return new Promise((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    };
    const answer = send(setup, legacy(session, "tools/call", { name: "a" }, 9));
    expect(await waiting.promise).toBe(LIMITS.mcpExchangeMs);
    const cancel = { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 9 } };
    await send(setup, { body: cancel, headers: legacy(session, "").headers });
    expect((await jsonOf(await answer)).error.message).toMatch("cancelled");
    expect(upstream.asked).toEqual([]);
  });

  it("T1 asks the client what the server asks, on the stream of its own request", async () => {
    const upstream = new FakeUpstream("2025", async (_request, { onRequest, signal }) => {
      const params = { message: "Sure?", requestedSchema: { type: "object" } };
      const answer = await onRequest?.({ method: "elicitation/create", params }, signal);
      const sampled = await onRequest?.({ method: "sampling/createMessage", params: {} }, signal);
      return { result: { answer, sampled } };
    });
    const setup = setUp(upstream);
    const session = await initialize(setup, { capabilities: { elicitation: {} } });
    const response = await send(setup, legacy(session, "tools/call", { name: "ask" }));
    const events = new Events(response);
    const { id, method, params } = await events.message();
    expect([method, params]).toMatchObject(["elicitation/create", { message: "Sure?" }]);
    const { headers } = legacy(session, "");
    const result = { action: "accept", content: {} };
    expect((await send(setup, { body: { jsonrpc: "2.0", id: "none", result }, headers })).status).toBe(202);
    expect((await send(setup, { body: { jsonrpc: "2.0", id, result }, headers })).status).toBe(202);
    // It offers no sampling, so it was never asked.
    expect(await events.message()).toMatchObject({
      id: 1,
      result: { answer: { result }, sampled: { error: { code: -32601 } } },
    });
    expect(await events.next()).toBeNull();
  });

  it("T1 tells the server of a client that offers nothing that it cannot be asked", async () => {
    const upstream = new FakeUpstream("2025", async (_request, { onRequest, signal }) => ({
      result: { told: await onRequest?.({ method: "roots/list", params: {} }, signal) },
    }));
    const setup = setUp(upstream);
    const answer = await send(setup, legacy(await initialize(setup), "tools/call", { name: "ask" }));
    expect((await jsonOf(answer)).result).toMatchObject({ told: { error: { code: -32601 } } });
  });

  it("T1 passes on the log lines that the client wants, and sets the server's level to the lowest that is wanted", async () => {
    const upstream = new FakeUpstream("2025", ({ method }, { onNotification }) => {
      if (method !== "logging/setLevel")
        for (const level of ["debug", "warning"])
          onNotification?.({ method: "notifications/message", params: { level, data: level } });
      return { result: {} };
    });
    const setup = setUp(upstream);
    const levels = ["error", "warning", "info", "notice"];
    for (const level of levels)
      await send(setup, legacy(await initialize(setup), "logging/setLevel", { level }));
    expect(upstream.asked.map(({ params }) => params.level)).toEqual(["error", "warning", "info"]);
    upstream.connections++;
    const session = await initialize(setup);
    await send(setup, legacy(session, "logging/setLevel", { level: "warning" }));
    // What the other sessions wanted they want still.
    expect(upstream.asked.at(-1)?.params.level).toBe("info");
    const events = new Events(await send(setup, legacy(session, "tools/call", { name: "log" })));
    expect(await events.message()).toMatchObject({ params: { level: "warning" } });
    expect(await events.message()).toMatchObject({ id: 1 });
    const wrong = await send(setup, legacy(session, "logging/setLevel", { level: "loud" }));
    expect((await jsonOf(wrong)).error.code).toBe(-32602);
  });
});

describe("a session's limits", () => {
  it("S6 refuses more calls than it may have under way, and a second one of the same id, by that id", async () => {
    const setup = setUp(new FakeUpstream("2025", () => new Promise(() => {})));
    const session = await initialize(setup);
    for (let id = 0; id < LIMITS.mcpSessionCalls; id++)
      void send(setup, legacy(session, "tools/call", {}, id));
    const refused = await send(setup, legacy(session, "tools/call", {}, "one more"));
    expect([refused.status, await jsonOf(refused)]).toMatchObject([
      503,
      { id: "one more", error: { data: { code: "overloaded", retryable: true } } },
    ]);
    await send(setup, { method: "DELETE", headers: legacy(session, "").headers });
    const other = await initialize(setup);
    void send(setup, legacy(other, "tools/call", {}, 7));
    expect((await send(setup, legacy(other, "tools/call", {}, 7))).status).toBe(400);
  });
});

describe("a session's streams", () => {
  it("T1 tells on GET what the server says unasked, and resources that were subscribed to", async () => {
    const upstream = quiet();
    const setup = setUp(upstream);
    const session = await initialize(setup);
    const { headers } = legacy(session, "");
    const events = new Events(await send(setup, { method: "GET", headers }));
    expect(await events.next()).toEqual({ id: "all.1", event: "message", data: "" });
    upstream.say("notifications/tools/list_changed");
    upstream.say("notifications/resources/updated", { uri: "a:b" });
    upstream.say("notifications/message", { level: "error", data: "another client's" });
    const subscribed = await send(setup, legacy(session, "resources/subscribe", { uri: "a:b" }));
    expect((await jsonOf(subscribed)).result).toEqual({});
    upstream.say("notifications/resources/updated", { uri: "a:c" });
    upstream.say("notifications/resources/updated", { uri: "a:b/c", odd: 1 });
    expect(await events.message()).toMatchObject({ method: "notifications/tools/list_changed" });
    expect(await events.message()).toMatchObject({ params: { uri: "a:b/c", odd: 1 } });
    await send(setup, legacy(session, "resources/unsubscribe", { uri: "a:b" }));
    expect(upstream.asked.map(({ method }) => method)).toEqual([
      "resources/subscribe",
      "resources/unsubscribe",
    ]);
    await send(setup, { method: "DELETE", headers });
    expect(await events.next()).toBeNull();
    expect(upstream.listeners).toBe(0);
    expect(setup.endpoint.counts()).toEqual({
      ...{ sessions: 0, requests: 0, streams: 0, heldCalls: 0, subscriptions: 0, eventBytes: 0 },
    });
  });

  it("T1 subscribes at the server once for all sessions", async () => {
    const upstream = quiet();
    const setup = setUp(upstream);
    const [one, two] = [await initialize(setup), await initialize(setup, { client: "bob" })];
    await send(setup, legacy(one, "resources/subscribe", { uri: "a:b" }));
    await send(setup, { ...legacy(two, "resources/subscribe", { uri: "a:b" }), client: "bob" });
    await send(setup, legacy(one, "resources/unsubscribe", { uri: "a:b" }));
    expect(upstream.asked.map(({ method }) => method)).toEqual(["resources/subscribe"]);
    await send(setup, { ...legacy(two, "resources/unsubscribe", { uri: "a:b" }), client: "bob" });
    expect(upstream.asked).toHaveLength(2);
  });

  it("T1 subscribes again at a server that was connected to anew, and takes the resource for changed", async () => {
    const upstream = quiet();
    const setup = setUp(upstream);
    const session = await initialize(setup);
    const { headers } = legacy(session, "");
    const events = new Events(await send(setup, { method: "GET", headers }));
    await send(setup, legacy(session, "resources/subscribe", { uri: "a:b" }));
    upstream.connections++;
    // It looks now and then, and asks again a little later.
    await vi.waitFor(() => {
      setup.clock.advance(1_000);
      expect(upstream.asked).toHaveLength(2);
    });
    expect(await events.message()).toMatchObject({
      method: "notifications/resources/updated",
      params: { uri: "a:b" },
    });
    expect(upstream.asked.map(({ method }) => method)).toEqual([
      "resources/subscribe",
      "resources/subscribe",
    ]);
    await send(setup, { method: "DELETE", headers });
    expect(setup.clock.waiting).toBe(0);
  });

  it("T1 goes on without its reader, who gets by Last-Event-ID what it missed on that stream alone", async () => {
    const finish = new Map<unknown, () => void>();
    const upstream = new FakeUpstream("2025", async ({ params }, { onNotification }) => {
      onNotification?.(progress(1));
      await new Promise<void>((resolve) => finish.set(params.name, resolve));
      onNotification?.(progress(2));
      return said(String(params.name));
    });
    const setup = setUp(upstream);
    const session = await initialize(setup);
    const { headers } = legacy(session, "");
    const streams = [];
    for (const [n, name] of ["a", "b"].entries()) {
      const events = new Events(await send(setup, legacy(session, "tools/call", { name }, n)));
      const primer = await events.next();
      expect(primer).toMatchObject({ data: "" });
      expect(await events.message()).toMatchObject({ params: { progressToken: 1 } });
      await events.leave();
      streams.push(primer?.id);
    }
    const resume = async (id: unknown) =>
      new Events(await send(setup, { method: "GET", headers: { ...headers, "last-event-id": String(id) } }));
    // One comes back before its call is over, the other one after that.
    const early = await resume(streams[0]);
    expect(await early.message()).toMatchObject({ params: { progressToken: 1 } });
    for (const end of finish.values()) end();
    const late = await resume(streams[1]);
    expect(await late.message()).toMatchObject({ params: { progressToken: 1 } });
    for (const [n, events] of [early, late].entries()) {
      expect(await events.message()).toMatchObject({ params: { progressToken: 2 } });
      expect(await events.message()).toMatchObject({ id: n, result: { content: [{ text: "ab"[n] }] } });
      expect(await events.next()).toBeNull();
    }
    expect(setup.endpoint.counts().streams).toBe(0);
  });

  it("T1 begins a stream with the result's own event where the client is older than such beginnings", async () => {
    const setup = setUp(
      new FakeUpstream("2025", (_request, { onNotification }) => {
        onNotification?.(progress(1));
        return said("done");
      }),
    );
    const session = await initialize(setup, { version: "2025-06-18" });
    const events = new Events(await send(setup, legacy(session, "tools/call", { name: "a" })));
    expect((await events.next())?.data).toContain("progressToken");
  });

  it("T1 lets a new GET stream take the place of the one before", async () => {
    const upstream = quiet();
    const setup = setUp(upstream);
    const { headers } = legacy(await initialize(setup), "");
    const [before, after] = [
      new Events(await send(setup, { method: "GET", headers })),
      new Events(await send(setup, { method: "GET", headers })),
    ];
    upstream.say("notifications/tools/list_changed");
    expect(await after.message()).toMatchObject({ method: "notifications/tools/list_changed" });
    expect((await before.next())?.data).toBe("");
    expect(await before.next()).toBeNull();
    expect(setup.endpoint.counts().streams).toBe(1);
  });

  it("T1 keeps a bounded number of events, and knows none of another stream", async () => {
    const upstream = new FakeUpstream("2025", (_request, { onNotification }) => {
      onNotification?.({ method: "notifications/message", params: { data: "x".repeat(300_000) } });
      return said("y".repeat(300_000));
    });
    const setup = setUp(upstream);
    const session = await initialize(setup);
    for (let id = 1; id <= 5; id++) {
      const events = new Events(await send(setup, legacy(session, "tools/call", { name: "a" }, id)));
      while (await events.next());
    }
    expect(setup.endpoint.counts().eventBytes).toBeLessThan(LIMITS.mcpSessionEventBytes + 1);
    expect(setup.endpoint.counts().eventBytes).toBeGreaterThan(300_000);
    const { headers } = legacy(session, "");
    for (const id of ["r1.1", "r99.1", "nonsense"]) {
      const response = await send(setup, { method: "GET", headers: { ...headers, "last-event-id": id } });
      expect(response.status).toBe(400);
    }
  });
});
