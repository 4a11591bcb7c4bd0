import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { BREAKER_RULES } from "../../shared/pressure/breaker.ts";
import { CreateTaskResult, HybridHealth, SwarmStatus, TaskAnswer } from "../../shared/protocol/sidecar.ts";
import { buildDemoImage, DEMO_CLI } from "../../sidecar/container/image.ts";
import { startContainer } from "../../sidecar/container/start-container.ts";
import { McpServerConfigs } from "../../sidecar/mcp/server-config.ts";
import { McpServers } from "../../sidecar/mcp/servers.ts";
import { startClaudeFlow } from "../support/claude-flow.ts";
import { startDemo } from "../support/demo.ts";
import { docker, dockerAvailable, TestContainers } from "../support/docker.ts";
import { ended, lookUp } from "../support/fetched-task.ts";
import { recordingLog } from "../support/recording-log.ts";
import { type Sidecar, signedFetch, startSidecar } from "../support/sidecar.ts";

const TASK = `--help $(touch /tmp/owned) 'x' "y"\nbuild a REST API`;

async function sidecarWith(env: Record<string, string>): Promise<Sidecar> {
  const stateDir = mkdtempSync(join(tmpdir(), "hivegate-docker-"));
  onTestFinished(() => rmSync(stateDir, { recursive: true, force: true }));
  const sidecar = await startSidecar({ env: { SIDECAR_STATE_DIR: stateDir, ...env } });
  onTestFinished(() => sidecar.stop());
  return sidecar;
}

async function create({ url }: Sidecar, task = TASK) {
  const body = { taskId: randomUUID(), task, priority: "High", verbose: false };
  const answer = await signedFetch(`${url}/v1/tasks`, { body: { ...body, timeoutMs: 600_000, client: "c" } });
  expect(answer.status).toBe(200);
  return CreateTaskResult.parse(await answer.json()).task;
}

const stop = async ({ url }: Sidecar, taskId: string) =>
  TaskAnswer.parse(await (await signedFetch(`${url}/v1/tasks/${taskId}/stop`, { method: "POST" })).json())
    .task;

const dockerOf = async ({ url }: Sidecar) =>
  HybridHealth.parse(await (await signedFetch(`${url}/v1/health`)).json()).components.docker_hive_mind;

describe.skipIf(!(await dockerAvailable()))("a task that goes to MCP", () => {
  const containers = new TestContainers();
  afterAll(() => containers.removeAll());

  describe("to the real claude-flow", () => {
    /** A sidecar that cannot reach Docker, and a second way to the server that it gives tasks to. */
    async function setUp() {
      const { mcpPort } = await startClaudeFlow(containers);
      const servers = McpServerConfigs.parse([
        { name: "flow", profile: "claude-flow@3", host: "127.0.0.1", port: mcpPort },
      ]);
      const sidecar = await sidecarWith({
        SWARM_PROFILE: "claude-flow@3",
        DOCKER_SOCKET: "/nonexistent/docker.sock",
        MCP_SERVERS: JSON.stringify(servers),
      });
      const connections = new McpServers(servers, {
        ...{ callTimeoutMs: 10_000, rules: BREAKER_RULES, log: recordingLog().log },
        ...{
          breakers: { load: () => null, save: () => {}, forget: () => {} },
          now: Date.now,
          random: Math.random,
        },
      });
      onTestFinished(() => connections.close());
      const call = (tool: string, args: Record<string, unknown>) =>
        connections.primary()?.connection.call(tool, args);
      return { sidecar, call };
    }

    it("H3 is made there, assigned to an agent, and over when an agent reports it", async () => {
      const { sidecar, call } = await setUp();
      const task = await create(sidecar);
      expect(task).toMatchObject({ state: "running", method: "mcp-fallback", swarmId: null });
      const [upstreamId] = /task-\w+-\w+/.exec(task.note ?? "") ?? [];
      const [agentId] = /agent-\w+-\w+/.exec(task.note ?? "") ?? [];
      expect(await call("task_status", { taskId: upstreamId })).toMatchObject({
        ...{ description: TASK, priority: "high", status: "in_progress", assignedTo: [agentId] },
      });

      // A second one gets an agent too: no more are spawned than are needed.
      const other = await create(sidecar);
      expect(await call("agent_list", {})).toMatchObject({ total: 1 });

      await call("task_complete", { taskId: upstreamId, result: { built: true } });
      expect(await ended(sidecar, task.taskId)).toMatchObject({ state: "completed", error: null });
      const events = await signedFetch(`${sidecar.url}/v1/tasks/${task.taskId}/events?client=c`);
      expect(await events.text()).toContain("built");
      expect((await lookUp(sidecar, other.taskId)).state).toBe("running");
    });

    it("H4 is cancelled there, and the swarms are told from there", async () => {
      const { sidecar, call } = await setUp();
      const task = await create(sidecar);
      await call("hive-mind_init", { topology: "hierarchical" });
      const status = await signedFetch(`${sidecar.url}/v1/status`);
      expect(SwarmStatus.parse(await status.json())).toMatchObject({
        method: "mcp-fallback",
        swarms: [{ swarmId: expect.stringMatching(/^hive-/) }],
      });
      expect((await stop(sidecar, task.taskId)).state).toBe("stopped");
      const [upstreamId] = /task-\w+-\w+/.exec(task.note ?? "") ?? [];
      expect(await call("task_status", { taskId: upstreamId })).toMatchObject({ status: "cancelled" });
    });
  });

  it("H3 S4 while the container is away, paused or stopped; back in it when it is back, by itself", async () => {
    await buildDemoImage(docker, { name: "hivegate-test-demo" });
    const demo = await startDemo();
    onTestFinished(() => demo.stop());
    const name = `hivegate-test-${randomUUID()}`;
    const sidecar = await sidecarWith({
      MULTI_AGENT_CONTAINER_NAME: name,
      CLAUDE_FLOW_PATH: DEMO_CLI,
      MCP_SERVERS: JSON.stringify([{ name: "demo", profile: "demo", host: "127.0.0.1", port: demo.mcpPort }]),
    });
    const goesTo = async () => (await create(sidecar, "count primes below 1000")).method;
    const circuitIs = (state: string) =>
      vi.waitFor(async () => expect((await dockerOf(sidecar)).circuit?.state).toBe(state), {
        timeout: 15_000,
        interval: 200,
      });

    expect(await goesTo()).toBe("mcp-fallback");
    const running = await startContainer(docker, { name, image: "hivegate-test-demo", ports: [] });
    onTestFinished(() => running.remove());
    const container = docker.getContainer(name);
    const interruptions: [() => Promise<unknown>, () => Promise<unknown>][] = [
      [() => container.pause(), () => container.unpause()],
      [() => container.stop({ t: 0 }), () => container.start()],
    ];
    for (const [away, back] of interruptions) {
      await circuitIs("closed");
      await vi.waitFor(async () => expect(await goesTo()).toBe("docker-exec"), {
        timeout: 20_000,
        interval: 500,
      });
      await away();
      expect(await goesTo()).toBe("mcp-fallback");
      await circuitIs("open");
      await back();
    }
    await circuitIs("closed");
  });
});
