import { abortAllDurableObjects, evictDurableObject, runInDurableObject } from "cloudflare:test";
import { env, exports } from "cloudflare:workers";
import { beforeEach, describe, expect, it, vi } from "vitest";
import { ALL_PERMISSIONS, type Identity } from "../../shared/auth/permission.ts";
import { mintToken } from "../../shared/auth/token.ts";
import { GatewayFrame } from "../../shared/protocol/gateway.ts";
import { CreateTask, type TelemetryChange, type TelemetryLine } from "../../shared/protocol/sidecar.ts";
import type { Agent } from "../../shared/swarm/agent.ts";
import { ALL_FIELDS, IS_NEW } from "../../shared/swarm/fields.ts";
import type { TaskEvent } from "../../shared/swarm/task.ts";
import { formatEvent } from "../../shared/wire/sse.ts";
import { aChange, anAgent, aSnapshot, aTask } from "../support/agents.ts";
import { sidecar } from "./fake-sidecar.ts";

/** Each test begins without sockets, streams or objects of the one before. */
beforeEach(async () => {
  await abortAllDurableObjects();
  await sidecar.reset();
});

const NO_TELEMETRY = { status: "telemetry_unavailable" };

const untilWatched = (watched: boolean, timeout = 5_000) =>
  vi.waitFor(async () => expect((await sidecar.observe()).isWatched).toBe(watched), { timeout });

describe("a session", () => {
  it("S1 greets a client with its id, mode, filters and limits", async () => {
    const client = await connect("stream");
    const welcome = await client.next("welcome");
    expect(welcome).toMatchObject({ hive: "default", mode: "normal", epoch: null });
    expect(welcome.client_id).toMatch(/^[0-9a-f-]{36}$/);
  });

  it("H4 answers ping with pong, and anything unknown with the agreed error", async () => {
    const client = await connect("relay");
    client.send({ type: "ping", requestId: "1" });
    expect(await client.next("pong")).toMatchObject({ requestId: "1", timestamp: expect.any(Number) });
    client.sendText("not json");
    expect(await client.next("error")).toMatchObject({
      code: "invalid_json",
      message: "Unknown message format",
    });
    client.send({ type: "dance" });
    expect(await client.next("error")).toMatchObject({
      code: "unknown_message",
      message: "Unknown message format",
    });
  });

  it("S8 refuses a missing, a forged and an expired token with a close code that says not to come back", async () => {
    for (const [token, code] of [
      [null, 4502],
      ["forged", 4502],
      [await tokenFor({ expiresMs: Date.now() - 1000 }), 4503],
      [await tokenFor({ hives: ["other"] }), 4505],
      [await tokenFor({ permissions: [] }), 4504],
    ] as const) {
      const client = await connect("stream", token);
      await client.next("error");
      expect(await client.closed).toBe(code);
    }
  });

  it("S2 sends a snapshot, then what changed, with figures only for those who asked", async () => {
    const client = await connect("stream");
    await client.next("welcome");
    await untilWatched(true);
    await sidecar.emit(snapshot([anAgent()]));
    const first = await client.next("snapshot");
    expect(first.payload.agents).toHaveLength(1);
    expect(first.payload.agents[0]).not.toHaveProperty("performance");

    await sidecar.emit(change(1, { agents: [anAgent({ status: "done" })] }));
    const update = await client.next("agent_update");
    expect(update).toMatchObject({ from: 1, offset: 2, payload: { agents: [{ status: "done" }] } });

    client.send({ type: "update_filters", filters: { include_performance: true } });
    const again = await client.next("snapshot");
    expect(again.payload.agents[0]?.performance?.cpu_usage).toBe(42);
  });

  it("S1 survives eviction with its filters, and goes on receiving", async () => {
    const client = await connect("stream");
    await untilWatched(true);
    await sidecar.emit(snapshot([anAgent(), anAgent({ agent_id: "agent-2", agent_type: "queen" })]));
    await client.next("snapshot");
    client.send({ type: "update_filters", filters: { agent_types: ["queen"] } });
    await client.next("snapshot");

    await evictDurableObject(shardStub());
    await sidecar.emit(
      change(1, {
        agents: [
          anAgent({ status: "x" }),
          anAgent({ agent_id: "agent-2", agent_type: "queen", status: "y" }),
        ],
      }),
    );
    // The picture was lost with the memory: the shard asks for it, and its clients go on from where they are.
    const update = await client.next("agent_update");
    expect(update).toMatchObject({ from: 1, offset: 2 });
    expect(update.payload.agents.map((agent) => [agent.agent_id, agent.status])).toEqual([["agent-2", "y"]]);

    await sidecar.emit(change(2, { removed: ["agent-2"] }));
    expect((await client.next("agent_update")).payload.removed).toEqual(["agent-2"]);
    client.send({ type: "ping" });
    await client.next("pong");
  });

  it("H10 S6 is counted rightly after its shard has lost its memory", async () => {
    const [client, other] = [await connect("stream"), await connect("stream")];
    await untilWatched(true);
    await sidecar.emit(snapshot([anAgent()]));
    await client.next("snapshot");
    await vi.waitFor(async () => expect(await metric('sessions{mode="normal"')).toBe(2), { timeout: 5_000 });

    await evictDurableObject(shardStub());
    expect(await metric('sessions{mode="normal"')).toBe(2);
    await sidecar.emit(change(1, { agents: [anAgent({ status: "done" })] }));
    await Promise.all([client.next("agent_update"), other.next("agent_update")]);
    other.close();
    await other.closed;
    await vi.waitFor(async () => expect(await metric('sessions{mode="normal"')).toBe(1), { timeout: 5_000 });
    // What was counted before is not lost, nor counted again.
    expect(await metric("frames_sent_total{")).toBe(client.seen.length + other.seen.length);
  });

  it("H9 opens one telemetry stream for many clients, and ends it with the last", async () => {
    const clients = await Promise.all([connect("stream"), connect("stream"), connect("stream")]);
    await untilWatched(true);
    await sidecar.emit(snapshot([anAgent()]));
    for (const client of clients) await client.next("snapshot");
    expect(await telemetryRequests()).toBe(1);
    for (const client of clients) client.close();
    await vi.waitFor(async () => expect(await openFeeds()).toBe(0), { timeout: 5_000 });
    // The stream ended with the last client: the next one needs a new one.
    await connect("stream");
    await vi.waitFor(async () => expect(await telemetryRequests()).toBe(2), { timeout: 5_000 });
  });

  it("S4 says when the picture is no longer live, and when it is again", async () => {
    const client = await connect("stream");
    await untilWatched(true);
    await sidecar.emit(snapshot([anAgent()]));
    expect(await client.next("snapshot")).toMatchObject({ live: true });
    await sidecar.hangUp();
    expect(await client.next("hive_status")).toMatchObject({ live: false });
    await untilWatched(true);
    const [, again] = (await sidecar.observe()).requests.filter(({ path }) => path === "/v1/telemetry");
    expect(Object.fromEntries(new URLSearchParams(again?.query))).toMatchObject({ epoch: "e", offset: "1" });
    await sidecar.emit(change(1, { agents: [{ agent_id: "agent-1", status: "back" }] }));
    expect(await client.next("hive_status")).toMatchObject({ live: true, stale_since: null });
    expect((await client.next("agent_update")).payload.agents).toEqual([
      { agent_id: "agent-1", status: "back" },
    ]);
  });

  it("S4 keeps the breaker's state through eviction, and tells a client of it", async () => {
    await sidecar.answers("GET /v1/telemetry", { code: "internal", message: "no" }, 500);
    const client = await connect("stream");
    const opened = await client.next("hive_status", ({ circuit }) => circuit.state === "open");
    expect(opened).toMatchObject({ live: false });
    const saved = await runInDurableObject(hiveStub(), (_, ctx) => ctx.storage.kv.get("breaker:sidecar"));
    expect(saved).toMatchObject({ phase: "open" });
    client.close();
    await abortAllDurableObjects();
    const next = await connect("stream");
    const restored = await next.next("hive_status");
    expect(restored.circuit.state).toBe("open");
    expect(restored.circuit.since).toBe(opened.circuit.since);
    await sidecar.answers("GET /v1/telemetry", null);
    await untilWatched(true, 15_000);
    await sidecar.emit(snapshot([anAgent()]));
    const closed = await next.next("hive_status", ({ live }) => live, 15_000);
    expect(closed.circuit.state).toBe("closed");
  }, 30_000);

  it("S1 answers a heartbeat without waking anybody, and says how the connection is", async () => {
    const client = await connect("stream");
    await client.next("welcome");
    client.sendText('{"type":"heartbeat"}');
    expect(await client.next("heartbeat_ack")).not.toHaveProperty("timestamp");
    client.send({ type: "get_session" });
    expect(await client.next("session")).toMatchObject({
      effective_mode: "normal",
      quality: { missed_heartbeats: 0, latency_ms: null },
    });
  });

  it("S1 S5 begins as its address says: filters, mode, encoding, and the place to go on from", async () => {
    const first = await connect("stream");
    await untilWatched(true);
    await sidecar.emit(snapshot([anAgent(), anAgent({ agent_id: "q", agent_type: "queen" })]));
    await first.next("snapshot");
    await sidecar.emit(change(1, { agents: [{ agent_id: "q", status: "x" }] }));
    await first.next("agent_update");
    const filters = JSON.stringify({ agent_types: ["queen"] });
    const query = new URLSearchParams({
      filters,
      mode: "low_frequency",
      encoding: "deflate",
      epoch: "e",
      offset: "1",
    });
    const client = await connect("stream", undefined, query);
    expect(await client.next("welcome")).toMatchObject({ mode: "low_frequency", encoding: "deflate" });
    expect(await client.next("resumed")).toMatchObject({ recovered: true, offset: 2 });
    expect((await client.next("agent_update")).payload.agents).toEqual([{ agent_id: "q", status: "x" }]);
    const wrong = await connect("stream", undefined, new URLSearchParams({ mode: "sometimes" }));
    expect(await wrong.next("error")).toMatchObject({ code: "invalid_request" });
    expect(await wrong.closed).toBe(4500);
  });

  it("S4 does not show a newcomer the picture that nobody kept up", async () => {
    const client = await connect("stream");
    await untilWatched(true);
    await sidecar.emit(snapshot([anAgent({ status: "old" })]));
    await client.next("snapshot");
    client.close();
    await vi.waitFor(async () => expect(await openFeeds()).toBe(0), { timeout: 5_000 });
    const newcomer = await connect("stream");
    await vi.waitFor(async () => expect(await telemetryRequests()).toBe(2), { timeout: 5_000 });
    await sidecar.emit(change(1, { agents: [{ agent_id: "agent-1", status: "new" }] }));
    // Until the sidecar is heard, what is shown is said to be old.
    expect(await newcomer.next("hive_status")).toMatchObject({ live: false });
    expect(await newcomer.next("snapshot")).toMatchObject({ live: false });
    expect(await newcomer.next("hive_status")).toMatchObject({ live: true });
    expect((await newcomer.next("agent_update")).payload.agents).toMatchObject([{ status: "new" }]);
    expect(newcomer.seen.filter(({ type }) => type === "snapshot")).not.toContainEqual(
      expect.objectContaining({
        live: true,
        payload: expect.objectContaining({ agents: [expect.objectContaining({ status: "old" })] }),
      }),
    );
  });

  it("S8 refuses filters that would not fit, and the session goes on as it was", async () => {
    const client = await connect("stream");
    await untilWatched(true);
    await sidecar.emit(snapshot([anAgent()]));
    await client.next("snapshot");
    const names = Array.from({ length: 50 }, (_, i) => `${i}`.padStart(100, "漢"));
    client.send({ type: "update_filters", filters: { agent_types: names } });
    expect(await client.next("error")).toMatchObject({ code: "invalid_request" });
    await sidecar.emit(change(1, { agents: [anAgent({ status: "still here" })] }));
    await client.next("agent_update");
    client.send({ type: "performance_mode", mode: "low_frequency" });
    expect(await client.next("session")).toMatchObject({ mode: "low_frequency" });
  });

  it("S8 takes a token with many hives and a name in any script", async () => {
    const hives = Array.from({ length: 400 }, (_, i) => `hive-${i}`);
    const token = await tokenFor({ subject: "Zoë 日本", hives: [...hives, "default"] });
    const client = await connect("relay", token);
    client.send({ type: "ping" });
    await client.next("pong");
  });

  it("H1 creates a task over the relay and sends its events on the same socket", async () => {
    const task = aTask();
    const { taskId } = task;
    const event: TaskEvent = {
      kind: "output",
      taskId,
      seq: 1,
      timestamp: 5,
      stream: "stdout",
      text: "hello",
    };
    const end: TaskEvent = {
      kind: "state",
      taskId,
      seq: 2,
      timestamp: 6,
      task: aTask({ state: "completed" }),
    };
    await sidecar.answers("POST /v1/tasks", { task, created: true, telemetry: NO_TELEMETRY });
    await sidecar.answers(
      `GET /v1/tasks/${taskId}/events`,
      [event, end]
        .map((each) => formatEvent({ id: each.seq, event: each.kind, data: JSON.stringify(each) }))
        .join(""),
    );
    const client = await connect("relay");
    client.send({ type: "create_task", task: "count", priority: "critical", follow: true });
    expect(await client.next("task_created")).toMatchObject({
      success: true,
      taskId: task.taskId,
      method: "docker-exec",
      telemetry: { status: "telemetry_unavailable" },
    });
    expect((await client.next("task_event")).event).toMatchObject({ kind: "output", text: "hello" });
    expect(await client.next("task_unfollowed")).toMatchObject({ reason: "ended" });
    const request = (await sidecar.observe()).requests.find(({ method }) => method === "POST");
    expect(JSON.parse(request?.body ?? "")).toMatchObject({ task: "count", priority: "High" });
    expect(request?.headers.signature).toMatch(/^hivegate=:/);
  });

  it("H9 names the same task for the same idempotency key, and another for another client", async () => {
    await sidecar.answers("POST /v1/tasks", { task: aTask(), created: true, telemetry: NO_TELEMETRY });
    const token = await tokenFor({ subject: "alice" });
    for (const bearer of [token, token, await tokenFor({ subject: "bob" })]) {
      const response = await exports.default.fetch("http://gateway/v1/hives/default/tasks", {
        method: "POST",
        headers: { authorization: `Bearer ${bearer}`, "idempotency-key": "k", "content-length": "20" },
        body: '{"task":"something"}',
      });
      expect(response.status).toBe(201);
    }
    const [first, second, third] = (await sidecar.observe()).requests.map(
      ({ body }) => CreateTask.parse(JSON.parse(body)).taskId,
    );
    expect(second).toBe(first);
    expect(third).not.toBe(first);
  });
});

const shardStub = () => env.SHARD.get(env.SHARD.idFromName("default/0"));

const hiveStub = () => env.HIVE.get(env.HIVE.idFromName("default"));

const openFeeds = () =>
  runInDurableObject(
    shardStub(),
    (_, ctx) => ctx.getWebSockets("feed").filter((socket) => socket.readyState === WebSocket.OPEN).length,
  );

const telemetryRequests = async () =>
  (await sidecar.observe()).requests.filter(({ path }) => path === "/v1/telemetry").length;

type FrameOf<Type> = GatewayFrame & { type: Type };

async function connect(kind: "stream" | "relay", given?: string | null, query = new URLSearchParams()) {
  const token = given === undefined ? await tokenFor({}) : given;
  const headers = { upgrade: "websocket", ...(token !== null && { authorization: `Bearer ${token}` }) };
  const response = await exports.default.fetch(`http://gateway/v1/hives/default/${kind}?${query}`, {
    headers,
  });
  const socket = response.webSocket;
  if (!socket) throw new Error(`no socket, but ${response.status}`);
  const frames: GatewayFrame[] = [];
  const seen: GatewayFrame[] = [];
  const closed = new Promise<number>((resolve) =>
    socket.addEventListener("close", ({ code }) => resolve(code)),
  );
  socket.addEventListener("message", ({ data }) => {
    const frame = GatewayFrame.parse(JSON.parse(String(data)));
    frames.push(frame);
    seen.push(frame);
  });
  socket.accept();
  return {
    closed,
    /** Every frame so far. */
    seen,
    send: (frame: unknown) => socket.send(JSON.stringify(frame)),
    sendText: (text: string) => socket.send(text),
    close: () => socket.close(1000),
    /** The next frame of this type that fits; those before it are passed over. */
    async next<Type extends GatewayFrame["type"]>(
      type: Type,
      fits: (frame: FrameOf<Type>) => boolean = () => true,
      timeout = 5_000,
    ): Promise<FrameOf<Type>> {
      return vi.waitFor(
        () => {
          for (let frame = frames.shift(); frame; frame = frames.shift()) {
            if (isType(frame, type) && fits(frame)) return frame;
          }
          throw new Error(`no ${type} came`);
        },
        { timeout, interval: 10 },
      );
    },
  };
}

function isType<Type extends GatewayFrame["type"]>(frame: GatewayFrame, type: Type): frame is FrameOf<Type> {
  return frame.type === type;
}

/** A series of the gateway's metrics; `start` is how its line goes on after the prefix. */
async function metric(start: string): Promise<number> {
  const headers = { authorization: `Bearer ${await tokenFor({ permissions: ["metrics:read"] })}` };
  const response = await exports.default.fetch("http://gateway/v1/hives/default/metrics", { headers });
  const lines = (await response.text()).split("\n");
  const line = lines.find((each) => each.startsWith(`hivegate_gateway_${start}`));
  return Number(line?.split(" ").at(-1));
}

const tokenFor = (change: Partial<Identity>) =>
  mintToken(
    {
      subject: "test",
      hives: ["default"],
      permissions: [...ALL_PERMISSIONS],
      expiresMs: Date.now() + 60_000,
      ...change,
    },
    Uint8Array.from(atob(env.JWT_SECRET), (char) => char.charCodeAt(0)),
    Date.now(),
  );

/** The picture as of offset 1, without memory of anything before it. */
const snapshot = (agents: Agent[]): TelemetryLine => ({
  ...aSnapshot({ agents }),
  history: {
    ...{ horizon: 1, agents: agents.map(() => [[1, ALL_FIELDS | IS_NEW]]), tasks: [], departures: [] },
    parts: { servers: 1, swarms: 1, container: 1 },
  },
});

const change = (from: number, what: TelemetryChange): TelemetryLine => aChange(from, what);
