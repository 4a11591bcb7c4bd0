import { afterEach, describe, expect, it, onTestFinished } from "vitest";
import { platformClock } from "../../../shared/clock.ts";
import { HivegateError } from "../../../shared/errors.ts";
import {
  type AgentsAnswer,
  HybridHealth,
  SwarmList,
  SwarmStatus,
  TaskList,
} from "../../../shared/protocol/sidecar.ts";
import { ToolStreams } from "../../../sidecar/mcp/streams/streams.ts";
import { createServer } from "../../../sidecar/server.ts";
import { Ledger } from "../../../sidecar/swarm/ledger.ts";
import { Tasks } from "../../../sidecar/swarm/tasks.ts";
import { type RequestOptions, signedRequest, TEST_KEY } from "../../support/sidecar.ts";
import {
  aTask,
  FakeExecutor,
  fakeProfile,
  noFallback,
  scratchDirectory,
  silentLog,
  succeeded,
  TASK_ID,
  unreachable,
} from "./fakes.ts";

const HEALTH: HybridHealth = {
  system: "hybrid_docker_mcp",
  overall_status: "healthy",
  components: {
    docker_hive_mind: { status: "healthy", timestamp: 1 },
    mcp_telemetry: { mcp_services: [], overall_mcp_health: "disabled" },
  },
  note: "Well.",
  timestamp: 1,
};

const AGENTS: AgentsAnswer = {
  docker: { swarms: [], method: "docker-exec" },
  mcp_telemetry: { mcp_status: "disabled", telemetry: null },
};

const errors: unknown[] = [];
afterEach(() => errors.splice(0));

function start() {
  const executor = new FakeExecutor();
  const ledger = new Ledger(scratchDirectory());
  const tasks = new Tasks({
    ...{ ledger, executor, profile: fakeProfile(), cli: ["cli"], log: silentLog, now: Date.now },
    ...noFallback,
    telemetry: { taskStatus: unreachable, swarmStatus: unreachable },
    telemetryTimeoutMs: 5,
    commandTimeoutMs: 1_000,
    onChange: () => {},
  });
  onTestFinished(() => {
    tasks.close();
    ledger.close();
  });
  const opened: unknown[] = [];
  const demands: unknown[] = [];
  const ports = {
    auth: { keys: new Map([[TEST_KEY.kid, TEST_KEY]]), hive: "default", now: Date.now },
    tasks,
    health: async () => HEALTH,
    orchestrators: { change: () => {}, answer: () => ({ orchestrators: [] }) },
    mcp: { routes: () => {} },
    configs: { routes: () => {} },
    lookout: {
      agents: async () => AGENTS,
      discovery: () => Promise.reject(new Error("not asked for here")),
      latest: () => Promise.reject(new Error("not asked for here")),
    },
    telemetry: {
      open: (request: unknown) => {
        opened.push(request);
        return new Response('{"type":"alive","timestamp":1}\n').body ?? new ReadableStream();
      },
      demand: (reader: string, intervalMs: number | null) => void demands.push([reader, intervalMs]),
    },
    toolStreams: new ToolStreams({ upstream: () => null, clock: platformClock, uuid: crypto.randomUUID }),
    metrics: { scrape: async () => "up 1\n", token: null },
    log: { ...silentLog, error: (entry: unknown) => errors.push(entry) },
  };
  const { app } = createServer(ports);
  const send = async (path: string, options?: RequestOptions): Promise<Response> =>
    app.fetch(await signedRequest(`http://sidecar${path}`, options));
  return { executor, ports, send, app, opened, demands };
}

const answer = async (response: Response) => [response.status, await response.json()];

describe("the sidecar's routes", () => {
  it("H1 create, list, look up, follow and stop a task", async () => {
    const { send, executor } = start();
    expect(await answer(await send("/v1/tasks", { body: aTask() }))).toMatchObject([200, { created: true }]);
    expect(TaskList.parse(await (await send("/v1/tasks")).json()).tasks).toHaveLength(1);
    expect(await answer(await send(`/v1/tasks/${TASK_ID}`))).toMatchObject([
      200,
      { task: { taskId: TASK_ID } },
    ]);

    const following = await send(`/v1/tasks/${TASK_ID}/events?client=c`, {
      headers: { "last-event-id": "2" },
    });
    expect(following.headers.get("content-type")).toMatch(/^text\/event-stream/);
    executor.process.write("stdout", "hello\n");
    expect(await answer(await send(`/v1/tasks/${TASK_ID}/stop`, { method: "POST" }))).toMatchObject([
      200,
      { task: { state: "stopped" } },
    ]);
    expect(await following.text()).toMatch(/^id: 3\nevent: output\ndata: .*hello.*\n\nid: 4\nevent: state\n/);
  });

  it("H4 tell swarms and status as the contract says", async () => {
    const { send, executor } = start();
    executor.answer = async () => succeeded("s-1\n");
    expect(SwarmList.parse(await (await send("/v1/swarms")).json()).swarms).toHaveLength(1);
    expect(SwarmStatus.parse(await (await send("/v1/status?swarmId=s-2")).json()).swarms).toEqual([]);
    const two = SwarmStatus.parse(await (await send("/v1/status?swarmId=s-2&swarmId=s-1")).json());
    expect(two.swarms).toHaveLength(1);
  });

  it("H7 tell health, to the gateway in full and to anybody that the sidecar is alive", async () => {
    const { send, app } = start();
    expect(HybridHealth.parse(await (await send("/v1/health")).json())).toEqual(HEALTH);
    expect(await answer(await app.request("/healthz"))).toEqual([200, { ok: true }]);
  });

  it("S2 stream telemetry line by line", async () => {
    const { send, opened, demands } = start();
    const response = await send("/v1/telemetry?reader=r&intervalMs=16&epoch=e&offset=7");
    expect(opened).toEqual([{ reader: "r", intervalMs: 16, position: { epoch: "e", offset: 7 } }]);
    await send("/v1/telemetry/r", { body: { intervalMs: null } });
    expect(demands).toEqual([["r", null]]);
    expect((await send("/v1/telemetry?intervalMs=often")).status).toBe(400);
    expect(response.headers.get("content-type")).toBe("application/x-ndjson");
    expect(await response.text()).toBe('{"type":"alive","timestamp":1}\n');
  });
});

describe("the sidecar's refusals", () => {
  it.each<[string, string, RequestOptions, number, string]>([
    ["what is not JSON", "/v1/tasks", { method: "POST" }, 400, "invalid_json"],
    ["a body of another shape", "/v1/tasks", { body: { task: 1 } }, 400, "invalid_request"],
    ["a task id that is no UUID", "/v1/tasks", { body: aTask({ taskId: "../x" }) }, 400, "invalid_request"],
    ["an unknown task", `/v1/tasks/${TASK_ID}`, {}, 404, "unknown_task"],
    ["events for nobody", `/v1/tasks/${TASK_ID}/events`, {}, 400, "invalid_request"],
    ["an unknown task's events", `/v1/tasks/${TASK_ID}/events?client=c`, {}, 404, "unknown_task"],
    ["an unknown control", `/v1/tasks/${TASK_ID}/explode`, { method: "POST" }, 404, "not_found"],
    ["an unknown address", "/v2", {}, 404, "not_found"],
    ["an empty swarm id", "/v1/status?swarmId=", {}, 400, "invalid_request"],
    ["a swarm id that is too long", `/v1/status?swarmId=${"a".repeat(201)}`, {}, 400, "invalid_request"],
    [
      "an event's number that is none",
      `/v1/tasks/${TASK_ID}/events?client=c`,
      { headers: { "last-event-id": "-1" } },
      400,
      "invalid_request",
    ],
  ])("T8 answer %s with its own code", async (_, path, options, status, code) => {
    const { send } = start();
    expect(await answer(await send(path, options))).toMatchObject([status, { code, retryable: false }]);
    expect(errors).toEqual([]);
  });

  it("H5 say who is there", async () => {
    expect(await answer(await start().send("/v1/agents"))).toEqual([200, AGENTS]);
  });

  it("T8 name the field that is wrong", async () => {
    const { send } = start();
    const response = await send("/v1/tasks", { body: { ...aTask(), priority: "Urgent" } });
    expect(await response.json()).toMatchObject({ message: expect.stringMatching(/^priority: /) });
  });

  it("S8 say nothing of what went wrong inside, and log it", async () => {
    const { send, ports } = start();
    ports.health = () => Promise.reject(new Error("secret /path"));
    const { app } = createServer(ports);
    const response = await app.fetch(await signedRequest("http://sidecar/v1/health"));
    expect(response.status).toBe(500);
    expect(await response.text()).not.toContain("secret");
    expect(errors).toHaveLength(1);
    expect((await send("/healthz")).status).toBe(200);
  });

  it("S6 say that a limit is reached", async () => {
    const { ports } = start();
    ports.telemetry.open = () => {
      throw new HivegateError("overloaded");
    };
    const { app } = createServer(ports);
    const response = await app.fetch(await signedRequest("http://sidecar/v1/telemetry?reader=r"));
    expect(await answer(response)).toMatchObject([503, { code: "overloaded", retryable: true }]);
  });
});
