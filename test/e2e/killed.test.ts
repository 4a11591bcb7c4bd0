import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { HivegateClient } from "../../shared/client/rest.ts";
import { SwarmList } from "../../shared/protocol/sidecar.ts";
import type { TaskEvent } from "../../shared/swarm/task.ts";
import { connectSocket } from "../support/socket-client.ts";
import { type System, startSystem } from "../support/system.ts";

let system: System;
let client: HivegateClient;

beforeEach(async () => {
  system = await startSystem();
  client = new HivegateClient({
    baseUrl: system.gateway.url,
    hive: "default",
    token: await system.gateway.token(),
  });
});

afterEach(() => system.stop());

/** Everything that a client sees of a task, and a promise of the first output. */
function follow(taskId: string) {
  const events: TaskEvent[] = [];
  let first = () => {};
  const started = new Promise<void>((resolve) => {
    first = resolve;
  });
  const ended = (async () => {
    for await (const event of client.events(taskId, { after: 0 })) {
      events.push(event);
      if (event.kind === "output") first();
    }
    return events;
  })();
  return { started, ended };
}

/** One run, from the first event to the last, without a hole. */
async function expectOneWholeRun(events: TaskEvent[], taskId: string) {
  expect(events.map(({ seq }) => seq)).toEqual(events.map((_, i) => i + 1));
  expect(events.filter(({ kind }) => kind === "gap")).toEqual([]);
  expect(events.at(-1)).toMatchObject({ kind: "state", task: { state: "completed" } });
  const output = events.map((event) => (event.kind === "output" ? event.text : "")).join("");
  expect(output.match(/"event":"spawned"/g)).toHaveLength(1);
  expect(output.match(/"event":"completed"/g)).toHaveLength(1);
  const { swarms } = SwarmList.parse(await client.swarms());
  expect(swarms.filter((swarm) => swarm.taskId === taskId)).toHaveLength(1);
}

describe("killed in mid-task", () => {
  it("H9 Q3 the sidecar: the task runs once, its end is recorded, and the client sees all of its output", async () => {
    const { task } = await client.createTask({ task: "count primes below 40000000" });
    const seen = follow(task.taskId);
    await seen.started;
    await system.sidecar.kill("SIGKILL");
    await system.restartSidecar();
    await expectOneWholeRun(await seen.ended, task.taskId);
  });

  it("H9 Q3 the gateway: the client reconnects and sees the rest", async () => {
    const { task } = await client.createTask({ task: "count primes below 40000000" });
    const seen = follow(task.taskId);
    const stream = await connectSocket(
      system.gateway.url,
      "/v1/hives/default/stream",
      await system.gateway.token(),
    );
    await seen.started;
    await system.gateway.kill("SIGKILL");
    await stream.closed;
    await system.restartGateway();
    const again = await connectSocket(
      system.gateway.url,
      "/v1/hives/default/stream",
      await system.gateway.token(),
    );
    const { payload } = await again.next("snapshot");
    expect(payload.tasks.map(({ taskId }) => taskId)).toContain(task.taskId);
    await expectOneWholeRun(await seen.ended, task.taskId);
    again.close();
  });

  it("H9 a retry of a request whose answer was lost starts no second swarm", async () => {
    const request = { task: "count primes below 3000000", idempotencyKey: "again" };
    const lost = client.createTask(request).catch((error: unknown) => error);
    await system.gateway.kill("SIGKILL");
    await lost;
    await system.restartGateway();
    const { task } = await client.createTask(request);
    await expectOneWholeRun(await follow(task.taskId).ended, task.taskId);
  });

  it("S4 the sidecar: clients are told that the picture is not live, and it becomes live again by itself", async () => {
    const stream = await connectSocket(
      system.gateway.url,
      "/v1/hives/default/stream",
      await system.gateway.token(),
    );
    await stream.next("snapshot", ({ live }) => live);
    await system.sidecar.kill("SIGKILL");
    await stream.next("hive_status", ({ live }) => !live);
    await system.restartSidecar();
    await stream.next("hive_status", ({ live }) => live, 20_000);
    await stream.next("snapshot", ({ live }) => live);
    stream.close();
  });
});
