import { describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import type { McpAnswer } from "../../../../shared/protocol/mcp.ts";
import { FakeUpstream } from "../../../support/fake-upstream.ts";
import { Events, jsonOf, legacy, modern } from "../../../support/mcp-messages.ts";
import { initialize, send, setUp } from "./setup.ts";

const KEY = "io.modelcontextprotocol/";
const elicit = (message: string) => ({
  method: "elicitation/create",
  params: { message, requestedSchema: { type: "object", properties: {} } },
});
const accept = (name: string) => ({ action: "accept", content: { name } });

/** A 2025 server whose tool asks for all of these at once, then for one more, and says what it got. */
const asking = (...messages: string[]) =>
  new FakeUpstream("2025", async (_request, { onRequest, onNotification, signal }): Promise<McpAnswer> => {
    const ask = (message: string) => onRequest?.(elicit(message), signal) ?? Promise.resolve("nobody");
    const first = await Promise.all(messages.map(ask));
    onNotification?.({ method: "notifications/progress", params: { progressToken: "old", progress: 1 } });
    return { result: { first, last: await ask("last") } };
  });

const capable = { capabilities: { elicitation: {} } };
const call = (params = {}, options = {}) =>
  modern("tools/call", { name: "a", ...params }, { ...capable, ...options });

describe("a client of 2026 at a server of 2025", () => {
  it("T1 is asked by input_required what the server asks, while the server's call stays open", async () => {
    const upstream = asking("one", "two");
    const setup = setUp(upstream);
    const first = (await jsonOf(await send(setup, call()))).result;
    expect(first).toEqual({
      resultType: "input_required",
      inputRequests: { "input-1": elicit("one"), "input-2": elicit("two") },
      requestState: "id-1",
    });
    // It brings half of what was asked for, and is asked again for the rest.
    const inputResponses = { "input-1": accept("1"), "input-9": accept("9") };
    const again = (await jsonOf(await send(setup, call({ inputResponses, requestState: "id-1" })))).result;
    expect(again).toMatchObject({ inputRequests: { "input-2": elicit("two") }, requestState: "id-2" });
    expect(Object.keys(Object(again.inputRequests))).toEqual(["input-2"]);
    const rest = { inputResponses: { "input-2": accept("2") }, requestState: "id-2" };
    const events = new Events(await send(setup, call(rest, { id: 3, meta: { progressToken: "new" } })));
    expect(await events.message()).toMatchObject({ params: { progressToken: "new", progress: 1 } });
    const last = await events.message();
    expect(last).toMatchObject({ id: 3, result: { resultType: "input_required", requestState: "id-3" } });
    const done = call({ inputResponses: { "input-3": { action: "decline" } }, requestState: "id-3" });
    expect((await jsonOf(await send(setup, done))).result).toMatchObject({
      resultType: "complete",
      first: [{ result: accept("1") }, { result: accept("2") }],
      last: { result: { action: "decline" } },
    });
    expect(upstream.asked).toHaveLength(1);
    expect(setup.endpoint.counts().heldCalls).toBe(0);
    expect(setup.clock.waiting).toBe(0);
  });

  it("S8 goes on only with its own call, once, and in time", async () => {
    const setup = setUp(asking("one"));
    await send(setup, call());
    const answers = { inputResponses: { "input-1": accept("1") } };
    const status = async (sent: ReturnType<typeof call>, client = "alice") => {
      const response = await send(setup, { ...sent, client });
      return [response.status, (await jsonOf(response)).error.code];
    };
    const refused = [400, -32602];
    expect(await status(call({ ...answers, requestState: "id-0" }))).toEqual(refused);
    expect(await status(call({ ...answers, requestState: "id-1" }), "mallory")).toEqual(refused);
    expect(await status(call({ ...answers, requestState: "id-1", arguments: { other: 1 } }))).toEqual(
      refused,
    );
    expect(await status(call({ ...answers, requestState: "id-1" }))).toEqual([200, undefined]);
    expect(await status(call({ ...answers, requestState: "id-1" }))).toEqual(refused);
    setup.clock.advance(LIMITS.mcpAskedMs);
    expect(await status(call({ ...answers, requestState: "id-2" }))).toEqual(refused);
    expect([setup.endpoint.counts().heldCalls, setup.clock.waiting]).toEqual([0, 0]);
  });

  it("T1 hears the outcome even where the server ended the call while it was away", async () => {
    let giveUp = () => {};
    const upstream = new FakeUpstream("2025", (_request, { onRequest, signal }) => {
      const asked = onRequest?.(elicit("one"), signal);
      const late = new Promise<McpAnswer>((resolve) => {
        giveUp = () => resolve({ result: { tired: true } });
      });
      return Promise.race([late, Promise.resolve(asked).then(() => ({ result: {} }))]);
    });
    const setup = setUp(upstream);
    await send(setup, call());
    giveUp();
    // All that follows from it without I/O has happened by then.
    await new Promise((resolve) => setImmediate(resolve));
    const answer = await jsonOf(await send(setup, call({ requestState: "id-1" })));
    expect(answer.result).toMatchObject({ resultType: "complete", tired: true });
  });

  it("T1 is not asked for what it does not offer, and many calls are not held for it", async () => {
    const upstream = asking("one");
    const setup = setUp(upstream);
    const plain = await jsonOf(await send(setup, modern("tools/call", { name: "a" })));
    expect(plain.result).toMatchObject({ resultType: "complete", first: [{ error: { code: -32601 } }] });
    const other = await jsonOf(
      await send(setup, modern("tools/call", { name: "a" }, { capabilities: { roots: {} } })),
    );
    expect(other.result).toMatchObject({ first: [{ error: { code: -32601 } }] });
    for (let n = 0; n < LIMITS.mcpHeldCallsPerClient; n++) await send(setup, call());
    const full = await jsonOf(await send(setup, call()));
    expect(full.result).toMatchObject({ resultType: "complete", first: [{ error: { code: -32601 } }] });
    expect((await jsonOf(await send(setup, { ...call(), client: "bob" }))).result.resultType).toBe(
      "input_required",
    );
    setup.endpoint.close();
    expect([setup.endpoint.counts().heldCalls, setup.clock.waiting]).toEqual([0, 0]);
  });

  it("T1 is told what it would have to offer where a server cannot do without", async () => {
    const upstream = new FakeUpstream("2025", async (_request, { onRequest, signal }) => {
      await onRequest?.({ method: "sampling/createMessage", params: {} }, signal);
      await onRequest?.({ method: "roots/list", params: {} }, signal);
      return { result: { content: [], isError: true } };
    });
    const response = await send(setUp(upstream), call());
    expect([response.status, (await jsonOf(response)).error]).toMatchObject([
      400,
      { code: -32021, data: { requiredCapabilities: { sampling: {}, roots: {} } } },
    ]);
  });

  it("T1 hears log lines only where it says from which level on, and the server is told", async () => {
    const upstream = new FakeUpstream("2025", ({ method }, { onNotification }) => {
      if (method === "tools/call")
        for (const level of ["info", "error"])
          onNotification?.({ method: "notifications/message", params: { level, data: level } });
      return { result: { method } };
    });
    const setup = setUp(upstream);
    const silent = await send(setup, modern("tools/call", { name: "a" }));
    expect(silent.headers.get("content-type")).toBe("application/json");
    const meta = { [`${KEY}logLevel`]: "warning" };
    const events = new Events(await send(setup, modern("tools/call", { name: "a" }, { meta })));
    expect(await events.message()).toMatchObject({ params: { level: "error" } });
    expect(await events.message()).toMatchObject({ id: 1 });
    expect(upstream.asked.map(({ method, params }) => [method, params])).toEqual([
      ["tools/call", { name: "a" }],
      ["logging/setLevel", { level: "warning" }],
      ["tools/call", { name: "a" }],
    ]);
  });

  it("T1 is asked to open an address, or told that it would have to be able to", async () => {
    const params = { mode: "url", url: "https://a.example", message: "Sign in", elicitationId: "e" };
    const error = { code: -32042, message: "Sign in", data: { elicitations: [params] } };
    const setup = setUp(new FakeUpstream("2025", () => ({ error })));
    const able = modern("tools/call", { name: "a" }, { capabilities: { elicitation: { url: {} } } });
    expect((await jsonOf(await send(setup, able))).result).toEqual({
      resultType: "input_required",
      inputRequests: { "url-1": { method: "elicitation/create", params } },
    });
    const unable = await send(setup, call());
    expect([unable.status, (await jsonOf(unable)).error]).toMatchObject([
      400,
      { code: -32021, data: { requiredCapabilities: { elicitation: { url: {} } } } },
    ]);
  });
});

describe("a client of 2025 at a server of 2026", () => {
  it("T1 is asked on its own stream for what the server wants before it answers", async () => {
    const upstream = new FakeUpstream("2026", ({ params }) =>
      params.inputResponses === undefined
        ? {
            result: {
              resultType: "input_required",
              inputRequests: { name: elicit("Who?") },
              requestState: "s",
            },
          }
        : { result: { resultType: "complete", content: [], got: params.inputResponses } },
    );
    const setup = setUp(upstream);
    const session = await initialize(setup, capable);
    const events = new Events(await send(setup, legacy(session, "tools/call", { name: "a" })));
    const { id, method } = await events.message();
    expect(method).toBe("elicitation/create");
    const { headers } = legacy(session, "");
    await send(setup, { body: { jsonrpc: "2.0", id, result: accept("x") }, headers });
    expect(await events.message()).toEqual({
      jsonrpc: "2.0",
      id: 1,
      result: { content: [], got: { name: accept("x") } },
    });
    expect(upstream.asked.map(({ params }) => params)).toMatchObject([
      {
        _meta: { [`${KEY}protocolVersion`]: "2026-07-28", [`${KEY}clientCapabilities`]: { elicitation: {} } },
      },
      { requestState: "s", inputResponses: { name: accept("x") } },
    ]);
  });

  it("T1 sets its level with each request, and subscribes by listening", async () => {
    let listening: ((notification: { method: string; params: Record<string, unknown> }) => void) | undefined;
    let isOver = false;
    const upstream = new FakeUpstream("2026", ({ method }, { onNotification, signal }) => {
      if (method !== "subscriptions/listen") return { result: { resultType: "complete" } };
      listening = onNotification;
      signal.addEventListener("abort", () => {
        isOver = true;
      });
      onNotification?.({ method: "notifications/subscriptions/acknowledged", params: { notifications: {} } });
      return new Promise(() => {});
    });
    const setup = setUp(upstream);
    const session = await initialize(setup);
    await send(setup, legacy(session, "logging/setLevel", { level: "info" }));
    await send(setup, legacy(session, "tools/call", { name: "a" }));
    expect(upstream.asked[0]?.params._meta).toMatchObject({ [`${KEY}logLevel`]: "info" });
    const { headers } = legacy(session, "");
    const events = new Events(await send(setup, { method: "GET", headers }));
    await send(setup, legacy(session, "resources/subscribe", { uri: "a:b" }));
    expect(upstream.asked.at(-1)).toMatchObject({
      params: { notifications: { resourceSubscriptions: ["a:b"] } },
    });
    listening?.({ method: "notifications/resources/updated", params: { uri: "a:b" } });
    expect(await events.message()).toMatchObject({
      method: "notifications/resources/updated",
      params: { uri: "a:b" },
    });
    await send(setup, { method: "DELETE", headers });
    expect(isOver).toBe(true);
    expect(setup.clock.waiting).toBe(0);
  });

  it("T1 listens again when that is interrupted, and takes the resource for changed", async () => {
    let interrupt = () => {};
    const upstream = new FakeUpstream("2026", (_request, { onNotification }) => {
      onNotification?.({ method: "notifications/subscriptions/acknowledged", params: {} });
      return new Promise((resolve) => {
        interrupt = () => resolve({ result: { resultType: "complete" } });
      });
    });
    const setup = setUp(upstream);
    const session = await initialize(setup);
    const { headers } = legacy(session, "");
    const events = new Events(await send(setup, { method: "GET", headers }));
    await send(setup, legacy(session, "resources/subscribe", { uri: "a:b" }));
    interrupt();
    await vi.waitFor(() => {
      setup.clock.advance(1_000);
      expect(upstream.asked).toHaveLength(2);
    });
    expect(await events.message()).toMatchObject({
      method: "notifications/resources/updated",
      params: { uri: "a:b" },
    });
    await send(setup, { method: "DELETE", headers });
    expect(setup.clock.waiting).toBe(0);
  });
});

describe("subscriptions/listen", () => {
  const filter = { toolsListChanged: true, promptsListChanged: true, resourceSubscriptions: ["a:b"] };
  const quiet = () => new FakeUpstream("2025", () => ({ result: {} }));

  it("T1 is acknowledged first, and tells what was asked for and can be told, with the request's id", async () => {
    const upstream = quiet();
    const setup = setUp(upstream);
    const response = await send(
      setup,
      modern("subscriptions/listen", { notifications: filter }, { id: "sub" }),
    );
    expect(response.headers.get("content-type")).toMatch("text/event-stream");
    const events = new Events(response);
    const tagged = { [`${KEY}subscriptionId`]: "sub" };
    expect(await events.message()).toEqual({
      jsonrpc: "2.0",
      method: "notifications/subscriptions/acknowledged",
      params: { notifications: { toolsListChanged: true, resourceSubscriptions: ["a:b"] }, _meta: tagged },
    });
    upstream.say("notifications/prompts/list_changed");
    upstream.say("notifications/message", { level: "error" });
    upstream.say("notifications/resources/updated", { uri: "a:c" });
    upstream.say("notifications/tools/list_changed", { _meta: { x: 1 } });
    upstream.say("notifications/resources/updated", { uri: "a:b" });
    expect(await events.message()).toMatchObject({
      method: "notifications/tools/list_changed",
      params: { _meta: { x: 1, ...tagged } },
    });
    expect(await events.message()).toMatchObject({ params: { uri: "a:b", _meta: tagged } });
    await events.leave();
    expect(upstream.asked.map(({ method }) => method)).toEqual([
      "resources/subscribe",
      "resources/unsubscribe",
    ]);
    expect([upstream.listeners, setup.endpoint.counts().streams, setup.clock.waiting]).toEqual([0, 0, 0]);
  });

  it("T1 is over at once where there is nothing to tell, and refused without a filter", async () => {
    const setup = setUp(quiet());
    const listen = (notifications: unknown) => send(setup, modern("subscriptions/listen", { notifications }));
    const events = new Events(await listen({ promptsListChanged: true }));
    expect(await events.message()).toMatchObject({ params: { notifications: {} } });
    expect(await events.message()).toMatchObject({ id: 1, result: { resultType: "complete" } });
    expect(await events.next()).toBeNull();
    expect((await listen(undefined)).status).toBe(400);
    expect((await listen({ toolsListChanged: "yes" })).status).toBe(400);
  });

  it("S6 is open a bounded number of times for one client, kept alive by one timer, and ended with the sidecar", async () => {
    const setup = setUp(quiet());
    const listen = () =>
      send(setup, modern("subscriptions/listen", { notifications: { toolsListChanged: true } }));
    const open = [];
    for (let n = 0; n < LIMITS.mcpListensPerClient; n++) open.push(new Events(await listen()));
    expect((await jsonOf(await listen())).error.data).toMatchObject({ code: "overloaded" });
    expect(setup.clock.waiting).toBe(1);
    for (const events of open) await events.message();
    setup.endpoint.close();
    for (const events of open)
      expect(await events.message()).toMatchObject({ result: { resultType: "complete" } });
    expect([setup.endpoint.counts().streams, setup.clock.waiting]).toEqual([0, 0]);
  });
});
