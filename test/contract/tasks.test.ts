import { expect, it } from "vitest";
import { CreateTask } from "../../shared/protocol/sidecar.ts";
import type { TaskEvent, TaskState } from "../../shared/swarm/task.ts";
import { aServer, aTask } from "../support/agents.ts";
import { onEveryHost } from "./hosts.ts";

const NO_TELEMETRY = { status: "telemetry_unavailable" };
const task = aTask();

const changed = (seq: number, state: TaskState): TaskEvent => ({
  ...{ kind: "state", taskId: task.taskId, seq, timestamp: seq, task: aTask({ state }) },
});

onEveryHost("tasks", ({ sidecar, gateway, connect }) => {
  const get = async (path: string, token?: string) => {
    const authorization = `Bearer ${token ?? (await gateway().token({ subject: "http" }))}`;
    return fetch(`${gateway().url}/v1/hives/default${path}`, { headers: { authorization } });
  };

  /** What the sidecar was asked to create. */
  const created = () =>
    sidecar.asked
      .filter(({ method, path }) => method === "POST" && path === "/v1/tasks")
      .map(({ body }) => CreateTask.parse(body));

  it("H4 are told of on a socket as over HTTP", async () => {
    sidecar.answer("GET /v1/tasks", { tasks: [task] });
    sidecar.answer(`GET /v1/tasks/${task.taskId}`, { task });
    const stream = await connect();
    expect(await stream.ask({ type: "list_tasks" })).toMatchObject({ type: "tasks", tasks: [task] });
    expect(await stream.ask({ type: "get_task", taskId: task.taskId })).toMatchObject({
      ...{ type: "task", task },
    });
    const stranger = { type: "get_task", taskId: "6f2ef6a1-3f7e-4d4c-9a53-0b8d8c9f2a11" };
    expect(await stream.ask(stranger)).toMatchObject({ type: "error" });
  });

  it("H1 that wait are answered at once, and each change is pushed to whoever created them", async () => {
    const queued = aTask({ state: "queued", spawningAt: null, startedAt: null });
    sidecar.answer("POST /v1/tasks", { task: queued, created: true, telemetry: NO_TELEMETRY });
    sidecar.follow(task.taskId, async function* () {
      yield changed(2, "spawning");
      yield changed(3, "running");
      yield changed(9, "completed");
    });
    const stream = await connect();
    const answer = await stream.ask({ type: "create_task", task: "count", timeoutMs: 5_000 });
    expect(answer).toMatchObject({ type: "task_created", success: true, state: "queued" });
    const states: TaskState[] = [];
    while (states.at(-1) !== "completed") states.push((await stream.next("task_update")).task.state);
    expect(states).toEqual(["spawning", "running", "completed"]);
    const [asked] = created();
    expect(asked).toMatchObject({ task: "count", timeoutMs: 5_000 });
  });

  it("H1 S6 are counted by client, of whom the sidecar learns a name that says nothing else", async () => {
    sidecar.answer("POST /v1/tasks", { task, created: true, telemetry: NO_TELEMETRY });
    for (const subject of ["ada@example.org", "ada@example.org", "bob@example.org"]) {
      const stream = await connect({ identity: { subject } });
      await stream.ask({ type: "create_task", task: "count" });
    }
    const [ada, again, bob] = created().map(({ client }) => client);
    expect(again).toBe(ada);
    expect(bob).not.toBe(ada);
    expect(ada).toMatch(/^[0-9a-f]{32}$/);
  });

  it("H1 tell nobody of their changes who may not read tasks", async () => {
    sidecar.answer("POST /v1/tasks", { task, created: true, telemetry: NO_TELEMETRY });
    const writer = await connect({ identity: { permissions: ["telemetry:read", "tasks:write"] } });
    expect(await writer.ask({ type: "create_task", task: "count" })).toMatchObject({ type: "task_created" });
    expect(await writer.ask({ type: "ping" })).toMatchObject({ type: "pong" });
    expect(sidecar.countOf(`/v1/tasks/${task.taskId}/events`)).toBe(0);
  });

  it("H5 H6 the swarm's host is asked over HTTP as on a socket, and as often at most", async () => {
    const mcp_telemetry = { mcp_status: "disabled", telemetry: null };
    const { server, pool, server_source } = aServer();
    const pinged = { server, pool, server_source, status: "available", latency_ms: 1, capabilities: null };
    sidecar.answer("GET /v1/agents", { docker: { swarms: [], method: "docker-exec" }, mcp_telemetry });
    sidecar.answer("GET /v1/latest", { mcp_telemetry, container: null });
    sidecar.answer("GET /v1/discovery", {
      docker: { docker_health: "healthy", container_status: {} },
      mcp: { servers: [pinged] },
    });
    const read = async (path: string) => (await get(path)).json();
    expect(await read("/agents")).toMatchObject({ type: "multi_agent_update", source: "docker", swarms: [] });
    expect(await read("/discovery")).toMatchObject({ type: "discovery", mcp: { servers: [pinged] } });
    expect(await read("/topology?swarm_id=s")).toMatchObject({ type: "topology_update", swarms: [] });
    expect(await read("/performance")).toMatchObject({ type: "performance_analysis", agents: [] });
    sidecar.answer("GET /v1/agents", {
      docker: { error: { code: "swarm_unavailable", message: "It is away." } },
      mcp_telemetry,
    });
    const failed = await get("/agents");
    expect(failed.status).toBe(503);
    expect(await failed.json()).toMatchObject({ type: "error", source: "docker", message: "It is away." });
    const often = await Promise.all([1, 2, 3].map(() => get("/agents")));
    expect(often.map(({ status }) => status)).toContain(429);
  });
});
