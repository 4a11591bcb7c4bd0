import { describe, expect, it, vi } from "vitest";
import type { McpAnswer } from "../../../../shared/protocol/mcp.ts";
import { Subscriptions } from "../../../../sidecar/mcp/endpoint/subscriptions.ts";
import { FakeUpstream } from "../../../support/fake-upstream.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { Events, jsonOf, legacy, modern } from "../../../support/mcp-messages.ts";
import { initialize, type Setup, send, setUp } from "./setup.ts";

const CALL = { name: "slow", arguments: {} };
const DONE: McpAnswer = { result: { content: [] } };
const elicit = { method: "elicitation/create", params: { message: "Who?", requestedSchema: {} } };

/** A server named `one` as its address says, which can be taken away, and answers its tool when it is told to. */
function removable(era: "2025" | "2026" = "2025") {
  const { promise, resolve } = Promise.withResolvers<McpAnswer>();
  const called = vi.fn();
  const play = ({ method }: { method: string }): McpAnswer | Promise<McpAnswer> => {
    if (method !== "tools/call") return { result: {} };
    called();
    return promise;
  };
  const upstream = new FakeUpstream(era, play, {}, "one");
  let isThere = true;
  const setup = setUp(upstream, { upstream: () => (isThere ? upstream : null) });
  const remove = () => {
    isThere = false;
    setup.endpoint.removed(upstream);
  };
  const isCalled = () => vi.waitFor(() => expect(called).toHaveBeenCalled());
  return { upstream, setup, remove, isCalled, answer: () => resolve(DONE) };
}

/** Of one name. */
function twoServers(): [FakeUpstream, FakeUpstream] {
  const one = () => new FakeUpstream("2025", () => ({ result: {} }), {}, "one");
  return [one(), one()];
}

const nothingIsHeld = ({ endpoint, clock }: Setup): void => {
  const none = { sessions: 0, requests: 0, streams: 0, heldCalls: 0, subscriptions: 0, eventBytes: 0 };
  expect(endpoint.counts()).toEqual(none);
  expect(clock.waiting).toBe(0);
};

describe("a server that is taken away", () => {
  it("C1 T1 is not there for a session of it any more, whose streams end", async () => {
    const { setup, upstream, remove } = removable();
    const session = await initialize(setup);
    const { headers } = legacy(session, "");
    const stream = new Events(await send(setup, { method: "GET", headers }));
    await stream.next();
    await send(setup, legacy(session, "resources/subscribe", { uri: "a:b" }));
    remove();
    expect(await stream.next()).toBeNull();
    const refused = await send(setup, legacy(session, "tools/list"));
    expect([refused.status, (await jsonOf(refused)).error.data]).toEqual([
      404,
      { code: "unknown_server", retryable: false },
    ]);
    await vi.waitFor(() => expect(upstream.listeners).toBe(0));
    nothingIsHeld(setup);
  });

  it("C1 T1 answers what it was asked before in a session, which takes nothing new and then is over", async () => {
    const { setup, remove, isCalled, answer } = removable();
    const session = await initialize(setup);
    const asked = send(setup, legacy(session, "tools/call", CALL));
    await isCalled();
    remove();
    const { headers } = legacy(session, "");
    for (const refused of [
      await send(setup, legacy(session, "tools/list", {}, 2)),
      await send(setup, { method: "GET", headers }),
    ])
      expect([refused.status, (await jsonOf(refused)).error.code]).toEqual([404, -32004]);
    answer();
    expect(await jsonOf(await asked)).toMatchObject({ id: 1, ...DONE });
    nothingIsHeld(setup);
  });

  it("C1 T1 hears from a client what it asked that one before", async () => {
    const { setup, upstream, remove } = removable();
    upstream.play = async (_request, { onRequest, signal }) => ({
      result: { heard: await onRequest?.(elicit, signal) },
    });
    const session = await initialize(setup, { capabilities: { elicitation: {} } });
    const events = new Events(await send(setup, legacy(session, "tools/call", CALL)));
    await events.next();
    const { id, method } = await events.message();
    expect(method).toBe(elicit.method);
    remove();
    const body = { jsonrpc: "2.0", id, result: { action: "decline" } };
    const { headers } = legacy(session, "");
    expect((await send(setup, { body, headers })).status).toBe(202);
    expect(await events.message()).toMatchObject({
      id: 1,
      result: { heard: { result: { action: "decline" } } },
    });
    expect(await events.next()).toBeNull();
    nothingIsHeld(setup);
  });

  it("C1 T1 ends the streams of its changes, and calls that wait for a client that cannot come back", async () => {
    const { setup, upstream, remove } = removable();
    const reasons: unknown[] = [];
    upstream.play = ({ method }, { onRequest, signal }) => {
      if (method !== "tools/call") return { result: {} };
      signal.addEventListener("abort", () => reasons.push(signal.reason.code));
      return onRequest?.(elicit, signal) ?? DONE;
    };
    const listen = modern("subscriptions/listen", { notifications: { resourceSubscriptions: ["a:b"] } });
    const stream = new Events(await send(setup, listen));
    await stream.message();
    const asking = modern("tools/call", CALL, { capabilities: { elicitation: {} } });
    expect((await jsonOf(await send(setup, asking))).result).toMatchObject({ resultType: "input_required" });
    remove();
    expect(await stream.message()).toMatchObject({ id: 1, result: { resultType: "complete" } });
    expect(await stream.next()).toBeNull();
    expect(reasons).toEqual(["unknown_server"]);
    await vi.waitFor(() => nothingIsHeld(setup));
    expect(upstream.listeners).toBe(0);
  });

  it("C1 T1 is watched no more: a session at several servers may ask for the resource again", async () => {
    const clock = new ManualClock();
    const subscriptions = new Subscriptions(clock);
    const [before, after] = twoServers();
    const [heard, gone] = [vi.fn(), vi.fn()];
    const stop = await subscriptions.add(before, "a:b", "alice", heard, gone);
    subscriptions.forget("one");
    await vi.waitFor(() => expect(gone).toHaveBeenCalledOnce());
    expect([subscriptions.size, before.listeners, clock.waiting]).toEqual([0, 0, 0]);
    await subscriptions.add(after, "a:b", "alice", heard, gone);
    if (typeof stop === "function") stop();
    after.say("notifications/resources/updated", { uri: "a:b" });
    expect(heard).toHaveBeenCalledOnce();
    expect([subscriptions.size, after.asked.map(({ method }) => method)]).toEqual([
      1,
      ["resources/subscribe"],
    ]);
    expect(gone).toHaveBeenCalledOnce();
  });

  it("C1 T1 has its log level said anew when it comes back", async () => {
    const [before, after] = twoServers();
    let upstream = before;
    const setup = setUp(before, { upstream: () => upstream });
    const setLevel = async () => {
      const session = await initialize(setup);
      await send(setup, legacy(session, "logging/setLevel", { level: "error" }));
    };
    await setLevel();
    setup.endpoint.removed(before);
    upstream = after;
    await setLevel();
    expect(after.asked.map(({ method }) => method)).toEqual(["logging/setLevel"]);
  });
});

describe("a server that is of another era than before", () => {
  it("C1 T1 goes on with a session that was opened at the one before", async () => {
    const { setup, upstream } = removable();
    upstream.play = ({ method }) => ({ result: { method } });
    const session = await initialize(setup);
    await send(setup, legacy(session, "logging/setLevel", { level: "debug" }));
    upstream.facts = { ...upstream.facts, era: "2026", protocolVersion: "2026-07-28" };
    upstream.connections++;
    upstream.play = ({ method, params }) => ({
      result: { resultType: "complete", method, isModern: params._meta !== undefined },
    });
    upstream.asked.length = 0;
    const answer = await jsonOf(await send(setup, legacy(session, "tools/call", CALL)));
    expect(answer.result).toEqual({ method: "tools/call", isModern: true });
    expect(upstream.asked.map(({ method }) => method)).toEqual(["tools/call"]);
    upstream.facts = { ...upstream.facts, era: "2025" };
    upstream.play = ({ method }) => ({ result: { method } });
    expect((await jsonOf(await send(setup, legacy(session, "tools/call", CALL)))).result).toEqual({
      method: "tools/call",
    });
  });

  it("C1 T1 leaves a call that waits for its client to the server that asked", async () => {
    const { setup, upstream } = removable();
    upstream.play = async (_request, { onRequest, signal }) => ({
      result: { heard: await onRequest?.(elicit, signal) },
    });
    const capable = { capabilities: { elicitation: {} } };
    const { result } = await jsonOf(await send(setup, modern("tools/call", CALL, capable)));
    upstream.facts = { ...upstream.facts, era: "2026", protocolVersion: "2026-07-28" };
    upstream.play = () => ({ error: { code: -32602, message: "what state?" } });
    const inputResponses = { "input-1": { action: "decline" } };
    const more = { ...CALL, inputResponses, requestState: result.requestState };
    expect((await jsonOf(await send(setup, modern("tools/call", more, capable)))).result).toMatchObject({
      heard: { result: { action: "decline" } },
    });
    expect(upstream.asked).toHaveLength(1);
    nothingIsHeld(setup);
  });
});

describe("a server that is replaced", () => {
  it("C1 T1 has its resources watched at the new one soon, which are taken for changed", async () => {
    const upstream = new FakeUpstream("2025", () => ({ result: {} }));
    const clock = new ManualClock();
    const startedMs = clock.now();
    const heard = vi.fn();
    await new Subscriptions(clock).add(upstream, "a:b", "alice", heard);
    upstream.connections++;
    upstream.say("notifications/resources/list_changed");
    await vi.waitFor(() => {
      clock.advance(1_000);
      expect(upstream.asked.map(({ method }) => method)).toEqual([
        "resources/subscribe",
        "resources/subscribe",
      ]);
    });
    expect(clock.now() - startedMs).toBeLessThan(15_000);
    await vi.waitFor(() => expect(heard).toHaveBeenCalledOnce());
  });
});
