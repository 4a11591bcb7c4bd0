import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../../shared/errors.ts";
import { LIMITS } from "../../../../shared/limits.ts";
import { Subscriptions } from "../../../../sidecar/mcp/endpoint/subscriptions.ts";
import type { Era } from "../../../../sidecar/mcp/upstream.ts";
import { FakeUpstream } from "../../../support/fake-upstream.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

/** Lets promises that are already settled have their say. */
const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));

/** Everything agrees to be watched, from a connection that is made when it is needed. */
function watching(era: Era = "2025") {
  const upstream = new FakeUpstream(era, () => ({ result: {} }));
  upstream.drop();
  const clock = new ManualClock();
  const subscriptions = new Subscriptions(clock);
  const heard: unknown[] = [];
  const add = (uri = "a:b", client = "alice", at = upstream) =>
    subscriptions.add(at, uri, client, ({ params }) => void heard.push(params.uri));
  /** A minute passes. */
  const wait = async () => {
    for (let second = 0; second < 60; second++) {
      clock.advance(1_000);
      await settled();
    }
  };
  const asked = () => upstream.asked.map(({ method }) => method.replace("resources/", ""));
  return { upstream, clock, subscriptions, heard, add, wait, asked };
}

describe("a watched resource", () => {
  it("T1 is asked for once while its server is connected to", async () => {
    const { add, wait, asked, heard } = watching();
    await add();
    await wait();
    expect([asked(), heard]).toEqual([["subscribe"], []]);
  });

  it("T1 brings its server back when that is lost, were nobody else to call it", async () => {
    const { upstream, add, wait, asked, heard } = watching();
    await add();
    upstream.drop();
    await wait();
    expect([upstream.isOpen, asked(), heard]).toEqual([true, ["subscribe", "subscribe"], ["a:b"]]);
  });

  it("T1 is asked for until the server that was connected to anew agrees, whatever it says before", async () => {
    const { upstream, add, wait, asked, heard } = watching();
    await add();
    const answers = [
      () => Promise.reject(new HivegateError("timeout")),
      () => ({ error: { code: -32603, message: "not yet" } }),
    ];
    upstream.play = () => answers.shift()?.() ?? { result: {} };
    upstream.drop();
    await wait();
    expect([asked(), heard]).toEqual([Array.from({ length: 4 }, () => "subscribe"), ["a:b"]]);
  });

  it("T1 is listened to again where a server of 2026 stops telling, and taken for changed", async () => {
    const { upstream, add, wait, heard } = watching("2026");
    let end = (): void => {};
    upstream.play = (_request, { onNotification }) => {
      onNotification?.({ method: "notifications/subscriptions/acknowledged", params: {} });
      return new Promise((resolve) => {
        end = () => resolve({ result: {} });
      });
    };
    await add();
    end();
    await wait();
    expect([upstream.asked.length, heard]).toEqual([2, ["a:b"]]);
  });

  it("T1 is not asked for before its server was told that nobody wanted it any more", async () => {
    const { upstream, subscriptions, add, asked } = watching();
    const stop = await add();
    const told = Promise.withResolvers<void>();
    upstream.play = async ({ method }) => {
      if (method === "resources/unsubscribe") await told.promise;
      return { result: {} };
    };
    if (typeof stop === "function") stop();
    const again = add();
    await settled();
    expect(asked()).toEqual(["subscribe", "unsubscribe"]);
    told.resolve();
    expect(await again).toBeTypeOf("function");
    expect([asked(), subscriptions.size]).toEqual([["subscribe", "unsubscribe", "subscribe"], 1]);
  });

  it("S6 leaves room for others: a client has so many in all, a server so many of all clients", async () => {
    const { add, subscriptions } = watching();
    const overloaded = { data: { code: "overloaded" } };
    const stops = [];
    for (let n = 0; n < LIMITS.mcpSubscriptionsPerClient; n++) stops.push(await add(`a:${n}`));
    expect(await add("a:more")).toMatchObject(overloaded);
    for (let n = LIMITS.mcpSubscriptionsPerClient; n < LIMITS.mcpSubscriptions; n++)
      expect(await add(`a:${n}`, `client-${n % 100}`)).toBeTypeOf("function");
    expect(await add("a:more", "bob")).toMatchObject(overloaded);
    const other = new FakeUpstream("2025", () => ({ result: {} }), {}, "other");
    expect(await add("a:more", "bob", other)).toBeTypeOf("function");
    const [first] = stops;
    if (typeof first === "function") first();
    expect(subscriptions.size).toBe(LIMITS.mcpSubscriptions);
    await settled();
    expect(await add("a:more")).toBeTypeOf("function");
  });

  it("T1 of a refusal nothing stays behind", async () => {
    const { upstream, clock, subscriptions, add } = watching();
    const error = { code: -32602, message: "no" };
    upstream.play = () => ({ error });
    for (let n = 0; n <= LIMITS.mcpSubscriptionsPerClient; n++) expect(await add()).toEqual(error);
    await settled();
    expect([subscriptions.size, clock.waiting, upstream.listeners]).toEqual([0, 0, 0]);
  });
});
