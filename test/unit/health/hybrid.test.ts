import { once } from "node:events";
import { createServer } from "node:http";
import { describe, expect, it, onTestFinished } from "vitest";
import { WebSocketServer } from "ws";
import { HybridHealth } from "../../../shared/protocol/sidecar.ts";
import { HybridHealthCheck, type HybridHealthOptions } from "../../../sidecar/health/hybrid.ts";
import { portOf, startLineServer } from "../../support/line-server.ts";
import { recordingLog } from "../../support/recording-log.ts";

/** What the orchestrator wants to be sent. */
const TOKEN = "orchestrator-token";

/** A host where everything is well: MCP on TCP, an HTTP health endpoint, and an orchestrator beside it. */
async function startHost() {
  const state = { httpStatus: 200, httpAnswers: true, acceptsSockets: true };
  const mcp = await startLineServer(() => {});
  const http = createServer((_request, response) => {
    if (state.httpAnswers) response.writeHead(state.httpStatus).end("{}");
  });
  const sockets = new WebSocketServer({ noServer: true });
  http.on("upgrade", (request, socket, head) => {
    if (request.headers.authorization !== `Bearer ${TOKEN}`) socket.end("HTTP/1.1 401 Unauthorized\r\n\r\n");
    else if (!state.acceptsSockets) socket.end("HTTP/1.1 503 Service Unavailable\r\n\r\n");
    else sockets.handleUpgrade(request, socket, head, () => {});
  });
  http.listen(0, "127.0.0.1");
  await once(http, "listening");
  onTestFinished(() => {
    sockets.close();
    for (const client of sockets.clients) client.terminate();
    http.closeAllConnections();
    http.close();
  });
  return { state, mcp, sockets, port: portOf(http) };
}

function checkOf(host: { mcp: { port: number }; port: number }, options: Partial<HybridHealthOptions> = {}) {
  const { log, lines } = recordingLog();
  const clock = { nowMs: 1_000_000 };
  const health = new HybridHealthCheck({
    executorHealth: async () => ({ running: true, details: { containers: 1 } }),
    circuit: () => null,
    memory: () => ({ rss_bytes: 1, heap_used_bytes: 1 }),
    mcpEnabled: true,
    servers: () => [{ name: "demo", host: "127.0.0.1", port: host.mcp.port }],
    orchestratorUrls: () => [`ws://127.0.0.1:${host.port}/ws`],
    orchestratorToken: TOKEN,
    healthUrl: `http://127.0.0.1:${host.port}/health`,
    log,
    now: () => clock.nowMs,
    ...options,
  });
  return { health, clock, lines };
}

describe("the hybrid health check", () => {
  it("H7 everything is well", async () => {
    const host = await startHost();
    const { health } = checkOf(host);
    const timestamp = 1_000_000;
    expect(HybridHealth.parse(await health.check())).toEqual({
      system: "hybrid_docker_mcp",
      overall_status: "healthy",
      components: {
        docker_hive_mind: { status: "healthy", details: { containers: 1 }, timestamp },
        mcp_telemetry: {
          mcp_services: ["mcp:demo", "orchestrator", "http_health"].map((service) => ({
            service,
            healthy: true,
            timestamp,
          })),
          overall_mcp_health: "healthy",
        },
        sidecar: { rss_bytes: 1, heap_used_bytes: 1 },
      },
      note: "Tasks can be started, and telemetry is live.",
      timestamp,
    });
    expect(host.mcp.accepted()).toBe(1);
  });

  it("S4 H7 shows the breaker in front of the swarm's commands, however they are", async () => {
    const host = await startHost();
    const circuit = { state: "open", since: 1, retry_at: 2 } as const;
    for (const running of [true, false]) {
      const executorHealth = async () => ({ running, details: {} });
      const { health } = checkOf(host, { executorHealth, circuit: () => circuit });
      const { docker_hive_mind } = HybridHealth.parse(await health.check()).components;
      expect(docker_hive_mind).toMatchObject({ status: running ? "healthy" : "critical", circuit });
    }
  });

  it.each([
    ["http_health", "answers with an error", { httpStatus: 503 }],
    ["http_health", "answers nothing", { httpAnswers: false }],
    ["orchestrator", "refuses the handshake", { acceptsSockets: false }],
  ])("H7 the service %s that %s only degrades telemetry", async (service, _what, change) => {
    const host = await startHost();
    Object.assign(host.state, change);
    const { overall_status, components } = await checkOf(host).health.check();
    expect(overall_status).toBe("degraded");
    expect(components.docker_hive_mind.status).toBe("healthy");
    expect(components.mcp_telemetry.overall_mcp_health).toBe("degraded");
    const unwell = components.mcp_telemetry.mcp_services.filter(({ healthy }) => !healthy);
    expect(unwell.map((entry) => entry.service)).toEqual([service]);
  });

  it("H7 R6 tells of the orchestrators that are in use now, by number where there are several", async () => {
    const host = await startHost();
    await host.mcp.close();
    const urls = [`ws://127.0.0.1:${host.mcp.port}/ws`];
    const { health, clock } = checkOf(host, {
      servers: () => [],
      healthUrl: null,
      orchestratorUrls: () => urls,
    });
    const services = async () => {
      clock.nowMs += 2_000;
      const { mcp_services } = (await health.check()).components.mcp_telemetry;
      return mcp_services.map(({ service, healthy }) => [service, healthy]);
    };
    expect(await services()).toEqual([["orchestrator", false]]);
    urls.unshift(`ws://127.0.0.1:${host.port}/ws`);
    expect(await services()).toEqual([
      ["orchestrator:1", true],
      ["orchestrator:2", false],
    ]);
    urls.pop();
    expect(await services()).toEqual([["orchestrator", true]]);
  });

  it("H7 with nothing to be reached telemetry is unavailable, and strangers learn no address", async () => {
    const host = await startHost();
    await host.mcp.close();
    const { health, lines } = checkOf(host, {
      orchestratorUrls: () => [`ws://127.0.0.1:${host.mcp.port}/ws`],
      healthUrl: `http://127.0.0.1:${host.mcp.port}/health`,
    });
    const answer = await health.check();
    expect(answer.components.mcp_telemetry.overall_mcp_health).toBe("unavailable");
    expect(answer.note).toBe("Tasks can be started, and telemetry is missing.");
    expect(JSON.stringify(answer)).not.toMatch(/127\.0\.0\.1|ECONNREFUSED/);
    expect(JSON.stringify(answer)).not.toContain(String(host.mcp.port));
    expect(lines.join()).toContain("ECONNREFUSED");
  });

  it("H7 docker down is critical, and its reason is for the log alone", async () => {
    const host = await startHost();
    const { health, lines } = checkOf(host, {
      executorHealth: async () => ({ running: false, details: { reason: "no /var/run/docker.sock" } }),
    });
    const answer = await health.check();
    expect(answer.overall_status).toBe("degraded");
    expect(answer.components.docker_hive_mind.status).toBe("critical");
    expect(answer.note).toBe("Tasks cannot be started by command, and telemetry is live.");
    expect(JSON.stringify(answer)).not.toContain("docker.sock");
    expect(lines.join()).toContain("docker.sock");
  });

  it("C1 H7 servers are those of the moment: one that is not configured any more is neither well nor unwell", async () => {
    const host = await startHost();
    let servers = [{ name: "demo", host: "127.0.0.1", port: host.mcp.port }];
    const { health, clock, lines } = checkOf(host, { servers: () => servers, healthUrl: null });
    const services = async () => {
      clock.nowMs += 1_000;
      const { mcp_services } = (await health.check()).components.mcp_telemetry;
      return mcp_services.map(({ service, healthy }) => `${service} ${healthy}`);
    };
    await host.mcp.close();
    expect(await services()).toEqual(["mcp:demo false", "orchestrator true"]);
    servers = [];
    expect(await services()).toEqual(["orchestrator true"]);
    servers = [{ name: "demo", host: "127.0.0.1", port: host.port }];
    expect(await services()).toEqual(["mcp:demo true", "orchestrator true"]);
    expect(lines).toHaveLength(1);
  });

  it("H7 an answer comes within its time though nobody answers", async () => {
    const host = await startHost();
    host.state.httpAnswers = false;
    const { health } = checkOf(host, { executorHealth: () => new Promise(() => {}) });
    const startedMs = performance.now();
    const answer = await health.check();
    // 500 ms are promised; the rest is what a busy machine may add.
    expect(performance.now() - startedMs).toBeLessThan(1_500);
    expect(answer.components.docker_hive_mind.status).toBe("critical");
  });

  it("H7 telemetry that is switched off is disabled, not unhealthy, and is not looked at", async () => {
    const host = await startHost();
    const answer = await checkOf(host, { mcpEnabled: false }).health.check();
    expect(answer.overall_status).toBe("healthy");
    expect(answer.components.mcp_telemetry).toEqual({ mcp_services: [], overall_mcp_health: "disabled" });
    expect(host.mcp.accepted()).toBe(0);
  });

  it("H7 a crowd that asks for a second costs one look, and a change is logged once", async () => {
    const host = await startHost();
    host.state.httpStatus = 500;
    const { health, clock, lines } = checkOf(host);
    await Promise.all(Array.from({ length: 50 }, () => health.check()));
    clock.nowMs += 999;
    await health.check();
    expect(host.mcp.accepted()).toBe(1);
    clock.nowMs += 1;
    await health.check();
    expect(host.mcp.accepted()).toBe(2);
    expect(lines).toHaveLength(1);
    host.state.httpStatus = 200;
    clock.nowMs += 1_000;
    expect((await health.check()).overall_status).toBe("healthy");
    expect(lines).toHaveLength(2);
  });

  it("H7 the check leaves no connection behind", async () => {
    const host = await startHost();
    await checkOf(host).health.check();
    await expect.poll(() => host.sockets.clients.size).toBe(0);
    await expect.poll(() => host.mcp.clients.size).toBe(0);
  });
});
