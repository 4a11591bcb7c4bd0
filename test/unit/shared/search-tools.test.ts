import { describe, expect, it } from "vitest";
import type { RegistryServer, ToolEntry } from "../../../shared/protocol/tools.ts";
import { searchTools, selectTools } from "../../../shared/tools/search.ts";
import { wordsOf } from "../../../shared/tools/words.ts";

const tool = (name: string, more: Partial<ToolEntry> = {}): ToolEntry => ({
  ...{ name, title: null, description: null, category: null },
  ...{ readOnly: null, idempotent: null, cacheable: null, cacheTtlMs: null },
  ...more,
});

const server = (name: string, ...tools: ToolEntry[]): RegistryServer => ({
  ...{ name, status: "available", era: "2025", category: null, version: "1", tools },
});

const SERVERS = [
  server(
    "flow",
    tool("memory_store", { description: "Keeps what an agent knows", category: "memory" }),
    tool("agent_list", { description: "All of them", category: "agents" }),
    tool("agent_spawn", { title: "New agent", category: "agents" }),
    tool("agents-health", { category: "agents" }),
  ),
  server("demo", tool("taskStatus", { category: "tasks" }), tool("agent_list", { category: "agents" })),
];

const found = (query: Parameters<typeof searchTools>[1]) =>
  searchTools(SERVERS, query).map((one) => `${one.server}:${one.tool.name}`);

describe("searching tools", () => {
  it("T2 finds words of names before those of descriptions, whole ones before beginnings", () => {
    expect(found({ query: "agent" })).toEqual([
      "flow:agent_list",
      "flow:agent_spawn",
      "demo:agent_list",
      "flow:agents-health",
      "flow:memory_store",
    ]);
  });

  it("T2 puts first what matches more of the words, and leaves out what matches none", () => {
    expect(found({ query: "STATUS of a task" })[0]).toBe("demo:taskStatus");
    expect(found({ query: "list agents", limit: 2 })).toEqual(["flow:agent_list", "demo:agent_list"]);
    expect(found({ query: "nothing-like-it" })).toEqual([]);
    expect(found({ query: "?!" })).toEqual([]);
  });

  it("T2 narrows by category, server and number, and gives all when nothing is asked", () => {
    expect(found({})).toHaveLength(6);
    expect(found({ query: " " })).toHaveLength(6);
    expect(found({ category: "agents", limit: 2 })).toEqual(["flow:agent_list", "flow:agent_spawn"]);
    expect(found({ server: "demo", query: "list" })).toEqual(["demo:agent_list"]);
    expect(found({ server: "other" })).toEqual([]);
  });

  it("T2 keeps the servers of what it finds, each with its own tools, the best first", () => {
    const selected = selectTools(SERVERS, { query: "health agent", category: "agents" });
    expect(selected.map(({ name, tools }) => [name, ...tools.map((one) => one.name)])).toEqual([
      ["flow", "agents-health", "agent_list", "agent_spawn"],
      ["demo", "agent_list"],
    ]);
    expect(selectTools(SERVERS, { server: "demo" }).map(({ name }) => name)).toEqual(["demo"]);
  });

  it("T2 reads names of any style as words", () => {
    expect(wordsOf("hive-mind_status")).toEqual(["hive", "mind", "status"]);
    expect(wordsOf("taskOrchestrateV2")).toEqual(["task", "orchestrate", "v2"]);
    expect(wordsOf("getÄrger 3D")).toEqual(["get", "ärger", "3d"]);
    expect(wordsOf("")).toEqual([]);
  });
});
