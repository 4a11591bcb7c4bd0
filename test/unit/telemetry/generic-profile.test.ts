import { describe, expect, it } from "vitest";
import { Agent, UNKNOWN_PERFORMANCE } from "../../../shared/swarm/agent.ts";
import { GenericTools } from "../../../sidecar/mcp/generic-tools.ts";
import { genericProfile } from "../../../sidecar/telemetry/generic-profile.ts";

/** What the profile makes of a server whose one tool answers with `data`. */
async function reading(tools: object, data: unknown) {
  const asked: string[] = [];
  const report = await genericProfile(GenericTools.parse(tools), "daa").read("main", async (tool) => {
    asked.push(tool);
    return data;
  });
  return { ...report, asked };
}

const bare = {
  ...{ agent_id: "a", server: "main", server_source: "daa", swarm_id: null, name: null },
  ...{ agent_type: "coder", status: "idle", capabilities: [], current_task: null, progress: null },
  ...{ performance: UNKNOWN_PERFORMANCE, neural_info: null, created_at: null, last_active: null },
};

describe("the generic profile", () => {
  it.each([
    { id: "a", type: "coder", status: "idle" },
    { agentId: "a", agentType: "coder", state: "idle" },
    { agent_id: "a", agent_type: "coder", status: "idle", id: 7 },
  ])("S3 knows the usual names: %j", async (entry) => {
    const { agents, asked, leftOut } = await reading({}, { agents: [entry] });
    expect(asked).toEqual(["agent_list"]);
    expect(leftOut).toBe(0);
    expect(agents.map((agent) => Agent.parse(agent))).toEqual([bare]);
  });

  it("S3 takes what the configuration names, and the kind of server", async () => {
    const tools = {
      source: "mine",
      tool: "list_workers",
      list: "workers",
      fields: { agent_id: "uid", status: "phase", cpu_usage: "cpu", created_at: "born" },
    };
    const entry = { uid: "a", id: "b", type: "coder", phase: "idle", cpu: 12.5, memory_usage: 3 };
    const { agents, asked } = await reading(tools, { workers: [{ ...entry, born: "2026-11-21T08:00:00Z" }] });
    expect(asked).toEqual(["list_workers"]);
    expect(agents).toEqual([
      {
        ...bare,
        server_source: "mine",
        // A figure nobody vouches for is not read: who knows its unit?
        performance: { ...UNKNOWN_PERFORMANCE, cpu_usage: 12.5 },
        created_at: Date.parse("2026-11-21T08:00:00Z"),
      },
    ]);
  });

  it("S3 takes a date before 1970, such as Go's zero time, for one that is not known", async () => {
    const entry = { id: "a", type: "coder", status: "idle", createdAt: "0001-01-01T00:00:00Z" };
    const { agents, leftOut } = await reading({}, { agents: [entry] });
    expect(agents.map((agent) => Agent.parse(agent))).toEqual([bare]);
    expect(leftOut).toBe(0);
  });

  it("S6 leaves out, and counts, what is no agent", async () => {
    const entries = [
      null,
      "a",
      {},
      { id: "a", type: "coder" },
      { id: "a", type: "coder", status: "idle", progress: "?" },
    ];
    expect(await reading({}, { agents: entries })).toMatchObject({ agents: [], leftOut: 5 });
  });

  it("T8 no list at all is mcp_failed", async () => {
    for (const data of ["none", { workers: [] }, null]) {
      await expect(reading({}, data)).rejects.toMatchObject({ code: "mcp_failed" });
    }
  });
});
