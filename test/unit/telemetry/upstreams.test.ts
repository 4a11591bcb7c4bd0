import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { SwarmTopology } from "../../../shared/protocol/sidecar.ts";
import { Agent, UNKNOWN_PERFORMANCE } from "../../../shared/swarm/agent.ts";
import { claudeFlow2Profile } from "../../../sidecar/telemetry/claude-flow-2-profile.ts";
import { claudeFlow3Profile } from "../../../sidecar/telemetry/claude-flow-3-profile.ts";
import type { TelemetryProfile } from "../../../sidecar/telemetry/profile.ts";
import { ruvSwarmProfile } from "../../../sidecar/telemetry/ruv-swarm-profile.ts";
import { captured } from "./captured.ts";

const unknownAgent = {
  server: "main",
  name: null,
  capabilities: [],
  swarm_id: null,
  current_task: null,
  progress: null,
  performance: UNKNOWN_PERFORMANCE,
  neural_info: null,
  created_at: null,
  last_active: null,
};
const nothing = { agents: [], swarms: [], leftOut: 0 };

describe.each<[string, TelemetryProfile]>([
  ["claude-flow-2.7.47", claudeFlow2Profile],
  ["claude-flow-3.43.0", claudeFlow3Profile],
  ["ruv-swarm-1.0.20", ruvSwarmProfile],
])("%s", (name, profile) => {
  const server = captured(name);

  it("S3 without agents shows none, and makes no swarm up", async () => {
    expect(await profile.read("main", server.empty)).toEqual(nothing);
  });

  it("S3 what it says fits the model, and nothing is left out", async () => {
    const { agents, swarms, leftOut } = await profile.read("main", server.busy);
    expect(leftOut).toBe(0);
    expect(agents.length).toBeGreaterThan(0);
    expect(agents.map((agent) => Agent.parse(agent))).toEqual(agents);
    expect(swarms.map((swarm) => SwarmTopology.parse(swarm))).toEqual(swarms);
  });

  it.each(["timeout", "mcp_unavailable", "circuit_open"] as const)(
    "S4 a poll of which one call ends with %s tells nothing, rather than that something is gone",
    async (code) => {
      const cutOff = profile.read("main", async (tool, args) => {
        if (tool === "swarm_status") throw new HivegateError(code);
        return server.busy(tool, args);
      });
      await expect(cutOff).rejects.toMatchObject({ code });
    },
  );
});

describe("claude-flow 2", () => {
  it("S3 shows the agents that were spawned, and the swarm's topology", async () => {
    const { agents, swarms } = await claudeFlow2Profile.read("main", captured("claude-flow-2.7.47").busy);
    expect(agents).toEqual([
      {
        ...unknownAgent,
        agent_id: "agent_1795273473211_rnu8s6",
        server_source: "claude_flow",
        swarm_id: "swarm_1795273473210_vudc8d3ji",
        name: "c1",
        agent_type: "coder",
        status: "active",
        created_at: 1795273473212,
        last_active: 1795273473212,
      },
    ]);
    expect(swarms).toEqual([
      {
        ...{ swarm_id: "swarm_1795273473210_vudc8d3ji", server: "main", server_source: "claude_flow" },
        ...{ topology: "mesh", status: null, coordinator: null, agents: 1, max_agents: null },
      },
    ]);
  });

  it("S3 with a database, which has no agents without a swarm, is well and shows none", async () => {
    const cause = new Error("No active swarm found");
    const call = async () => {
      throw new HivegateError("mcp_failed", undefined, { cause });
    };
    expect(await claudeFlow2Profile.read("main", call)).toEqual(nothing);
  });

  it("T8 any other failure is one", async () => {
    const call = async () => {
      throw new HivegateError("mcp_failed", undefined, { cause: new Error("database is locked") });
    };
    await expect(claudeFlow2Profile.read("main", call)).rejects.toMatchObject({ code: "mcp_failed" });
  });
});

describe("claude-flow 3", () => {
  it("S3 the hive's workers belong to the hive, other agents to no swarm that is known", async () => {
    const { agents } = await claudeFlow3Profile.read("main", captured("claude-flow-3.43.0").busy);
    const told = {
      ...unknownAgent,
      server_source: "claude_flow",
      status: "idle",
      performance: { ...UNKNOWN_PERFORMANCE, health_score: 1, tasks_completed: 0 },
    };
    expect(agents).toEqual([
      {
        ...told,
        agent_id: "hive-worker-1795273474374-zbqu",
        swarm_id: "hive-1795273474370",
        agent_type: "worker",
        created_at: 1795273474374,
      },
      { ...told, agent_id: "agent-1795273474359-91t1ix", agent_type: "coder", created_at: 1795273474359 },
    ]);
  });

  it("S2 the hive with its queen and the latest swarm are topology", async () => {
    const { swarms } = await claudeFlow3Profile.read("main", captured("claude-flow-3.43.0").busy);
    const from = { server: "main", server_source: "claude_flow" };
    expect(swarms).toEqual([
      {
        ...{ ...from, swarm_id: "hive-1795273474370", topology: "hierarchical", status: "active" },
        ...{ coordinator: "queen-1795273474370", agents: 1, max_agents: null },
      },
      {
        ...{ ...from, swarm_id: "swarm-1795273474341-3h6g95", topology: "mesh", status: "running" },
        ...{ coordinator: null, agents: 1, max_agents: 5 },
      },
    ]);
  });
});

describe("ruv-swarm", () => {
  it("S2 tells of neural networks, and of nothing that its failing agent_metrics would say", async () => {
    const { agents, swarms } = await ruvSwarmProfile.read("main", captured("ruv-swarm-1.0.20").busy);
    expect(agents[0]).toEqual({
      ...unknownAgent,
      agent_id: "agent-1795273473918",
      server_source: "ruv_swarm",
      name: "c1",
      agent_type: "coder",
      status: "idle",
      neural_info: { cognitive_pattern: "adaptive", network_id: "nn-1795273473918" },
    });
    expect(swarms[0]).toEqual({
      ...{ swarm_id: "swarm-1795272737030", server: "main", server_source: "ruv_swarm" },
      ...{ topology: null, status: null, coordinator: null, agents: 2, max_agents: null },
    });
  });
});
