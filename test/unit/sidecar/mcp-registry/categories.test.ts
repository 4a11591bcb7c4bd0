import { describe, expect, it } from "vitest";
import { CATEGORIES, categoryOf } from "../../../../sidecar/mcp/registry/categories.ts";

describe("categories", () => {
  it("T2 reads a tool's category from the first word of its name that tells one", () => {
    const expected = {
      ...{ agent_list: "agents", "hive-mind_status": "swarm", task_create: "tasks" },
      ...{ memory_search: "memory", github_repo_analyze: "code", terminal_execute: "shell" },
      ...{ swarmStatus: "swarm", wasm_agent_create: "agents", seraphina_guidance: null, "": null },
    };
    expect(Object.fromEntries(Object.keys(expected).map((name) => [name, categoryOf(name)]))).toEqual(
      expected,
    );
  });

  it("T2 has each word in one category", () => {
    const words = Object.values(CATEGORIES).flat();
    expect(new Set(words).size).toBe(words.length);
  });
});
