import { randomUUID } from "node:crypto";
import { describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { platformClock } from "../../shared/clock.ts";
import { LIMITS } from "../../shared/limits.ts";
import { BREAKER_RULES } from "../../shared/pressure/breaker.ts";
import { TelemetryLine } from "../../shared/protocol/sidecar.ts";
import type { Agent } from "../../shared/swarm/agent.ts";
import { Picture } from "../../shared/swarm/picture.ts";
import { LineSplitter, readLines } from "../../shared/wire/lines.ts";
import { HybridHealthCheck } from "../../sidecar/health/hybrid.ts";
import { McpServers } from "../../sidecar/mcp/servers.ts";
import { demoProfile } from "../../sidecar/telemetry/demo-profile.ts";
import { TelemetryHub } from "../../sidecar/telemetry/hub.ts";
import { taskStatus } from "../../sidecar/telemetry/profiles.ts";
import { Sources } from "../../sidecar/telemetry/sources.ts";
import { type DemoOptions, startDemo } from "../support/demo.ts";
import { recordingLog } from "../support/recording-log.ts";

const WAIT_MS = 20_000;
/** Enough work for its figures to be measured while it goes on: seconds, not moments. */
const TASK = "count primes below 20000000";

/** A real demo swarm, and the sidecar's way to it. */
async function startSwarm(options: DemoOptions = {}) {
  const demo = await startDemo(options);
  const { log } = recordingLog();
  const now = () => Date.now();
  const servers = new McpServers(
    [
      {
        type: "tcp",
        name: "main",
        profile: "demo",
        host: "127.0.0.1",
        port: demo.mcpPort,
        token: options.token,
      },
    ],
    {
      callTimeoutMs: 5_000,
      rules: { ...BREAKER_RULES, firstMs: 100, mostMs: 200 },
      breakers: { load: () => null, save: () => {}, forget: () => {} },
      ...{ log, now, random: Math.random },
    },
  );
  const server = servers.primary();
  if (!server) throw new Error("there is a server, it was just configured");
  const sources = new Sources({ timeoutMs: 300, log, clock: platformClock });
  sources.follow(servers.pools());
  const hub = new TelemetryHub({
    sources: sources.all.map(({ telemetry }) => telemetry),
    watchContainer: () => () => {},
    tasks: [],
    epoch: randomUUID(),
    ...{ log, now },
  });
  onTestFinished(async () => {
    hub.close();
    servers.close();
    await demo.stop();
  });
  return {
    demo,
    hub,
    log,
    call: server.connection.call.bind(server.connection),
    connection: server.connection,
  };
}

/** Follows a stream, and keeps every agent state that was ever seen. */
function follow(hub: TelemetryHub) {
  const picture = new Picture();
  const seen = { statuses: new Set<string>(), cpu: 0, memory: 0, progress: new Set<number>(), gaps: 0 };
  const stream = hub.open({ reader: randomUUID(), intervalMs: 50, position: null });
  const ended = (async () => {
    for await (const text of readLines(stream, new LineSplitter(LIMITS.telemetryLineBytes))) {
      if (picture.apply(TelemetryLine.parse(JSON.parse(text))) === "gap") seen.gaps++;
      for (const agent of picture.agents.values()) {
        seen.statuses.add(agent.status);
        seen.cpu = Math.max(seen.cpu, agent.performance.cpu_usage ?? 0);
        seen.memory = Math.max(seen.memory, agent.performance.memory_usage ?? 0);
        if (agent.progress !== null) seen.progress.add(agent.progress);
      }
    }
  })();
  const agents = () => [...picture.agents.values()];
  const until = (condition: () => boolean) => expect.poll(condition, { timeout: WAIT_MS }).toBe(true);
  return { picture, seen, ended, agents, until };
}

const byId = (agents: Agent[]) => new Map(agents.map((agent) => [agent.agent_id, agent]));

const Started = z.object({ swarmId: z.string(), taskId: z.string() });

describe("telemetry of a real swarm", () => {
  it("S2 agents are seen to appear, work and finish, with figures that were measured", async () => {
    const { hub, call, connection } = await startSwarm();
    const { picture, seen, agents, until } = follow(hub);
    await until(() => picture.servers[0]?.status === "available");
    expect(agents()).toEqual([]);

    const { swarmId, taskId } = Started.parse(
      await call("task_orchestrate", { task: TASK, priority: "medium" }),
    );
    await until(() => agents().length >= 2);
    await until(() => agents().every(({ status }) => status === "done"));

    expect(seen.statuses).toContain("working");
    expect(seen.cpu).toBeGreaterThan(0);
    expect(seen.memory).toBeGreaterThan(0);
    expect(seen.progress.size).toBeGreaterThan(2);
    expect(seen.gaps).toBe(0);
    expect(new Set(agents().map(({ swarm_id }) => swarm_id))).toEqual(new Set([swarmId]));
    expect(await taskStatus(connection, taskId)).toMatchObject({
      taskId,
      swarmId,
      status: "completed",
      progress: 1,
    });
    await expect(taskStatus(connection, randomUUID())).rejects.toMatchObject({ code: "mcp_failed" });

    // Q2: what the reader has put together from changes is what the swarm says when asked.
    const truth = async () => (await demoProfile.read("main", call)).agents;
    await expect.poll(async () => byId(await truth()), { timeout: WAIT_MS }).toEqual(byId(agents()));
  });

  it("S8 a swarm that wants a token gets it", async () => {
    const { call } = await startSwarm({ token: "a-token-for-this-test" });
    expect(await call("agent_list", {})).toEqual({ agents: [] });
  });

  it("S4 garbage, broken connections and silence cost freshness, never the picture", async () => {
    const { hub, call } = await startSwarm({ faults: true });
    const { picture, seen, agents, until } = follow(hub);
    const fault = (fault: string) => call("demo_fault", { fault });
    const server = () => picture.servers[0];
    await until(() => server()?.status === "available");

    await fault("garbage");
    await call("task_orchestrate", { task: TASK, priority: "low" });
    await until(() => agents().length > 0);
    const known = agents().map(({ agent_id }) => agent_id);

    await fault("hang");
    await until(() => server()?.status === "unavailable");
    expect(server()?.stale_since).toBeLessThanOrEqual(Date.now());
    expect(agents().map(({ agent_id }) => agent_id)).toEqual(known);

    // Silence makes the connection be opened anew behind our back, so this may have to be said twice.
    await expect
      .poll(
        () =>
          fault("none").then(
            () => "said",
            () => "not yet",
          ),
        { timeout: WAIT_MS },
      )
      .toBe("said");
    await until(() => server()?.status === "available");
    await fault("drop");
    await until(() => agents().length > 0 && agents().every(({ status }) => status === "done"));
    expect(server()).toMatchObject({ status: "available", stale_since: null });
    expect(seen.gaps).toBe(0);
  });

  it("S4 a swarm that is killed leaves its last picture, marked stale", async () => {
    const { demo, hub, call } = await startSwarm();
    const { picture, agents, until } = follow(hub);
    await call("task_orchestrate", { task: TASK, priority: "low" });
    await until(() => agents().length > 0);
    const beforeMs = Date.now();
    process.kill(demo.pid, "SIGKILL");
    await until(() => picture.servers[0]?.status === "unavailable");
    expect(agents().length).toBeGreaterThan(0);
    expect(picture.servers[0]?.stale_since).toBeGreaterThan(beforeMs - 5_000);
  });
});

describe("the health of a real host", () => {
  it("H7 each part is really looked at: all well, then all gone", async () => {
    const demo = await startDemo();
    onTestFinished(() => demo.stop());
    const { log } = recordingLog();
    let aheadMs = 0;
    const health = new HybridHealthCheck({
      executorHealth: async () => ({ running: true, details: {} }),
      circuit: () => null,
      memory: () => ({ rss_bytes: 1, heap_used_bytes: 1 }),
      mcpEnabled: true,
      servers: () => [{ name: "main", host: "127.0.0.1", port: demo.mcpPort }],
      orchestratorUrls: () => [`ws://127.0.0.1:${demo.wsPort}/ws`],
      orchestratorToken: null,
      healthUrl: `http://127.0.0.1:${demo.healthPort}/health`,
      log,
      now: () => Date.now() + aheadMs,
    });
    expect((await health.check()).overall_status).toBe("healthy");
    await demo.stop();
    // Later than any answer is kept.
    aheadMs = 60_000;
    const after = await health.check();
    expect(after.overall_status).toBe("degraded");
    expect(after.components.mcp_telemetry.overall_mcp_health).toBe("unavailable");
  });
});
