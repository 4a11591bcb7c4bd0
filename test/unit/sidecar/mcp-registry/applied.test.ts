import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import { JoinedServers } from "../../../../sidecar/mcp/registry/joined-servers.ts";
import { settingsOf } from "../../../../sidecar/mcp/registry/tool-entry.ts";
import type { Upstream } from "../../../../sidecar/mcp/upstream.ts";
import { offering } from "./scripted-upstream.ts";
import { registryOf } from "./setup.ts";

type Config = Parameters<typeof settingsOf>[0];

const named = (...names: string[]) => names.map((name) => ({ name }));
const offered = (upstreams: readonly Upstream[], config: Config = {}) =>
  upstreams.map((upstream) => ({ upstream, settings: settingsOf(config) }));
const NONE: ReadonlySet<string> = new Set();

describe("a registry whose servers change", () => {
  it("C1 T2 has the servers that came, and none that went, in the order of the configuration", async () => {
    const [a, b, c] = [offering("a", { tools: named("x") }), offering("b", {}), offering("c", {})];
    const { registry } = registryOf([a, b]);
    await registry.upToDate();
    const known = registry.get("a");
    registry.apply(offered([c, a]), NONE);
    expect((await registry.answer({})).servers.map(({ name }) => name)).toEqual(["c", "a"]);
    expect(registry.get("a")).toBe(known);
    expect(a.count("tools/list")).toBe(1);
    expect([registry.get("b"), b.listeners.size]).toEqual([null, 0]);
    registry.close();
    expect([a.listeners.size, c.listeners.size]).toEqual([0, 0]);
  });

  it("C1 T2 tells of other settings without listing the server again", async () => {
    const a = offering("a", { tools: named("one", "two") });
    const { registry } = registryOf([a]);
    const before = await registry.answer({});
    registry.apply(offered([a], { category: "files", cache: { tools: { one: 5 } } }), new Set(["a"]));
    const after = await registry.answer({});
    expect(after.version).not.toBe(before.version);
    expect(after.servers[0]?.version).not.toBe(before.servers[0]?.version);
    expect(after.servers[0]).toMatchObject({
      category: "files",
      tools: [
        { name: "one", category: "files", cacheable: true, cacheTtlMs: 5 },
        { name: "two", category: "files", cacheable: null },
      ],
    });
    expect(a.count("tools/list")).toBe(1);
  });

  it("C1 T2 knows no tool that is not allowed any more, also of a server that cannot be listed now", async () => {
    const a = offering("a", { tools: named("one", "two") });
    const { registry } = registryOf([a]);
    await registry.upToDate();
    a.fail();
    registry.apply(offered([a], { allowedTools: ["t*"] }), new Set(["a"]));
    expect((await registry.answer({})).servers[0]?.tools.map(({ name }) => name)).toEqual(["two"]);
    expect(registry.get("a")?.listing?.tools).toEqual(named("two"));
  });

  it("C1 T2 knows a tool again that is allowed again before anybody asked", async () => {
    const a = offering("a", { tools: named("one", "two") });
    const { registry } = registryOf([a]);
    await registry.upToDate();
    for (const allowedTools of [["t*"], ["*"]])
      registry.apply(offered([a], { allowedTools }), new Set(["a"]));
    a.drop();
    expect((await registry.answer({})).servers[0]?.tools.map(({ name }) => name)).toEqual(["one", "two"]);
  });

  it("C1 T2 leaves out of a listing what was forbidden while it was made", async () => {
    const a = offering("a", { tools: named("one", "two") });
    const { registry } = registryOf([a]);
    const listing = registry.upToDate();
    registry.apply(offered([a], { allowedTools: ["two"] }), new Set(["a"]));
    await listing;
    expect(registry.get("a")?.listing?.tools).toEqual(named("two"));
  });

  it("C1 T1 tells clients of all servers as one, who hear servers that come later and none that went", async () => {
    const [a, b] = [offering("a", {}), offering("b", {})];
    const { registry } = registryOf([a]);
    const all = new JoinedServers(registry, "1");
    const heard: string[] = [];
    const stop = all.onNotification(({ method }) => heard.push(method));
    const before = all.connections;
    registry.apply(offered([b]), NONE);
    expect(heard.splice(0)).toEqual(
      ["tools", "prompts", "resources"].map((list) => `notifications/${list}/list_changed`),
    );
    a.say("notifications/tools/list_changed");
    b.say("notifications/tools/list_changed");
    expect(heard).toEqual(["notifications/tools/list_changed"]);
    await all.exchange(
      { method: "tools/list", params: {} },
      { client: "c", signal: new AbortController().signal },
    );
    registry.apply([], NONE);
    expect(all.connections).toBeGreaterThan(before);
    heard.length = 0;
    stop();
    registry.apply(offered([a]), NONE);
    expect(heard).toEqual([]);
  });

  it("C1 T2 gives up a listing of a server that went, and who waits for it goes on", async () => {
    const a = offering("a", {});
    let end = () => {};
    a.script = () => new Promise((resolve) => (end = () => resolve({ result: { tools: named("late") } })));
    const { registry, lines } = registryOf([a]);
    const answer = registry.answer({});
    await vi.waitFor(() => expect(a.asked).not.toEqual([]));
    registry.apply([], NONE);
    end();
    expect((await answer).servers).toEqual([]);
    expect(lines).toEqual([]);
  });

  it("C1 T3 never gives a version to two answers, whatever comes, goes and comes back under its old name", async () => {
    const kind = fc.constantFrom("remove", "add", "configure", "say", "drop", "ask");
    const step = fc.record({ kind, name: fc.constantFrom("a", "b"), tool: fc.constantFrom("x", "y") });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 30 }), async (steps) => {
        const servers = new Map([["a", offering("a", { tools: named("x") })]]);
        const { registry } = registryOf([...servers.values()]);
        const told = new Map<string, string>();
        let category = "c";
        const apply = (changed: string[]) =>
          registry.apply(offered([...servers.values()], { category }), new Set(changed));
        const once = (version: string, answer: unknown) => {
          const text = JSON.stringify(answer);
          expect(told.get(version) ?? text).toBe(text);
          told.set(version, text);
        };
        for (const { kind, name, tool } of steps) {
          const server = servers.get(name);
          if (kind === "remove" && servers.delete(name)) apply([]);
          if (kind === "add" && !server) {
            servers.set(name, offering(name, { tools: named(tool) }));
            apply([]);
          }
          if (kind === "configure" && server) {
            category = `of ${tool}`;
            apply([...servers.keys()]);
          }
          if (kind === "say") server?.say("notifications/tools/list_changed");
          if (kind === "drop") server?.drop();
          if (kind !== "ask") continue;
          const { version, servers: known } = await registry.answer({});
          once(`all ${version}`, known);
          for (const { version: own, ...one } of known) once(`${one.name} ${own}`, one);
        }
      }),
    );
  });
});
