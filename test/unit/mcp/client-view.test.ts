import { describe, expect, it } from "vitest";
import type { McpAnswer } from "../../../shared/protocol/mcp.ts";
import { type ClientSettings, ClientView } from "../../../sidecar/mcp/client-view.ts";
import { FakeUpstream } from "../../support/fake-upstream.ts";

const named = (...names: string[]) => names.map((name) => ({ name }));
const exchange = { client: "alice", signal: new AbortController().signal };

function viewOf(settings: ClientSettings) {
  const timeouts: unknown[] = [];
  const upstream = new FakeUpstream("2026", ({ method, params }, { timeoutMs }): McpAnswer => {
    timeouts.push(timeoutMs);
    if (method === "tools/list")
      return { result: { tools: [...named("a", "ab", "b"), "odd"], nextCursor: "n" } };
    return { result: { called: params.name ?? null } };
  });
  const view = new ClientView(upstream, settings);
  const ask = (method: string, params = {}, options = {}) =>
    view.exchange({ method, params }, { ...exchange, ...options });
  return { upstream, view, ask, timeouts };
}

describe("a server as clients may use it", () => {
  it.each([{}, { allowedTools: ["*"] }, { allowedTools: ["x", "*"] }])(
    "C1 is the server itself where all tools are allowed: %j",
    async (settings) => {
      const { ask, view, upstream } = viewOf(settings);
      expect(await ask("tools/list")).toEqual({
        result: { tools: [...named("a", "ab", "b"), "odd"], nextCursor: "n" },
      });
      expect(await ask("tools/call", { name: ["a"] })).toEqual({ result: { called: ["a"] } });
      expect([view.name, view.connections, view.isOpen]).toEqual([upstream.name, 1, true]);
    },
  );

  it("C1 has no tool that is not allowed: not in a list, and none to be called, by whatever name", async () => {
    const { ask, upstream } = viewOf({ allowedTools: ["a*"] });
    expect(await ask("tools/list")).toEqual({ result: { tools: named("a", "ab"), nextCursor: "n" } });
    expect(await ask("tools/call", { name: "ab" })).toEqual({ result: { called: "ab" } });
    const refused = (name: string) => ({ error: { code: -32602, message: `Unknown tool: ${name}` } });
    expect(await ask("tools/call", { name: "b" })).toEqual(refused("b"));
    expect(await ask("tools/call", { name: ["a"] })).toEqual(refused("a"));
    expect(await ask("tools/call")).toEqual(refused("undefined"));
    expect(await ask("tools/call", { name: "x".repeat(300) })).toEqual(refused("x".repeat(200)));
    expect(upstream.asked.filter(({ method }) => method === "tools/call")).toHaveLength(1);
    expect(await ask("prompts/get", { name: "b" })).toEqual({ result: { called: "b" } });
  });

  it("C1 has no tools at all where none is allowed", async () => {
    const { ask } = viewOf({ allowedTools: [] });
    expect(await ask("tools/list")).toMatchObject({ result: { tools: [] } });
  });

  it("C1 allows other tools from one moment to the next", async () => {
    const { ask, view } = viewOf({ allowedTools: ["a"] });
    view.configure({ allowedTools: ["b"] });
    expect(await ask("tools/list")).toMatchObject({ result: { tools: named("b") } });
    expect(await ask("tools/call", { name: "a" })).toHaveProperty("error");
  });

  it("C1 takes no longer than is configured, unless the client says otherwise or listens", async () => {
    const { ask, view, timeouts } = viewOf({ timeoutMs: 7 });
    await ask("tools/call", { name: "a" });
    await ask("tools/call", { name: "a" }, { timeoutMs: 9 });
    await ask("subscriptions/listen");
    view.configure({});
    await ask("tools/call", { name: "a" });
    expect(timeouts).toEqual([7, 9, undefined, undefined]);
  });

  it("C1 passes an error on as the server said it", async () => {
    const { ask, upstream } = viewOf({ allowedTools: ["a"] });
    const error = { code: -32603, message: "no" };
    upstream.play = () => ({ error });
    expect(await ask("tools/list")).toEqual({ error });
  });
});
