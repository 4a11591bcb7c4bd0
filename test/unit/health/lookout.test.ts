import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import type { Agent } from "../../../shared/swarm/agent.ts";
import { Lookout, type LookoutOptions } from "../../../sidecar/health/lookout.ts";
import { anAgent } from "../../support/agents.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

const never = () => new Promise<never>(() => {});
const openCircuit = () => Promise.reject(new HivegateError("circuit_open"));

const poolOf = (name: string, ...agents: Agent[]) => ({
  ...{ name, source: "demo" },
  read: async () => ({ agents, swarms: [], leftOut: 0 }),
});

const serverOf = (name: string, ping: () => Promise<number>) => ({
  ...{ name, pool: name, source: "demo" },
  connection: {
    ping,
    circuit: { state: "closed" as const, since: 0, retry_at: null },
    capabilities: { tools: {} },
  },
});

const SWARM = {
  ...{ swarmId: "s", status: "active", topology: null, workerCount: null, taskId: null, detail: null },
};

const lookoutWith = (options: Partial<LookoutOptions> = {}) =>
  new Lookout({
    pools: () => [],
    servers: () => [],
    swarms: async () => ({ swarms: [SWARM], method: "docker-exec" }),
    executorHealth: async () => ({ running: true, details: { status: "running" } }),
    container: () => null,
    now: Date.now,
    ...options,
  });

const soon = async <T>(promise: Promise<T>, withinMs: number): Promise<T> => {
  await vi.advanceTimersByTimeAsync(withinMs);
  return promise;
};

describe("asking for agents", () => {
  it("H5 asks docker and MCP at the same time, and waits 200 ms for MCP", async () => {
    const slow = { name: "slow", source: "demo", read: never };
    expect(await soon(lookoutWith({ pools: () => [slow] }).agents(), 200)).toEqual({
      docker: { swarms: [SWARM], method: "docker-exec" },
      mcp_telemetry: { mcp_status: "timeout", telemetry: null },
    });
  });

  it("H5 S3 says what every pool that answers tells, each agent once, by the first that tells of it", async () => {
    const pools = [
      poolOf("a", anAgent({ agent_id: "1", server: "a" })),
      { name: "slow", source: "demo", read: never },
      poolOf("b", anAgent({ agent_id: "1", server: "b" }), anAgent({ agent_id: "2", server: "b" })),
    ];
    const { mcp_telemetry } = await soon(lookoutWith({ pools: () => pools }).agents(), 200);
    expect(mcp_telemetry.mcp_status).toBe("available");
    expect(mcp_telemetry.telemetry?.agents.map(({ agent_id, server }) => `${server}:${agent_id}`)).toEqual([
      "a:1",
      "b:2",
    ]);
  });

  it("H5 S4 says that the circuit is open, or that there is no MCP at all", async () => {
    const broken = { name: "broken", source: "demo", read: openCircuit };
    const open = await lookoutWith({ pools: () => [broken] }).agents();
    expect(open.mcp_telemetry).toEqual({ mcp_status: "circuit_breaker_open", telemetry: null });
    const none = await lookoutWith().agents();
    expect(none.mcp_telemetry).toEqual({ mcp_status: "disabled", telemetry: null });
  });

  it("H5 tells why docker failed beside what MCP says, and nothing that is not for clients", async () => {
    const swarms = () => Promise.reject(new Error("/var/run/secret.sock"));
    const answer = await lookoutWith({ swarms, pools: () => [poolOf("a", anAgent())] }).agents();
    expect(answer.docker).toMatchObject({ error: { code: "internal" } });
    expect(JSON.stringify(answer)).not.toContain("secret");
    expect(answer.mcp_telemetry.mcp_status).toBe("available");
  });
});

describe("discovery", () => {
  it("H6 pings every server at the same time, 100 ms each, and tells their capabilities", async () => {
    const servers = [
      serverOf("well", async () => 3),
      serverOf("silent", never),
      serverOf("open", openCircuit),
    ];
    const { docker, mcp } = await soon(lookoutWith({ servers: () => servers }).discovery(), 100);
    expect(docker).toEqual({ docker_health: "healthy", container_status: { status: "running" } });
    expect(mcp.servers).toMatchObject([
      { server: "well", status: "available", latency_ms: 3, capabilities: { tools: {} } },
      { server: "silent", status: "unavailable", latency_ms: null },
      { server: "open", status: "circuit_breaker_open", latency_ms: null },
    ]);
  });

  it("C1 H5 H6 looks at the servers and the pools of the moment", async () => {
    let servers = [serverOf("a", async () => 3)];
    let pools = [poolOf("a", anAgent({ agent_id: "1" }))];
    const lookout = lookoutWith({ servers: () => servers, pools: () => pools });
    const seen = async () => {
      const [{ mcp }, { mcp_telemetry }] = await Promise.all([lookout.discovery(), lookout.agents()]);
      await vi.advanceTimersByTimeAsync(200);
      const agents = mcp_telemetry.telemetry?.agents.map(({ agent_id }) => agent_id) ?? null;
      return { servers: mcp.servers.map(({ server }) => server), agents };
    };
    expect(await seen()).toEqual({ servers: ["a"], agents: ["1"] });
    servers = [serverOf("b", async () => 3)];
    pools = [poolOf("b", anAgent({ agent_id: "2" }))];
    expect(await seen()).toEqual({ servers: ["b"], agents: ["2"] });
    [servers, pools] = [[], []];
    expect(await seen()).toEqual({ servers: [], agents: null });
  });

  it("H6 does not wait for a docker that hangs, and keeps what is wrong with it to itself", async () => {
    const hangs = await soon(lookoutWith({ executorHealth: never }).discovery(), 500);
    expect(hangs.docker).toEqual({ docker_health: "critical", container_status: {} });
    const executorHealth = async () => ({ running: false, details: { reason: "/path" } });
    expect((await lookoutWith({ executorHealth }).discovery()).docker.container_status).toEqual({});
  });
});

describe("a crowd that asks the same", () => {
  it("S6 H5 H6 costs one look at the swarm and each of its servers in 200 ms", async () => {
    const read = vi.fn(poolOf("a", anAgent()).read);
    const ping = vi.fn(async () => 3);
    const swarms = vi.fn(async () => ({ swarms: [SWARM], method: "docker-exec" as const }));
    const executorHealth = vi.fn(async () => ({ running: true, details: {} }));
    const pools = [{ name: "a", source: "demo", read }];
    const lookout = lookoutWith({
      pools: () => pools,
      servers: () => [serverOf("a", ping)],
      swarms,
      executorHealth,
    });
    const looks = () => [read, ping, swarms, executorHealth].map((look) => look.mock.calls.length);
    const crowd = () =>
      Promise.all(
        Array.from({ length: 100 }, () =>
          Promise.all([lookout.agents(), lookout.latest(), lookout.discovery()]),
        ),
      );
    await crowd();
    await vi.advanceTimersByTimeAsync(199);
    await crowd();
    expect(looks()).toEqual([1, 1, 1, 1]);
    await vi.advanceTimersByTimeAsync(1);
    await crowd();
    expect(looks()).toEqual([2, 2, 2, 2]);
  });
});
