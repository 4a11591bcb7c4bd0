import { describe, expect, it } from "vitest";
import { ERRORS } from "../../../shared/errors.ts";
import { ClientFrame } from "../../../shared/protocol/client.ts";
import type { GatewayFrame } from "../../../shared/protocol/gateway.ts";
import { visionflow } from "../../../worker/session/visionflow.ts";
import { anAgent, aTask } from "../../support/agents.ts";

const means = (message: unknown) => ClientFrame.parse(visionflow.read(message));
const says = (frame: GatewayFrame) => visionflow.write(frame, (id) => anAgent({ agent_id: id }));

describe("VisionFlow's dialect", () => {
  it("S9 means by configure what it meant there: everything, but for lists that name something", () => {
    expect(
      means({
        action: "configure",
        data: {
          subscription_filters: {
            server_types: ["claude_flow"],
            agent_types: [],
            swarm_ids: [],
            include_neural: false,
          },
          performance_mode: "high_frequency",
        },
      }),
    ).toEqual({
      type: "configure",
      filters: {
        server_types: ["claude_flow"],
        include_performance: true,
        include_neural: false,
        include_topology: true,
      },
      mode: "high_frequency",
    });
    expect(means({ action: "configure" })).toEqual({ type: "configure" });
  });

  it("S9 S8 leaves what is wrong with a message to be said by the one schema", () => {
    for (const data of [{ subscription_filters: { agent_types: 7 } }, { performance_mode: "sometimes" }, 5]) {
      expect(ClientFrame.safeParse(visionflow.read({ action: "configure", data })).success).toBe(false);
    }
    for (const message of [{ action: "toString" }, { action: "dance" }, null, 5, {}]) {
      expect(visionflow.read(message)).toBe(message);
    }
  });

  it("S9 tells of changed agents whole, in its own units", () => {
    const [update] = says({
      ...{ type: "agent_update", from: 1, offset: 2, timestamp: 9 },
      payload: { agents: [{ agent_id: "a", progress: 0.5 }], removed: ["b"] },
    });
    expect(update).toMatchObject({
      type: "multi_agent_update",
      agents: [
        {
          agent_id: "a",
          performance: { cpu_usage: 0.42, memory_usage: null },
          metadata: { progress: 0.5, tags: [], session_id: null },
          created_at: 0,
        },
      ],
      differential_updates: [],
      removed_agents: ["b"],
      timestamp: 9,
    });
  });

  it("S9 S2 says topology, neural data and figures in messages of their own", () => {
    const swarm = {
      ...{ swarm_id: "s", server: "demo", server_source: "demo", topology: "mesh", status: null },
      ...{ coordinator: "q", agents: 2, max_agents: null },
    };
    const neural_info = { cognitive_pattern: "lateral", network_id: null };
    const messages = says({
      ...{ type: "agent_update", from: 1, offset: 2, timestamp: 9 },
      payload: {
        agents: [{ agent_id: "a", neural_info }],
        topology_changes: [swarm],
        performance_metrics: { container: null },
        tasks: [aTask()],
      },
    });
    expect(messages).toMatchObject([
      { type: "multi_agent_update" },
      { type: "topology_update", swarm_id: "s", coordination_updates: [{ coordinator_id: "q" }] },
      { type: "neural_update", neural_agents: [{ agent_id: "a", neural_data: neural_info }] },
      { type: "performance_analysis", bottlenecks: [] },
      { type: "coordination_event", event_type: "task" },
    ]);
  });

  it("S9 keeps our own frames about the connection to itself, and says errors as it used to", () => {
    expect(says({ type: "probe", probe: "p" })).toEqual([]);
    const { advice } = ERRORS.rate_limited;
    expect(
      says({ type: "error", code: "rate_limited", message: advice, retryable: true, timestamp: 1 }),
    ).toEqual([
      { type: "error", error_code: "RATE_LIMITED", message: advice, retryable: true, timestamp: 1 },
    ]);
    expect(says({ type: "pong", timestamp: 1 })).toEqual([{ type: "pong", timestamp: 1 }]);
  });
});
