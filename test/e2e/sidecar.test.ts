import { randomUUID } from "node:crypto";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { z } from "zod";
import { outputText } from "../../shared/client/decode.ts";
import {
  CreateTaskResult,
  HybridHealth,
  SwarmList,
  TaskAnswer,
  TaskList,
} from "../../shared/protocol/sidecar.ts";
import { type Task, TaskEvent } from "../../shared/swarm/task.ts";
import { LineSplitter, readLines } from "../../shared/wire/lines.ts";
import { EventParser } from "../../shared/wire/sse.ts";
import { macKey } from "../../sidecar/http/keys.ts";
import { type Demo, startDemo } from "../support/demo.ts";
import {
  type Sidecar,
  SidecarDidNotStart,
  signedFetch,
  signedRequest,
  startSidecar,
} from "../support/sidecar.ts";

/** Long enough to be interrupted, on a fast machine too. */
const LONG = "count primes below 20000000";
const SHORT = "count primes below 50000";

let demo: Demo;
beforeAll(async () => {
  demo = await startDemo();
});
afterAll(() => demo.stop());

function stateDirectory(): string {
  const directory = mkdtempSync(join(tmpdir(), "hivegate-e2e-"));
  onTestFinished(() => rmSync(directory, { recursive: true, force: true }));
  return directory;
}

async function sidecar(env: Record<string, string> = {}): Promise<Sidecar> {
  const started = await startSidecar({
    env: {
      ...demo.env,
      SWARM_EXECUTOR: "process",
      SIDECAR_STATE_DIR: stateDirectory(),
      MCP_SERVERS: JSON.stringify([{ name: "demo", profile: "demo", host: "127.0.0.1", port: demo.mcpPort }]),
      ORCHESTRATOR_WS_URL: `ws://127.0.0.1:${demo.wsPort}/ws`,
      MCP_HEALTH_URL: `http://127.0.0.1:${demo.healthPort}/health`,
      MCP_TELEMETRY_TIMEOUT_MS: "5000",
      ...env,
    },
  });
  onTestFinished(() => started.stop());
  return started;
}

const request = (task: string, taskId: string = randomUUID()) => ({
  ...{ taskId, task, priority: "Medium", verbose: false, timeoutMs: 60_000, client: "test" },
});

async function create(url: string, body: ReturnType<typeof request>): Promise<CreateTaskResult> {
  const answer = await signedFetch(`${url}/v1/tasks`, { body });
  expect(answer.status).toBe(200);
  return CreateTaskResult.parse(await answer.json());
}

const lookUp = async (url: string, taskId: string): Promise<Task> =>
  TaskAnswer.parse(await (await signedFetch(`${url}/v1/tasks/${taskId}`)).json()).task;

/** The events after number `after`, as they come. */
async function* follow(url: string, taskId: string, after = 0): AsyncGenerator<TaskEvent> {
  const headers = { "last-event-id": String(after) };
  const answer = await signedFetch(`${url}/v1/tasks/${taskId}/events?client=c`, { headers });
  if (answer.status !== 200 || !answer.body) throw new Error(`following failed: ${await answer.text()}`);
  const parser = new EventParser();
  for await (const line of readLines(answer.body, new LineSplitter(1_000_000, { keepEmpty: true }))) {
    const event = parser.push(line);
    if (event) yield TaskEvent.parse(JSON.parse(event.data));
  }
}

async function collect(events: AsyncIterable<TaskEvent>): Promise<TaskEvent[]> {
  const seen: TaskEvent[] = [];
  for await (const event of events) seen.push(event);
  return seen;
}

const outputOf = (events: TaskEvent[]): string =>
  events
    .map((event) => (event.kind === "output" && event.stream === "stdout" ? outputText(event) : ""))
    .join("");

const SwarmLine = z.object({ event: z.string(), unitsDone: z.number().optional() });
const linesOf = (events: TaskEvent[]) =>
  outputOf(events)
    .trimEnd()
    .split("\n")
    .map((line) => SwarmLine.parse(JSON.parse(line)));

const inARow = (events: TaskEvent[]) => events.every((event, at) => event.seq === at + 1);

/** Every line that the swarm's command prints, once: numbers without a hole, and progress that only goes up. */
function expectWholeOutput(events: TaskEvent[]): void {
  expect(inARow(events)).toBe(true);
  expect(events.filter((event) => event.kind === "gap")).toEqual([]);
  const lines = linesOf(events);
  const between = Array(lines.length - 2).fill("progress");
  expect(lines.map((line) => line.event)).toEqual(["spawned", ...between, "completed"]);
  const done = lines.flatMap((line) => line.unitsDone ?? []);
  expect(done).toEqual([...new Set(done)].sort((a, b) => a - b));
}

const swarmsOf = async (url: string, taskId: string) => {
  const { swarms } = SwarmList.parse(await (await signedFetch(`${url}/v1/swarms`)).json());
  return swarms.filter((swarm) => swarm.taskId === taskId);
};

describe("the sidecar with the demo swarm", () => {
  it("H1 H2 runs a task, answers with its swarm and MCP's telemetry, and tells its output to the end", async () => {
    const { url } = await sidecar();
    const body = request(SHORT);
    const { task, telemetry, created } = await create(url, body);
    expect(created).toBe(true);
    expect(task).toMatchObject({ method: "process", swarmId: expect.stringMatching(/^swarm-/) });
    expect(telemetry).toMatchObject({ status: "available", server: "demo", data: { taskId: body.taskId } });

    const events = await collect(follow(url, body.taskId));
    expect(inARow(events)).toBe(true);
    expect(outputOf(events)).toContain('"primes":5133');
    expect(events.at(-1)).toMatchObject({ kind: "state", task: { state: "completed", exitCode: 0 } });
  });

  it("H9 runs the same task once, however often and however close it is asked for", async () => {
    const { url } = await sidecar();
    const body = request(SHORT);
    const answers = await Promise.all(Array.from({ length: 8 }, () => create(url, body)));
    expect(answers.filter((answer) => answer.created)).toHaveLength(1);
    await collect(follow(url, body.taskId));
    expect(await create(url, body)).toMatchObject({ created: false, task: { state: "completed" } });
    expect(await swarmsOf(url, body.taskId)).toHaveLength(1);
    const other = await signedFetch(`${url}/v1/tasks`, { body: { ...body, task: "another text" } });
    expect([other.status, await other.json()]).toMatchObject([409, { code: "idempotency_conflict" }]);
  });

  it("H9 goes on with a task's events after the last one seen", async () => {
    const { url } = await sidecar();
    const { taskId } = (await create(url, request(LONG))).task;
    const first: TaskEvent[] = [];
    for await (const event of follow(url, taskId)) {
      first.push(event);
      if (event.kind === "output" && event.text.includes("progress")) break;
    }
    const rest = await collect(follow(url, taskId, first.length));
    expect(inARow([...first, ...rest])).toBe(true);
    expect(rest.at(-1)).toMatchObject({ kind: "state", task: { state: "completed" } });
    expect(await collect(follow(url, taskId))).toEqual([...first, ...rest]);
  });

  it("H4 stops a task, its swarm and its process", async () => {
    const { url } = await sidecar();
    const { taskId } = (await create(url, request("count primes below 100000000"))).task;
    const answer = await signedFetch(`${url}/v1/tasks/${taskId}/stop`, { method: "POST" });
    expect(TaskAnswer.parse(await answer.json()).task).toMatchObject({ state: "stopped" });
    expect(await swarmsOf(url, taskId)).toMatchObject([{ status: "stopped" }]);
    const again = await signedFetch(`${url}/v1/tasks/${taskId}/stop`, { method: "POST" });
    expect([again.status, await again.json()]).toMatchObject([409, { code: "task_ended" }]);
    const pause = await signedFetch(`${url}/v1/tasks/${taskId}/pause`, { method: "POST" });
    expect(pause.status).toBe(409);
  });

  it("H7 says that all parts are well when they are", async () => {
    const { url } = await sidecar();
    const health = HybridHealth.parse(await (await signedFetch(`${url}/v1/health`)).json());
    expect(health.overall_status).toBe("healthy");
  });

  it.each([
    ["quotes", `say "hi" and 'bye'`],
    ["a substitution", "$(touch /tmp/hivegate-was-here) `id` && ls"],
    ["lines", "one\ntwo\r\n\tthree"],
    ["what looks like an option", "--help"],
  ])("H1 hands a text with %s to the swarm as it is", async (_, text) => {
    const { url } = await sidecar();
    const { task } = await create(url, request(text));
    expect(task.task).toBe(text);
    const [swarm] = await swarmsOf(url, task.taskId);
    expect(swarm?.detail).toMatchObject({ task: text });
    await signedFetch(`${url}/v1/tasks/${task.taskId}/stop`, { method: "POST" });
  });
});

describe("what the sidecar refuses", () => {
  it("S8 does nothing for who cannot sign, signs too late, again, or something else", async () => {
    const { url } = await sidecar();
    const path = `${url}/v1/tasks`;
    const body = request(SHORT);
    const accepted = await signedRequest(`${url}/v1/swarms`);
    expect((await fetch(accepted.clone())).status).toBe(200);
    const changed = await signedRequest(path, { body });
    const refused = [
      new Request(path, { method: "POST", body: JSON.stringify(body) }),
      await signedRequest(path, { body, key: macKey("test", Buffer.alloc(32, 1)) }),
      await signedRequest(path, { body, nowMs: Date.now() - 60_000 }),
      new Request(path, { method: "POST", headers: changed.headers, body: JSON.stringify(request(LONG)) }),
      new Request(`${url}/v1/anything`),
    ];
    for (const each of refused) {
      const answer = await fetch(each);
      expect([answer.status, await answer.json()]).toMatchObject([401, { code: "unauthorized" }]);
    }
    expect((await fetch(accepted)).status).toBe(504);
    const { tasks } = TaskList.parse(await (await signedFetch(path)).json());
    expect(tasks).toEqual([]);
    expect((await fetch(`${url}/healthz`)).status).toBe(200);
  });

  it.each([
    ["a text with NUL", { ...request("a\0b") }, 400, "invalid_request"],
    ["100 kB of text", { ...request("x".repeat(100_000)) }, 400, "invalid_request"],
    ["wrong types", { ...request("a"), priority: 7 }, 400, "invalid_request"],
    ["600 kB", { ...request("x".repeat(600_000)) }, 413, "body_too_large"],
  ])("S8 answers %s with a clear error", async (_, body, status, code) => {
    const { url } = await sidecar();
    const answer = await signedFetch(`${url}/v1/tasks`, { body });
    expect([answer.status, await answer.json()]).toMatchObject([status, { code }]);
  });

  it("H8 does not start with a bad variable, a busy port or a ledger in use: one line says why", async () => {
    const busy = createServer();
    onTestFinished(() => void busy.close());
    const port = await new Promise<string>((resolve) => {
      busy.listen(0, "127.0.0.1", () =>
        resolve(String(z.object({ port: z.number() }).parse(busy.address()).port)),
      );
    });
    const directory = stateDirectory();
    await sidecar({ SIDECAR_STATE_DIR: directory });
    const refusals: [Record<string, string>, RegExp][] = [
      [{ SIDECAR_PORT: "many" }, /^sidecar: SIDECAR_PORT: expected an integer from 0 to 65535$/],
      [{ SIDECAR_PORT: port }, /^sidecar: port \d+ on 127\.0\.0\.1 is in use: free it, or set SIDECAR_PORT$/],
      [{ SIDECAR_STATE_DIR: directory }, /^sidecar: SIDECAR_STATE_DIR: another sidecar uses/],
    ];
    for (const [env, line] of refusals) {
      const error = await sidecar(env).then(
        () => null,
        (thrown: unknown) => thrown,
      );
      if (!(error instanceof SidecarDidNotStart)) throw new Error("it started");
      expect(error.exitCode).toBe(1);
      // Beside what it logged before.
      const lines = error.output.split("\n").filter((said) => !said.startsWith("{"));
      expect(lines).toEqual([expect.stringMatching(line)]);
    }
  });

  it("H7 starts without Docker, and says in its health that it is not there", async () => {
    const docker = { SWARM_EXECUTOR: "docker", DOCKER_SOCKET: "/nonexistent/docker.sock" };
    const { url } = await sidecar({ ...docker, ENABLE_MCP_FALLBACK: "false" });
    const health = HybridHealth.parse(await (await signedFetch(`${url}/v1/health`)).json());
    expect(health.components.docker_hive_mind.status).toBe("critical");
    const answer = await signedFetch(`${url}/v1/tasks`, { body: request(SHORT) });
    const text = await answer.text();
    expect([answer.status, JSON.parse(text)]).toMatchObject([503, { code: "swarm_unavailable" }]);
    expect(text).not.toContain("nonexistent");
  });
});

describe("a sidecar that goes away", () => {
  it("H9 killed in mid-task and started again: one run, its output without a hole, the right end", async () => {
    const env = { SIDECAR_STATE_DIR: stateDirectory() };
    const first = await sidecar(env);
    const body = request(LONG);
    await create(first.url, body);
    let seen = 0;
    for await (const event of follow(first.url, body.taskId)) {
      seen = event.seq;
      if (event.kind === "output" && event.text.includes("progress")) break;
    }
    await first.kill("SIGKILL");

    const second = await sidecar(env);
    expect(await create(second.url, body)).toMatchObject({ created: false });
    const rest = await collect(follow(second.url, body.taskId, seen));
    expect(rest[0]?.seq).toBe(seen + 1);
    expect(rest.at(-1)).toMatchObject({ kind: "state", task: { state: "completed" } });

    expectWholeOutput(await collect(follow(second.url, body.taskId)));
    expect(await swarmsOf(second.url, body.taskId)).toHaveLength(1);
  });

  it("H9 records the end of a task that ended while it was away", async () => {
    const env = { SIDECAR_STATE_DIR: stateDirectory() };
    const first = await sidecar(env);
    const { task } = await create(first.url, request("count primes below 3000000"));
    await first.kill("SIGKILL");
    const between = await sidecar();
    await vi.waitFor(
      async () => expect(await swarmsOf(between.url, task.taskId)).toMatchObject([{ status: "completed" }]),
      { timeout: 20_000, interval: 200 },
    );
    const second = await sidecar(env);
    await vi.waitFor(async () => expect((await lookUp(second.url, task.taskId)).endedAt).not.toBeNull());
    expect(await lookUp(second.url, task.taskId)).toMatchObject({
      state: "completed",
      swarmId: task.swarmId,
    });
  });

  it("H9 asked to stop, it ends its streams within two seconds and leaves the task running", async () => {
    const env = { SIDECAR_STATE_DIR: stateDirectory() };
    const first = await sidecar(env);
    const { taskId } = (await create(first.url, request(LONG))).task;
    const following = collect(follow(first.url, taskId));
    const telemetry = await signedFetch(`${first.url}/v1/telemetry?reader=test&config=1`);
    const reading = telemetry.text();
    const beganMs = performance.now();
    await first.stop();
    expect(performance.now() - beganMs).toBeLessThan(2_000);
    expect((await following).at(-1)).not.toMatchObject({ kind: "state", task: { state: "stopped" } });
    const types = (await reading).split("\n", 2).map((line) => JSON.parse(line).type);
    expect(types).toEqual(["config_revision", "snapshot"]);

    const second = await sidecar(env);
    const events = await collect(follow(second.url, taskId));
    expectWholeOutput(events);
    expect(events.at(-1)).toMatchObject({ kind: "state", task: { state: "completed" } });
  });
});
