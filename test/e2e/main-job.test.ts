import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import { HybridHealth, TaskAnswer, TaskList } from "../../shared/protocol/sidecar.ts";
import { connectSocket, type SocketClient } from "../support/socket-client.ts";
import { type System, startSystem } from "../support/system.ts";

const Created = z.object({ taskId: z.uuid() });
const ErrorAnswer = z.object({ code: z.string(), message: z.string().min(1) });

let system: System;
let token: string;

beforeAll(async () => {
  system = await startSystem();
  token = await system.gateway.token();
});

afterAll(() => system.stop());

const connect = (path: "stream" | "relay"): Promise<SocketClient> =>
  connectSocket(system.gateway.url, `/v1/hives/default/${path}`, token);

const http = (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
  fetch(`${system.gateway.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${token}`, ...init.headers },
  });

describe("the main job, through real processes", () => {
  it("H1 H2 S2 starts a task, shows its output, and shows its agents at work until it has ended", async () => {
    const stream = await connect("stream");
    const relay = await connect("relay");
    await stream.next("snapshot");
    relay.send({
      type: "create_task",
      task: "count primes below 2000000",
      priority: "high",
      follow: true,
      requestId: "1",
    });
    const created = await relay.next("task_created");
    expect(created).toMatchObject({ success: true, requestId: "1", method: "process", created: true });
    expect(created.swarmId).toMatch(/./);
    expect(created.telemetry.status).toBe("available");

    const working = await stream.next("agent_update", ({ payload }) =>
      payload.agents.some(({ swarm_id, status }) => swarm_id === created.swarmId && status === "working"),
    );
    expect(working.payload.agents[0]).toMatchObject({ server: "demo", server_source: "demo" });

    const output = await relay.next(
      "task_event",
      ({ event }) => event.kind === "output" && event.text.includes("148933"),
    );
    expect(output.event.taskId).toBe(created.taskId);
    const end = await relay.next(
      "task_event",
      ({ event }) => event.kind === "state" && event.task.endedAt !== null,
    );
    expect(end.event).toMatchObject({ task: { state: "completed", exitCode: 0, error: null } });
    expect(await relay.next("task_unfollowed")).toMatchObject({ reason: "ended" });
    await stream.next("agent_update", ({ payload }) =>
      Boolean(payload.tasks?.some(({ taskId, state }) => taskId === created.taskId && state === "completed")),
    );
    stream.close();
    relay.close();
  });

  it("H9 runs a task once when its client repeats itself with the same key, over REST or a socket", async () => {
    const body = JSON.stringify({ task: "count primes below 10000" });
    const post = () =>
      http("/v1/hives/default/tasks", { method: "POST", body, headers: { "idempotency-key": "once" } });
    const answers = await Promise.all([post(), post(), post()]);
    expect(answers.map(({ status }) => status).sort()).toEqual([200, 200, 201]);
    const relay = await connect("relay");
    relay.send({ type: "create_task", task: "count primes below 10000", idempotencyKey: "once" });
    expect(await relay.next("task_created")).toMatchObject({ created: false });
    relay.send({ type: "create_task", task: "count primes below 99", idempotencyKey: "once" });
    expect(await relay.next("error")).toMatchObject({ code: "idempotency_conflict" });
    const { tasks } = TaskList.parse(await (await http("/v1/hives/default/tasks")).json());
    expect(tasks.filter(({ task }) => task === "count primes below 10000")).toHaveLength(1);
    relay.close();
  });

  it("H4 answers status, swarms and stop as the swarm itself says", async () => {
    const relay = await connect("relay");
    relay.send({ type: "create_task", task: "hash this for a good while", follow: true });
    const { taskId, swarmId } = await relay.next("task_created");
    relay.send({ type: "list_swarms" });
    const { swarms } = await relay.next("swarms");
    expect(swarms.find((swarm) => swarm.swarmId === swarmId)).toMatchObject({ status: "active" });
    relay.send({ type: "get_status", swarmId });
    expect((await relay.next("status")).swarms).toHaveLength(1);
    relay.send({ type: "get_status", swarmId: "--help" });
    expect((await relay.next("status")).swarms).toEqual([]);
    relay.send({ type: "pause_task", taskId });
    expect(await relay.next("error")).toMatchObject({ code: "not_supported" });
    relay.send({ type: "stop_task", taskId });
    await relay.next("task_event", ({ event }) => event.kind === "state" && event.task.state === "stopped");
    relay.close();
  });

  it("H7 reports the health of every part, and that the MCP server is gone when it is", async () => {
    const read = async () => HybridHealth.parse(await (await http("/health/hybrid")).json());
    const healthy = await read();
    expect(healthy.overall_status).toBe("healthy");
    expect(healthy.components.mcp_telemetry.mcp_services.map(({ service }) => service)).toEqual(
      expect.arrayContaining(["mcp:demo", "orchestrator", "http_health"]),
    );
  });

  it("S8 gives each bad input its own clear error, and goes on", async () => {
    const relay = await connect("relay");
    const cases: [unknown, string][] = [
      ["not json", "invalid_json"],
      [{ type: "create_task" }, "invalid_request"],
      [{ type: "create_task", task: 7 }, "invalid_request"],
      [{ type: "create_task", task: "" }, "invalid_request"],
      [{ type: "create_task", task: "a\0b" }, "invalid_request"],
      [{ type: "create_task", task: "x".repeat(100_000) }, "invalid_request"],
      [{ type: "follow_task", taskId: "6f2ef6a1-3f7e-4d4c-9a53-0b8d8c9f2a10" }, "unknown_task"],
      [[], "unknown_message"],
      ["x".repeat(2 * 1024 * 1024), "frame_too_large"],
    ];
    for (const [frame, code] of cases) {
      relay.sendRaw(typeof frame === "string" ? frame : JSON.stringify(frame));
      expect(await relay.next("error")).toMatchObject({ code });
    }
    relay.sendRaw(new Uint8Array([1, 2, 3]));
    expect(await relay.next("error")).toMatchObject({ code: "unknown_message" });
    relay.send({ type: "ping" });
    await relay.next("pong");
    relay.close();
  });

  it("S8 passes quotes, substitutions and newlines to the swarm as text", async () => {
    const text = `say "hi" 'there' $(touch /tmp/pwned) \`id\` ; & | > \\ \n--help ünï 🐝`;
    const relay = await connect("relay");
    relay.send({ type: "create_task", task: text, follow: true });
    const { taskId, swarmId } = await relay.next("task_created");
    relay.send({ type: "get_status", swarmId });
    const { swarms } = await relay.next("status");
    expect(swarms[0]?.detail).toMatchObject({ task: text });
    relay.send({ type: "stop_task", taskId });
    await relay.next("task");
    relay.close();
  });

  it("S8 ends an event stream with the token that opened it", async () => {
    const { taskId } = Created.parse(
      await (
        await http("/v1/hives/default/tasks", {
          method: "POST",
          body: '{"task":"count primes below 90000000"}',
        })
      ).json(),
    );
    const brief = await system.gateway.token({ expiresMs: Date.now() + 2_000 });
    const events = await http(`/v1/hives/default/tasks/${taskId}/events`, {
      headers: { authorization: `Bearer ${brief}` },
    });
    expect(events.status).toBe(200);
    await events.text().catch(() => {});
    // The stream is over, the task is not.
    const { task } = TaskAnswer.parse(await (await http(`/v1/hives/default/tasks/${taskId}`)).json());
    expect(task.state).toBe("running");
    await http(`/v1/hives/default/tasks/${taskId}/stop`, { method: "POST" });
  });

  it("S8 answers over HTTP with status, code and what to do", async () => {
    const statusOf = async (response: Response) => [
      response.status,
      ErrorAnswer.parse(await response.json()).code,
    ];
    expect(await statusOf(await fetch(`${system.gateway.url}/v1/hives/default/tasks`))).toEqual([
      401,
      "unauthorized",
    ]);
    const expired = await system.gateway.token({ expiresMs: Date.now() - 1_000 });
    const asked = { headers: { authorization: `Bearer ${expired}` } };
    expect(await statusOf(await http("/v1/hives/default/tasks", asked))).toEqual([401, "token_expired"]);
    expect(await statusOf(await http("/v1/hives/nowhere/tasks"))).toEqual([404, "unknown_hive"]);
    expect(await statusOf(await http("/v1/hives/default/stream"))).toEqual([426, "upgrade_required"]);
    expect(await statusOf(await http("/v1/hives/default/tasks/nope"))).toEqual([404, "unknown_task"]);
    expect(await statusOf(await http("/nowhere"))).toEqual([404, "not_found"]);
    const post = (body: string) => http("/v1/hives/default/tasks", { method: "POST", body });
    expect(await statusOf(await post("{"))).toEqual([400, "invalid_json"]);
    expect(await statusOf(await post('{"task":1}'))).toEqual([400, "invalid_request"]);
    expect(await statusOf(await post("x".repeat(300_000)))).toEqual([413, "body_too_large"]);
  });
});
