import { expect, it } from "vitest";
import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { CreateTask } from "../../shared/protocol/sidecar.ts";
import type { TaskEvent } from "../../shared/swarm/task.ts";
import { aTask } from "../support/agents.ts";
import { onEveryHost } from "./hosts.ts";

const ErrorAnswer = z.object({ code: z.string(), message: z.string().min(1) });
const TASKS = "/v1/hives/default/tasks";
const NO_TELEMETRY = { status: "telemetry_unavailable" };
const task = aTask();

const output = (seq: number): TaskEvent => ({
  ...{ kind: "output", taskId: task.taskId, seq, timestamp: 1, stream: "stdout", text: `line ${seq}` },
});

onEveryHost("the gateway over HTTP", ({ sidecar, gateway, connect }) => {
  const http = async (path: string, init: RequestInit & { token?: string } = {}) => {
    const token = init.token ?? (await gateway().token({ subject: "http" }));
    const headers = { authorization: `Bearer ${token}`, ...init.headers };
    return fetch(`${gateway().url}${path}`, { ...init, headers });
  };
  const post = (path: string, body: string, headers: Record<string, string> = {}) =>
    http(path, { method: "POST", body, headers });
  const refusal = async (response: Response) => [
    response.status,
    ErrorAnswer.parse(await response.json()).code,
  ];

  it("H1 H9 starts a task; a client that repeats itself with its key names the same one", async () => {
    sidecar.answer("POST /v1/tasks", { task, created: true, telemetry: NO_TELEMETRY });
    const create = () => post(TASKS, '{"task":"count","priority":"critical"}', { "idempotency-key": "k" });
    const [first, second] = [await create(), await create()];
    expect(first.status).toBe(201);
    expect(await first.json()).toMatchObject({
      ...{ success: true, taskId: task.taskId, method: "docker-exec", telemetry: NO_TELEMETRY },
    });
    expect(second.status).toBe(201);
    const asked = sidecar.asked.map(({ body }) => CreateTask.parse(body));
    expect(asked).toMatchObject([{ task: "count", priority: "High" }, { taskId: asked[0]?.taskId }]);
  });

  it("H4 passes on what the sidecar says of tasks, swarms and status, and what it refuses", async () => {
    const taskPath = `/v1/tasks/${task.taskId}`;
    const swarms = { swarms: [], method: "docker-exec", telemetry: NO_TELEMETRY };
    sidecar.answer("GET /v1/tasks", { tasks: [task] });
    sidecar.answer(`GET ${taskPath}`, { task });
    sidecar.answer(`POST ${taskPath}/stop`, { task: { ...task, state: "stopped" } });
    sidecar.answer(`POST ${taskPath}/pause`, { code: "not_supported", message: "no" }, 409);
    sidecar.answer("GET /v1/swarms", swarms);
    sidecar.answer("GET /v1/status", { ...swarms, tasks: [task] });
    const read = async (path: string) => (await http(`/v1/hives/default${path}`)).json();
    expect(await read("/tasks")).toEqual({ tasks: [task] });
    expect(await read(`/tasks/${task.taskId}`)).toEqual({ task });
    expect(await read("/swarms")).toEqual(swarms);
    expect(await read("/status?swarmId=s")).toEqual({ ...swarms, tasks: [task] });
    expect(await (await post(`${TASKS}/${task.taskId}/stop`, "")).json()).toMatchObject({
      task: { state: "stopped" },
    });
    const writer = await gateway().token({ permissions: ["tasks:write"] });
    const stopped = await http(`${TASKS}/${task.taskId}/stop`, { method: "POST", token: writer });
    expect(await stopped.json()).toMatchObject({ task: { task: "", state: "stopped" } });
    expect(await refusal(await post(`${TASKS}/${task.taskId}/pause`, ""))).toEqual([409, "not_supported"]);
  });

  it("S8 T8 answers with a status, a code and what to do", async () => {
    const expired = await gateway().token({ expiresMs: Date.now() - 2_000 });
    const reader = await gateway().token({ permissions: ["tasks:read"] });
    const cases: [Promise<Response>, number, string][] = [
      [fetch(`${gateway().url}${TASKS}`), 401, "unauthorized"],
      [http(TASKS, { token: expired }), 401, "token_expired"],
      [http(TASKS, { token: reader, method: "POST", body: '{"task":"x"}' }), 403, "forbidden"],
      [http("/v1/hives/nowhere/tasks"), 404, "unknown_hive"],
      [http("/v1/hives/default/stream"), 426, "upgrade_required"],
      [http(`${TASKS}/nope`), 404, "unknown_task"],
      [http("/nowhere"), 404, "not_found"],
      [post(TASKS, "{"), 400, "invalid_json"],
      [post(TASKS, '{"task":1}'), 400, "invalid_request"],
      [post(TASKS, "x".repeat(LIMITS.clientFrameBytes + 1)), 413, "body_too_large"],
    ];
    for (const [response, status, code] of cases)
      expect(await refusal(await response)).toEqual([status, code]);
    await sidecar.stop();
    expect(await refusal(await http(TASKS))).toEqual([502, "sidecar_unreachable"]);
    await sidecar.start();
  });

  it("T8 S8 gives a bad frame on a socket the same codes, and goes on", async () => {
    const gone = new HivegateError("unknown_task");
    sidecar.answer(`GET /v1/tasks/${task.taskId}`, gone.toBody(), gone.httpStatus);
    const relay = await connect({ kind: "relay" });
    const cases: [unknown, string][] = [
      ["not json", "invalid_json"],
      [{ type: "create_task" }, "invalid_request"],
      [{ type: "create_task", task: 7 }, "invalid_request"],
      [{ type: "create_task", task: "" }, "invalid_request"],
      [{ type: "create_task", task: "a\0b" }, "invalid_request"],
      [{ type: "create_task", task: "x".repeat(100_000) }, "invalid_request"],
      [{ type: "update_filters", filters: { agent_types: Array(60).fill("x") } }, "invalid_request"],
      [{ type: "follow_task", taskId: task.taskId }, "unknown_task"],
      [[], "unknown_message"],
      [new Uint8Array([1, 2, 3]), "unknown_message"],
      ["x".repeat(2 * 1024 * 1024), "frame_too_large"],
    ];
    for (const [frame, code] of cases) {
      const raw = typeof frame === "string" || frame instanceof Uint8Array;
      relay.sendRaw(raw ? frame : JSON.stringify(frame));
      expect(await relay.next("error")).toMatchObject({ code });
    }
    expect(await relay.ask({ type: "ping" })).toMatchObject({ type: "pong" });
  });

  it("H9 streams a task's events from where the reader was, numbered", async () => {
    sidecar.follow(task.taskId, async function* (after) {
      for (let seq = after + 1; seq <= 5; seq++) yield output(seq);
    });
    const response = await http(`${TASKS}/${task.taskId}/events`, { headers: { "last-event-id": "3" } });
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const ids = [...(await response.text()).matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
    expect(ids).toEqual([4, 5]);
  });

  it("S8 ends an event stream with the token that opened it", async () => {
    const { promise: forever } = Promise.withResolvers<void>();
    sidecar.follow(task.taskId, async function* () {
      yield output(1);
      await forever;
    });
    const expiresMs = (Math.floor(Date.now() / 1000) + 2) * 1000;
    const token = await gateway().token({ expiresMs });
    const response = await http(`${TASKS}/${task.taskId}/events`, { token });
    expect(response.status).toBe(200);
    // Ended or broken off: over in any case, and not before its time.
    await response.text().catch(() => {});
    expect(Date.now()).toBeGreaterThanOrEqual(expiresMs);
    expect(Date.now()).toBeLessThan(expiresMs + 5_000);
  });

  it("H1 H9 tells a relay's client of its task's events, and that the task has ended", async () => {
    sidecar.answer("POST /v1/tasks", { task, created: true, telemetry: NO_TELEMETRY });
    sidecar.follow(task.taskId, async function* () {
      yield output(1);
      yield {
        ...{ kind: "state", taskId: task.taskId, seq: 2, timestamp: 2 },
        task: aTask({ state: "completed" }),
      };
    });
    const relay = await connect({ kind: "relay" });
    const created = await relay.ask({ type: "create_task", task: "count", follow: true });
    expect(created).toMatchObject({ type: "task_created", success: true, taskId: task.taskId });
    expect((await relay.next("task_event")).event).toEqual(output(1));
    expect((await relay.next("task_event")).event).toMatchObject({ kind: "state" });
    expect(await relay.next("task_unfollowed")).toMatchObject({ reason: "ended" });
  });

  it("H7 says that nothing works when the sidecar does not answer in time", async () => {
    const answer = sidecar.hang();
    const response = await fetch(`${gateway().url}/health/hybrid`);
    expect(response.status).toBe(503);
    expect(await response.json()).toMatchObject({
      components: { docker_hive_mind: { status: "critical" } },
    });
    answer();
    expect(await (await fetch(`${gateway().url}/healthz`)).json()).toEqual({ ok: true });
  });

  it("U1 serves the page, which may load nothing from elsewhere", async () => {
    const response = await fetch(`${gateway().url}/`);
    expect(await response.text()).toContain("<title>Hivegate</title>");
    expect(response.headers.get("content-security-policy")).toMatch(/^default-src 'none'/);
  });
});
