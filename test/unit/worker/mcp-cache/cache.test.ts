import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import { ANNA, aCall, aServer, aTool, cacheWorld } from "./setup.ts";

const BEN = { ...ANNA, subject: "ben" };
const RESULT = { content: [{ type: "text", text: "seven" }] };

describe("the cache of answers", () => {
  it("T3 gives an answer again, with its age, for five minutes", async () => {
    const { clock, answer, hit } = cacheWorld();
    expect(await hit(aCall())).toBeNull();
    await answer(aCall(), RESULT);
    clock.advance(LIMITS.cachedAnswerMs - 1);
    expect(await hit(aCall())).toEqual({
      ...{ kind: "hit", result: JSON.stringify(RESULT), ageMs: LIMITS.cachedAnswerMs - 1 },
    });
    clock.advance(1);
    expect(await hit(aCall())).toBeNull();
  });

  it("T3 says of a lifetime that the server gave how much is left of it", async () => {
    const { clock, answer, hit } = cacheWorld();
    await answer(aCall(), { ...RESULT, ttlMs: 1_000, cacheScope: "private" });
    clock.advance(400);
    const { result } = (await hit(aCall())) ?? {};
    expect(JSON.parse(result ?? "")).toEqual({ ...RESULT, ttlMs: 600, cacheScope: "private" });
    const read = aCall({ method: "resources/read", params: { uri: "a:b" } });
    await answer(read, { ttlMs: 5 });
    expect((await hit(read))?.result).toBe('{"ttlMs":5}');
  });

  it.each<[string, Parameters<typeof aCall>[0]]>([
    ["another client", { identity: BEN }],
    [
      "the same one with other permissions",
      { identity: { ...ANNA, permissions: ["tools:call", "tasks:read"] } },
    ],
    ["the same one, who sees less", { identity: { ...ANNA, scope: { swarm_ids: ["s"] } } }],
    ["the same one in another role", { identity: { ...ANNA, role: "viewer" } }],
    ["another hive", { hive: "other" }],
    ["another revision", { protocolVersion: "2025-11-25" }],
    ["other arguments", { params: { name: "look", arguments: { at: "1" } } }],
    ["what has no arguments", { params: { name: "look" } }],
    ["what has an address too", { params: { name: "look", arguments: { at: 1 }, uri: "a:b" } }],
    ["a client that can do more", { params: able({ elicitation: {} }) }],
    ["a client that wants log lines", { params: able(undefined, "debug") }],
    ["all servers as one", { server: null, params: { name: "demo__look", arguments: { at: 1 } } }],
  ])("T3 never gives it to %s", async (_, other) => {
    const { answer, hit, miss } = cacheWorld();
    await answer(aCall());
    await miss(aCall(other));
    expect(await hit(aCall())).not.toBeNull();
  });

  it("T3 knows a question by what it means, not by how it is written", async () => {
    const { answer, hit } = cacheWorld();
    await answer(aCall({ params: { name: "look", arguments: { a: [1, { b: 2, c: 3 }], d: "é" } } }));
    const params = {
      arguments: { d: "é", a: [1, { c: 3, b: 2 }] },
      name: "look",
      _meta: { progressToken: 9 },
    };
    const permissions = [...ANNA.permissions];
    expect(await hit(aCall({ params, identity: { ...ANNA, permissions } }))).not.toBeNull();
  });

  it("T3 gives it to others only when the server says that it is public", async () => {
    const { answer, hit } = cacheWorld();
    await answer(aCall(), { ...RESULT, ttlMs: 1_000, cacheScope: "public" });
    expect(await hit(aCall({ identity: BEN }))).not.toBeNull();
    expect(await hit(aCall({ identity: BEN, hive: "other" }))).toBeNull();
  });

  it("T3 S8 keeps to one client what is public of a server that not all may see", async () => {
    const { answer, hit } = cacheWorld();
    const read = { server: null, method: "resources/read", params: { uri: "a:b" } };
    await answer(aCall(read), { ttlMs: 1_000, cacheScope: "public" });
    expect(await hit(aCall(read))).not.toBeNull();
    expect(await hit(aCall({ ...read, identity: BEN }))).toBeNull();
  });

  it.each<[string, Parameters<typeof aCall>[0]]>([
    ["changes something", { params: { name: "change" } }],
    ["is for no tool that is known", { params: { name: "nobody" } }],
    ["is for no server that is known", { server: "nobody" }],
    ["has no server's name", { server: null }],
    ["goes on with an earlier one", { params: { name: "look", requestState: "s", inputResponses: {} } }],
    ["says what nobody knows", { params: { name: "look", _meta: { "example.com/tenant": "a" } } }],
    ["is none of those that may be kept", { method: "tools/list", params: {} }],
    ["names no revision", { protocolVersion: null }],
    ["forbids it", { cacheControl: "private, no-store" }],
    ["is too long", { params: { name: "look", arguments: { text: "x".repeat(LIMITS.cacheKeyChars) } } }],
  ])("T3 has nothing to do with a request that %s", async (_, call) => {
    expect(await cacheWorld().find(aCall(call))).toEqual({ kind: "none" });
  });

  it("T3 asks anew for a client that wants no old answer, and keeps the new one", async () => {
    const { answer, hit, miss } = cacheWorld();
    await answer(aCall(), { content: ["old"] });
    const anew = aCall({ cacheControl: "no-cache" });
    expect(await miss(anew)).toMatchObject({ join: null });
    await answer(anew, { content: ["new"] });
    expect((await hit(aCall()))?.result).toBe('{"content":["new"]}');
  });

  it("T3 lets equal questions of one client be joined, where a tool only reads", async () => {
    const { miss } = cacheWorld();
    const [first, again, ben, hinted] = [
      await miss(aCall()),
      await miss(aCall()),
      await miss(aCall({ identity: BEN })),
      await miss(aCall({ params: { name: "hinted" } })),
    ];
    expect(first.join).toMatch(/^[0-9a-f]{64}$/);
    expect(again.join).toBe(first.join);
    expect(ben.join).not.toBe(first.join);
    expect(hinted.join).toBeNull();
  });

  it("T3 drops what was answered by other tools than there are now", async () => {
    const { sidecar, view, answer, hit } = cacheWorld();
    await answer(aCall());
    sidecar.registry = { version: "2", servers: [aServer(), aServer({ name: "other", version: "o2" })] };
    view.heard("default", "2");
    expect(await hit(aCall()), "another server has changed").not.toBeNull();
    sidecar.registry = { version: "3", servers: [aServer({ version: "d3" })] };
    view.heard("default", "3");
    expect(await hit(aCall())).toBeNull();
    await answer(aCall());
    expect(await hit(aCall())).not.toBeNull();
  });

  it("T3 keeps nothing that was asked before a change and answered after it", async () => {
    const { sidecar, hit, miss } = cacheWorld();
    const { keep } = await miss(aCall());
    sidecar.registry = { version: "2", servers: [aServer({ version: "d2" })] };
    keep(RESULT, { registry: "2", joined: false });
    expect(await hit(aCall())).toBeNull();
    keep(RESULT, { registry: null, joined: false });
    expect(await hit(aCall())).toBeNull();
  });

  it("T3 keeps no answer that fills too much of it", async () => {
    const { answer, hit } = cacheWorld();
    await answer(aCall(), { content: ["x".repeat(LIMITS.cachedAnswerBytes / 2)] });
    expect(await hit(aCall())).toBeNull();
  });

  it("T3 counts hits, misses and joined calls of each tool, for those who may see it", async () => {
    const { clock, cache, answer, hit, miss } = cacheWorld();
    await answer(aCall());
    clock.advance(50);
    for (let times = 0; times < 2; times++) await hit(aCall());
    (await miss(aCall({ identity: BEN }))).keep({ isError: true }, { registry: "1", joined: true });
    const look = { hits: 2, misses: 2, joined: 1, hit_rate: 0.5, kept: 1 };
    expect(cache.report("default", () => true)).toEqual({
      ...look,
      tools: [{ ...look, tool: "demo__look", oldest_ms: 50 }],
    });
    expect(cache.report("default", () => false)).toMatchObject({ hits: 0, hit_rate: null, tools: [] });
    expect(cache.report("other", () => true)).toMatchObject({ kept: 0, hit_rate: null, tools: [] });
  });

  it("T3 never gives one client what only another one asked, whatever they ask", async () => {
    const tool = fc.constantFrom("look", "hinted");
    const asked = fc.record({
      who: fc.constantFrom("a", "b", "c"),
      tool,
      at: fc.nat(2),
      ownMs: fc.boolean(),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(asked, { maxLength: 40 }), async (requests) => {
        const { find } = cacheWorld();
        for (const [nth, { who, tool: name, at, ownMs }] of requests.entries()) {
          const found = await find(
            aCall({ identity: { ...ANNA, subject: who }, params: { name, arguments: { at } } }),
          );
          if (found.kind === "hit") expect(JSON.parse(found.result)).toMatchObject({ who, name, at });
          else if (found.kind === "miss")
            found.keep({ who, name, at, nth, ...(ownMs && { ttlMs: 9 }) }, { registry: "1", joined: false });
        }
      }),
      { numRuns: 50 },
    );
  });
});

describe("what the edge knows of tools", () => {
  it("T2 asks the sidecar first, then in the background once a second while only hits are given", async () => {
    const { clock, deferred, sidecar, answer, hit } = cacheWorld();
    await answer(aCall());
    expect(sidecar.asked).toBe(1);
    for (let second = 1; second <= 3; second++) {
      clock.advance(LIMITS.registryConfirmedMs);
      for (let times = 0; times < 5; times++) expect(await hit(aCall())).not.toBeNull();
      expect(deferred).toHaveLength(second);
      await Promise.all(deferred);
    }
    expect(sidecar.asked).toBe(4);
  });

  it("T2 need not ask while answers confirm it", async () => {
    const { clock, view, sidecar, answer, hit } = cacheWorld();
    await answer(aCall());
    for (let times = 0; times < 5; times++) {
      clock.advance(LIMITS.registryConfirmedMs - 1);
      view.heard("default", "1");
      await hit(aCall());
    }
    expect(sidecar.asked).toBe(1);
  });

  it("T3 notices a change within two seconds, even after a long silence", async () => {
    const { clock, sidecar, deferred, answer, hit } = cacheWorld();
    await answer(aCall());
    sidecar.registry = { version: "2", servers: [aServer({ version: "d2" })] };
    clock.advance(LIMITS.registryTrustedMs);
    expect(await hit(aCall())).not.toBeNull();
    await Promise.all(deferred);
    expect(await hit(aCall())).toBeNull();
    await answer(aCall());
    sidecar.registry = { version: "3", servers: [aServer({ version: "d2" })] };
    clock.advance(LIMITS.registryTrustedMs + 1);
    expect(await hit(aCall()), "asked first: the server is the same").not.toBeNull();
  });

  it("C1 asks about the tool's own server before a call, and about all for whoever wants to see them", async () => {
    const { sidecar, view, find } = cacheWorld();
    await find(aCall());
    await find(aCall());
    expect(sidecar.waitedFor).toEqual(["demo"]);
    await view.servers("default");
    await view.servers("default");
    await find(aCall());
    expect(sidecar.waitedFor).toEqual(["demo", null]);
  });

  it("T2 tells of all tools, or why it cannot", async () => {
    const { clock, sidecar, view } = cacheWorld();
    expect(await view.servers("default")).toEqual([aServer()]);
    expect(await view.servers("default")).toEqual([aServer()]);
    expect(sidecar.asked).toBe(1);
    sidecar.registry = null;
    clock.advance(LIMITS.registryTrustedMs + 1);
    await expect(view.servers("default")).rejects.toThrow("no answer");
  });

  it("T3 caches nothing while the sidecar does not say which tools there are, and does not keep asking", async () => {
    const { clock, sidecar, find } = cacheWorld();
    sidecar.registry = null;
    for (let times = 0; times < 5; times++) expect(await find(aCall())).toEqual({ kind: "none" });
    expect(sidecar.asked).toBe(1);
    sidecar.registry = { version: "1", servers: [aServer({ tools: [aTool({ cacheable: true })] })] };
    clock.advance(LIMITS.registryRetryMs);
    expect(await find(aCall())).toMatchObject({ kind: "miss" });
  });
});

function able(capabilities?: object, logLevel?: string): Record<string, unknown> {
  const _meta = {
    ...(capabilities && { "io.modelcontextprotocol/clientCapabilities": capabilities }),
    ...(logLevel && { "io.modelcontextprotocol/logLevel": logLevel }),
  };
  return { name: "look", arguments: { at: 1 }, _meta };
}
