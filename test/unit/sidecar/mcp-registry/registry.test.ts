import { describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import type { McpAnswer } from "../../../../shared/protocol/mcp.ts";
import { RegistryAnswer } from "../../../../shared/protocol/tools.ts";
import { type Lists, offering, ScriptedUpstream } from "./scripted-upstream.ts";
import { registryOf } from "./setup.ts";

const named = (...names: string[]) => names.map((name) => ({ name }));

/** The names of each server's tools, as the registry tells them. */
const namesIn = ({ servers }: RegistryAnswer) =>
  servers.map(({ name, status, tools }) => [name, status, ...tools.map((tool) => tool.name)]);

describe("the registry", () => {
  it("T2 lists servers on first need, once for all who need it", async () => {
    const server = offering("a", { tools: named("agent_list") });
    const { registry } = registryOf([server]);
    expect(server.asked).toEqual([]);
    const answers = await Promise.all([registry.answer({}), registry.answer({}), registry.upToDate()]);
    await registry.answer({});
    expect(server.count("tools/list")).toBe(1);
    expect(RegistryAnswer.parse(answers[0])).toEqual(answers[1]);
    expect(namesIn(answers[0])).toEqual([["a", "available", "agent_list"]]);
  });

  it("C1 waits for the one server that somebody asks about, and leaves out those that are not known yet", async () => {
    const { promise, resolve } = Promise.withResolvers<void>();
    const slow = offering("slow", { tools: named("late") });
    const { script } = slow;
    slow.script = async (...asked) => {
      await promise;
      return script(...asked);
    };
    const { registry } = registryOf([offering("a", { tools: named("agent_list") }), slow]);
    const first = await registry.answer({ waitFor: "a" });
    expect(namesIn(first)).toEqual([["a", "available", "agent_list"]]);
    resolve();
    await registry.upToDate();
    const then = await registry.answer({ waitFor: "a" });
    expect(namesIn(then)).toEqual([
      ["a", "available", "agent_list"],
      ["slow", "available", "late"],
    ]);
    expect(then.version).not.toBe(first.version);
    expect(slow.count("tools/list")).toBe(1);
  });

  it("T2 tells hints, categories and what is configured, and null where nobody says", async () => {
    const tools = [
      { name: "agent_list", title: "Agents", annotations: { readOnlyHint: true, idempotentHint: "yes" } },
      { name: "zzz", description: "It sleeps", annotations: null },
    ];
    const cache = { tools: { "agent_*": 5_000, "*": false as const } };
    const { registry } = registryOf([offering("a", { tools })], { cache });
    const [server] = (await registry.answer({})).servers;
    expect(server?.tools).toEqual([
      {
        ...{ name: "agent_list", title: "Agents", description: null, category: "agents" },
        ...{ readOnly: true, idempotent: null, cacheable: true, cacheTtlMs: 5_000 },
      },
      {
        ...{ name: "zzz", title: null, description: "It sleeps", category: null },
        ...{ readOnly: null, idempotent: null, cacheable: false, cacheTtlMs: null },
      },
    ]);
    const configured = registryOf([offering("a", { tools })], { category: "mine" });
    const { servers } = await configured.registry.answer({});
    expect(servers[0]?.tools.map(({ category, cacheable }) => [category, cacheable])).toEqual([
      ["mine", null],
      ["mine", null],
    ]);
  });

  it("T2 knows which tools may be called twice for one call: those whose server says so", async () => {
    const hints = {
      read: { readOnlyHint: true },
      set: { idempotentHint: true },
      add: { idempotentHint: false },
    };
    const tools = Object.entries(hints).map(([name, annotations]) => ({ name, annotations }));
    const { registry } = registryOf([offering("a", { tools: [...tools, { name: "bare" }] })]);
    const may = (server: string, name: unknown, method = "tools/call") =>
      registry.mayRepeat(server, { method, params: { name } });
    expect(may("a", "read")).toBe(false);
    await registry.upToDate();
    const names = ["read", "set", "add", "bare", "unknown", 7];
    expect(names.filter((name) => may("a", name))).toEqual(["read", "set"]);
    expect([may("b", "read"), may("a", "read", "prompts/get")]).toEqual([false, false]);
  });

  it("T2 lists again after a notice, a reconnection and when a listing is too old, not before", async () => {
    const lists: Lists = { tools: named("one") };
    const server = offering("a", lists);
    const { registry, clock } = registryOf([server]);
    await registry.upToDate();
    lists.tools = named("two");
    expect(namesIn(await registry.answer({}))).toEqual([["a", "available", "one"]]);

    const before = registry.version;
    server.say("notifications/tools/list_changed");
    expect(registry.version).not.toBe(before);
    expect(namesIn(await registry.answer({}))).toEqual([["a", "available", "two"]]);

    // Somebody else has lost and opened the connection meanwhile.
    lists.tools = named("three");
    const connected = registry.version;
    server.connections++;
    expect(registry.version).not.toBe(connected);
    expect(namesIn(await registry.answer({}))).toEqual([["a", "available", "three"]]);

    lists.tools = named("four");
    server.drop();
    expect(namesIn(await registry.answer({}))).toEqual([["a", "available", "four"]]);
    expect(server.count("tools/list")).toBe(4);

    const ttlMs = 5_000;
    server.script = () => ({ result: { tools: named("five"), ttlMs } });
    server.capabilities = { tools: {} };
    server.say("notifications/tools/list_changed");
    await registry.upToDate();
    clock.advance(ttlMs - 1);
    await registry.upToDate();
    expect(server.count("tools/list")).toBe(5);
    clock.advance(1);
    await registry.upToDate();
    expect(server.count("tools/list")).toBe(6);

    server.capabilities = { tools: { listChanged: true } };
    server.drop();
    await registry.upToDate();
    clock.advance(LIMITS.leastToldListingMs - 1);
    await registry.upToDate();
    expect(server.count("tools/list")).toBe(7);
    clock.advance(1);
    await registry.upToDate();
    expect(server.count("tools/list")).toBe(8);
  });

  it("T2 has another version whenever something may have changed, and the same one otherwise", async () => {
    const lists: Lists = { tools: named("one") };
    const server = offering("a", lists);
    const { registry } = registryOf([server, offering("b", {})]);
    const first = registry.version;
    const { version: listed } = await registry.answer({});
    expect(listed).not.toBe(first);
    const again = await registry.answer({});
    expect(again.version).toBe(listed);
    expect(registry.isStill(listed)).toBe(true);
    server.say("notifications/message", { data: "x" });
    expect(registry.version).toBe(listed);
    server.say("notifications/resources/updated", { uri: "x:y" });
    const updated = await registry.answer({});
    expect(updated.version).not.toBe(listed);
    expect(server.count("tools/list")).toBe(1);
    server.fail();
    const down = await registry.answer({});
    const versions = [listed, updated.version, down.version];
    expect(new Set(versions).size).toBe(versions.length);
    expect(down.servers[1]?.version).toBe(again.servers[1]?.version);
  });

  it("T2 lists again for who came after a notice, though a listing was under way", async () => {
    const first = Promise.withResolvers<McpAnswer>();
    const server = new ScriptedUpstream("a", () => first.promise);
    server.capabilities = { tools: {} };
    const { registry } = registryOf([server]);
    const early = registry.upToDate();
    await vi.waitFor(() => expect(server.count("tools/list")).toBe(1));
    server.say("notifications/tools/list_changed");
    server.script = () => ({ result: { tools: named("new") } });
    const late = registry.answer({});
    first.resolve({ result: { tools: named("old") } });
    await early;
    expect(namesIn(await late)).toEqual([["a", "available", "new"]]);
  });

  it("T2 keeps what it had of a server that fails, and hears of it again when it is back", async () => {
    const server = offering("a", { tools: named("one") });
    const { registry } = registryOf([server]);
    const changed = vi.fn();
    registry.onChange(changed);
    await registry.upToDate();
    server.fail();
    expect(namesIn(await registry.answer({}))).toEqual([["a", "unavailable", "one"]]);
    server.isDown = false;
    expect(namesIn(await registry.answer({}))).toEqual([["a", "available", "one"]]);
    expect(changed).toHaveBeenCalledTimes(3);
  });

  it("T2 waits for a slow server only so long, and together: the others are told at once", async () => {
    const held = Promise.withResolvers<McpAnswer>();
    const slow = new ScriptedUpstream("slow", () => held.promise);
    slow.capabilities = { tools: {} };
    const { registry, clock } = registryOf([slow, offering("b", { tools: named("two") })]);
    const told = vi.fn();
    const answer = registry.answer({});
    void answer.then(told);
    await vi.waitFor(() => expect(registry.servers[1]?.status).toBe("available"));
    clock.advance(LIMITS.listingWaitMs - 1);
    expect(told).not.toHaveBeenCalled();
    clock.advance(1);
    expect(namesIn(await answer)).toEqual([
      ["slow", "unknown"],
      ["b", "available", "two"],
    ]);
    // It is known to be slow: nobody else waits for the same listing.
    expect(namesIn(await registry.answer({}))).toHaveLength(2);
    held.resolve({ result: { tools: named("one") } });
    await vi.waitFor(() => expect(registry.servers[0]?.status).toBe("available"));
    expect(slow.count("tools/list")).toBe(1);
    expect(clock.waiting).toBe(0);
  });

  it("T2 reads all pages, and no more than it keeps", async () => {
    const server = new ScriptedUpstream("a", ({ params }) => {
      const page = Number(params.cursor ?? 0);
      const tools = page === 0 ? [{ name: "" }, { name: "p0" }, "odd"] : named(`p${page}`);
      return { result: { tools, ...(page < 3 && { nextCursor: String(page + 1) }) } };
    });
    server.capabilities = { tools: {} };
    const { registry, lines } = registryOf([server]);
    expect(namesIn(await registry.answer({}))).toEqual([["a", "available", "p0", "p1", "p2", "p3"]]);
    expect(lines.filter((line) => line.includes("cannot be read"))).toHaveLength(1);

    const endless = new ScriptedUpstream("b", () => ({ result: { tools: named("x"), nextCursor: "on" } }));
    endless.capabilities = { tools: {} };
    await registryOf([endless]).registry.upToDate();
    expect(endless.count("tools/list")).toBe(LIMITS.listedPages);

    const huge = offering("c", {
      tools: Array.from({ length: LIMITS.listedItems + 1 }, () => ({ name: "x" })),
    });
    const [kept] = (await registryOf([huge]).registry.answer({})).servers;
    expect(kept?.tools).toHaveLength(LIMITS.listedItems);

    const fat = offering("d", {
      tools: [{ name: "x" }, { name: "y", text: "x".repeat(LIMITS.listedBytes) }],
    });
    expect(namesIn(await registryOf([fat]).registry.answer({}))).toEqual([["d", "available", "x"]]);
  });

  it("T2 takes a list that is refused as it was, and one that is none for a failure", async () => {
    const server = offering("a", { tools: named("one"), prompts: named("p") });
    const { registry } = registryOf([server]);
    await registry.upToDate();
    const { script } = server;
    server.script = (request, exchange) =>
      request.method === "prompts/list"
        ? { error: { code: -32603, message: "no" } }
        : script(request, exchange);
    server.say("notifications/prompts/list_changed");
    await registry.upToDate();
    expect(registry.servers[0]?.status).toBe("available");
    expect(registry.servers[0]?.listing?.prompts).toEqual(named("p"));
    server.script = () => ({ result: {} });
    server.say("notifications/tools/list_changed");
    expect(namesIn(await registry.answer({}))).toEqual([["a", "unavailable", "one"]]);
  });

  it("T2 asks for nothing more, and hears nothing, once it is closed", async () => {
    const server = offering("a", {});
    const { registry } = registryOf([server]);
    await registry.upToDate();
    registry.close();
    expect(server.listeners.size).toBe(0);
  });
});
