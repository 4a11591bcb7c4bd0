import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished } from "vitest";
import { z } from "zod";
import { HivegateClient } from "../../shared/client/rest.ts";
import { CreateTaskResult, HybridHealth, SwarmStatus, TaskAnswer } from "../../shared/protocol/sidecar.ts";
import { type Demo, startDemo } from "../support/demo.ts";
import { ended } from "../support/fetched-task.ts";
import { type Sidecar, signedFetch, startSidecar } from "../support/sidecar.ts";
import { connectSocket } from "../support/socket-client.ts";
import { startSystem } from "../support/system.ts";
import { startForwarder } from "../support/tcp-forwarder.ts";

/** Long enough to be interrupted, on a fast machine too. */
const LONG = "count primes below 20000000";
const SHORT = "count primes below 50000";
const Refusal = z.object({ code: z.string(), message: z.string() });

let demo: Demo;
beforeAll(async () => {
  demo = await startDemo();
});
afterAll(() => demo.stop());

function scratch(): string {
  const directory = mkdtempSync(join(tmpdir(), "hivegate-e2e-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

const serverAt = (port: number) =>
  JSON.stringify([{ name: "demo", profile: "demo", host: "127.0.0.1", port }]);

/** A sidecar whose Docker is not there, while the demo swarm's MCP server is. */
async function withoutDocker(env: Record<string, string> = {}): Promise<Sidecar> {
  const sidecar = await startSidecar({
    env: {
      ...demo.env,
      DOCKER_SOCKET: "/nonexistent/docker.sock",
      SIDECAR_STATE_DIR: scratch(),
      MCP_SERVERS: serverAt(demo.mcpPort),
      ...env,
    },
  });
  onTestFinished(() => sidecar.stop());
  return sidecar;
}

/** A Docker that takes connections and never answers; counts them. */
async function hangingDocker() {
  const socketPath = join(scratch(), "docker.sock");
  const sockets = new Set<Socket>();
  let connections = 0;
  const server = createServer((socket) => {
    connections++;
    sockets.add(socket);
    socket.on("error", () => {});
  }).listen(socketPath);
  await once(server, "listening");
  onTestFinished(() => {
    server.close();
    for (const socket of sockets) socket.destroy();
  });
  return { socketPath, connections: () => connections };
}

const post = (url: string, task: string, taskId: string) =>
  signedFetch(`${url}/v1/tasks`, {
    body: { taskId, task, priority: "Low", verbose: false, timeoutMs: 600_000, client: "a client" },
  });

async function create({ url }: Sidecar, task: string, taskId: string = randomUUID()) {
  const answer = await post(url, task, taskId);
  expect(answer.status).toBe(200);
  return CreateTaskResult.parse(await answer.json());
}

const dockerOf = async ({ url }: Sidecar) =>
  HybridHealth.parse(await (await signedFetch(`${url}/v1/health`)).json()).components.docker_hive_mind;

const status = async ({ url }: Sidecar) =>
  SwarmStatus.parse(await (await signedFetch(`${url}/v1/status`)).json());

describe("without Docker", () => {
  it("H3 S4 a task is done by the demo swarm, followed to its end, and said not to be docker's", async () => {
    const sidecar = await withoutDocker();
    const { task } = await create(sidecar, SHORT);
    expect(task).toMatchObject({
      method: "mcp-fallback",
      swarmId: expect.stringMatching(/^swarm-/),
      note: expect.stringContaining("MCP server demo has it"),
    });
    expect(await ended(sidecar, task.taskId)).toMatchObject({ state: "completed", error: null });
    const events = await signedFetch(`${sidecar.url}/v1/tasks/${task.taskId}/events?client=c`);
    expect(await events.text()).toContain("5133");
    expect(await dockerOf(sidecar)).toMatchObject({ status: "critical", circuit: { state: "open" } });
  });

  it("H3 H9 a sidecar that is killed follows the task again, which the swarm was given once", async () => {
    const way = await startForwarder(demo.mcpPort);
    const env = { SIDECAR_STATE_DIR: scratch(), MCP_SERVERS: serverAt(way.port) };
    const first = await withoutDocker(env);
    const { task } = await create(first, LONG);
    await first.kill("SIGKILL");

    const second = await withoutDocker(env);
    expect(await create(second, LONG, task.taskId)).toMatchObject({
      created: false,
      task: { state: "running", method: "mcp-fallback", note: task.note },
    });
    expect(await ended(second, task.taskId)).toMatchObject({ state: "completed", swarmId: task.swarmId });
    expect(way.asked("task_orchestrate")).toBe(1);
  });

  it("H3 H9 a server that hears of the task and does not answer is asked later, not given it again", async () => {
    const way = await startForwarder(demo.mcpPort);
    const sidecar = await withoutDocker({ MCP_SERVERS: serverAt(way.port) });
    way.freezeAt("task_orchestrate");
    const { task } = await create(sidecar, SHORT);
    expect(task).toMatchObject({
      method: "mcp-fallback",
      note: "Not run by the swarm's commands: MCP server demo was given it and did not answer with an id.",
    });
    way.thaw();
    expect(await ended(sidecar, task.taskId)).toMatchObject({ state: "completed" });
    expect(way.asked("task_orchestrate")).toBe(1);
  });

  it("H4 a task is stopped where it is done", async () => {
    const sidecar = await withoutDocker();
    const { task } = await create(sidecar, LONG);
    const stopped = await signedFetch(`${sidecar.url}/v1/tasks/${task.taskId}/stop`, { method: "POST" });
    expect(TaskAnswer.parse(await stopped.json()).task).toMatchObject({ state: "stopped" });
    const paused = await signedFetch(`${sidecar.url}/v1/tasks/${task.taskId}/pause`, { method: "POST" });
    expect(paused.status).toBe(409);
  });

  it("H4 the swarms are told by MCP, marked as such", async () => {
    const sidecar = await withoutDocker();
    const { task } = await create(sidecar, LONG);
    const { swarms, method } = await status(sidecar);
    expect(method).toBe("mcp-fallback");
    expect(swarms.map(({ swarmId }) => swarmId)).toContain(task.swarmId);
    await signedFetch(`${sidecar.url}/v1/tasks/${task.taskId}/stop`, { method: "POST" });
  });

  it("H3 and without MCP it is one error that names both causes, and no address", async () => {
    const sidecar = await withoutDocker({ MCP_SERVERS: serverAt(1) });
    const answer = await post(sidecar.url, SHORT, randomUUID());
    const text = await answer.text();
    expect(answer.status).toBe(503);
    expect(Refusal.parse(JSON.parse(text))).toEqual({
      code: "swarm_unavailable",
      message:
        "docker: Docker does not answer. Check that its daemon runs. MCP: The MCP server cannot be reached. " +
        "Nothing was run: the same request may be sent again.",
    });
    expect(text).not.toContain("nonexistent");
  });

  it("H3 H8 with the fallback switched off, no server hears of it", async () => {
    const way = await startForwarder(demo.mcpPort);
    const sidecar = await withoutDocker({ ENABLE_MCP_FALLBACK: "false", MCP_SERVERS: serverAt(way.port) });
    const answer = await post(sidecar.url, SHORT, randomUUID());
    const { message } = Refusal.parse(await answer.json());
    expect([answer.status, message]).toEqual([503, expect.not.stringContaining("MCP")]);
    expect(way.asked("task_orchestrate")).toBe(0);
  });

  it("H8 with telemetry switched off, tasks still have their server", async () => {
    const sidecar = await withoutDocker({ ENABLE_MCP_TELEMETRY: "false" });
    const { task, telemetry } = await create(sidecar, SHORT);
    expect([task.method, telemetry.status]).toEqual(["mcp-fallback", "telemetry_unavailable"]);
  });
});

describe("without Docker, at the client", () => {
  it("H3 H5 sockets and HTTP tell the method and the note; agents are still docker's to tell", async () => {
    const system = await startSystem({
      env: { SWARM_EXECUTOR: "docker", DOCKER_SOCKET: "/nonexistent/docker.sock" },
    });
    onTestFinished(() => system.stop());
    const { url, token } = system.gateway;
    const client = await connectSocket(url, "/v1/hives/default/stream?mode=on_demand", await token());
    onTestFinished(() => client.close());
    const marked = { method: "mcp-fallback", note: expect.stringContaining("MCP server demo has it") };

    client.send({ type: "create_task", task: SHORT });
    expect(await client.next("task_created")).toMatchObject(marked);
    const rest = new HivegateClient({ baseUrl: url, hive: "default", token: await token() });
    expect(await rest.createTask({ task: SHORT })).toMatchObject({ ...marked, task: marked });
    expect(await rest.status()).toMatchObject({ method: "mcp-fallback" });

    client.send({ type: "request_agents" });
    expect(await client.next("error")).toMatchObject({
      ...{ source: "docker", code: "circuit_open" },
      mcp_telemetry: { mcp_status: "available" },
    });
  });
});

describe("a Docker that hangs", () => {
  it("S4 costs one request its timeout; those after it go to MCP at once", async () => {
    const { socketPath } = await hangingDocker();
    const sidecar = await withoutDocker({ DOCKER_SOCKET: socketPath, DOCKER_COMMAND_TIMEOUT_MS: "2000" });
    const first = performance.now();
    expect((await create(sidecar, SHORT)).task.method).toBe("mcp-fallback");
    expect(performance.now() - first).toBeGreaterThan(1_900);
    for (let n = 0; n < 5; n++) {
      const beganMs = performance.now();
      expect((await create(sidecar, SHORT)).task.method).toBe("mcp-fallback");
      expect(performance.now() - beganMs).toBeLessThan(1_500);
    }
    const beganMs = performance.now();
    expect((await status(sidecar)).method).toBe("mcp-fallback");
    expect(performance.now() - beganMs).toBeLessThan(1_500);
  });

  it("S4 is still known to hang after a restart", async () => {
    const { socketPath } = await hangingDocker();
    const stateDir = scratch();
    const env = { DOCKER_SOCKET: socketPath, DOCKER_COMMAND_TIMEOUT_MS: "3000", SIDECAR_STATE_DIR: stateDir };
    const first = await withoutDocker(env);
    await create(first, SHORT);
    await first.kill("SIGKILL");
    const second = await withoutDocker(env);
    const beganMs = performance.now();
    await create(second, SHORT);
    expect(performance.now() - beganMs).toBeLessThan(2_500);
  });
});

describe("with MCP first", () => {
  const mcpFirst = { ENABLE_DOCKER_PRIMARY: "false", SWARM_EXECUTOR: "process" };

  it("H8 tasks go to the server although commands would work", async () => {
    const sidecar = await withoutDocker(mcpFirst);
    const { task } = await create(sidecar, SHORT);
    expect(task.method).toBe("mcp-fallback");
    expect((await ended(sidecar, task.taskId)).state).toBe("completed");
  });

  it("H8 commands do it when no server answers, if they may", async () => {
    const away = { ...mcpFirst, MCP_SERVERS: serverAt(1) };
    const sidecar = await withoutDocker(away);
    const { task } = await create(sidecar, SHORT);
    expect(task.method).toBe("process");
    expect((await ended(sidecar, task.taskId)).state).toBe("completed");

    const alone = await withoutDocker({ ...away, ENABLE_DOCKER_FALLBACK: "false" });
    const answer = await post(alone.url, SHORT, randomUUID());
    expect(Refusal.parse(await answer.json()).code).toBe("mcp_unavailable");
  });
});
