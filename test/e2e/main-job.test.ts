import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { HybridHealth, TaskList } from "../../shared/protocol/sidecar.ts";
import type { Task } from "../../shared/swarm/task.ts";
import { connectSocket, type SocketClient } from "../support/socket-client.ts";
import { type System, startSystem } from "../support/system.ts";

let system: System;
let token: string;

beforeAll(async () => {
  system = await startSystem();
  token = await system.gateway.token();
});

afterAll(() => system.stop());

const connect = (path: "stream" | "relay"): Promise<SocketClient> =>
  connectSocket(system.gateway.url, `/v1/hives/default/${path}`, token);

/** A swarm may take longer to say its name than an answer waits for it. */
async function swarmIdOf(
  client: SocketClient,
  { taskId, swarmId }: { taskId: string; swarmId: string | null },
) {
  if (swarmId !== null) return swarmId;
  const isNamed = ({ task }: { task: Task }) => task.taskId === taskId && task.swarmId !== null;
  return String((await client.next("task_update", isNamed)).task.swarmId);
}

const http = (path: string, init: RequestInit & { headers?: Record<string, string> } = {}) =>
  fetch(`${system.gateway.url}${path}`, {
    ...init,
    headers: { authorization: `Bearer ${token}`, ...init.headers },
  });

describe("the main job, through real processes", () => {
  it("H1 S2 starts a task, shows its output, and shows its agents at work until it has ended", async () => {
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
    const swarmId = await swarmIdOf(relay, created);
    expect(swarmId).toMatch(/./);

    const working = await stream.next("agent_update", ({ payload }) =>
      payload.agents.some(({ swarm_id, status }) => swarm_id === swarmId && status === "working"),
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

  it("H4 answers status, swarms, pause, resume and stop as the swarm itself says", async () => {
    const relay = await connect("relay");
    relay.send({ type: "create_task", task: "count primes below 100000000", follow: true });
    const created = await relay.next("task_created");
    const { taskId } = created;
    const swarmId = await swarmIdOf(relay, created);
    relay.send({ type: "list_swarms" });
    const { swarms } = await relay.next("swarms");
    expect(swarms.find((swarm) => swarm.swarmId === swarmId)).toMatchObject({ status: "active" });
    relay.send({ type: "get_status", swarmId });
    expect((await relay.next("status")).swarms).toHaveLength(1);
    relay.send({ type: "get_status", swarmId: "--help" });
    expect((await relay.next("status")).swarms).toEqual([]);
    relay.send({ type: "pause_task", taskId });
    expect((await relay.next("task")).task).toMatchObject({ state: "running", pausedAt: expect.any(Number) });
    relay.send({ type: "get_status", swarmId });
    expect((await relay.next("status")).swarms).toMatchObject([{ status: "paused" }]);
    relay.send({ type: "resume_task", taskId });
    expect((await relay.next("task")).task).toMatchObject({ state: "running", pausedAt: null });
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

  it("S8 passes quotes, substitutions and newlines to the swarm as text", async () => {
    const text = `say "hi" 'there' $(touch /tmp/pwned) \`id\` ; & | > \\ \n--help ünï 🐝`;
    const relay = await connect("relay");
    relay.send({ type: "create_task", task: text, follow: true });
    const created = await relay.next("task_created");
    relay.send({ type: "get_status", swarmId: await swarmIdOf(relay, created) });
    const { swarms } = await relay.next("status");
    expect(swarms[0]?.detail).toMatchObject({ task: text });
    relay.close();
  });
});
