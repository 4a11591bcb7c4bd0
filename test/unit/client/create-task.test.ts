import { describe, expect, it } from "vitest";
import { HivegateStream } from "../../../shared/client/stream.ts";
import type { GatewayFrame } from "../../../shared/protocol/gateway.ts";
import type { Task } from "../../../shared/swarm/task.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { FakeGateway, settled, TASK_ID, task } from "./fakes.ts";

function open() {
  const clock = new ManualClock();
  const gateway = new FakeGateway();
  const stream = new HivegateStream({
    ...{ baseUrl: "https://gate.example/", hive: "default", token: "a.b.c" },
    ...{ openSocket: gateway.openSocket, clock, random: () => 1 },
  });
  gateway.welcome();
  return { clock, gateway, stream };
}

const requestOf = (gateway: FakeGateway) => gateway.ofType("create_task").at(-1);

const created = (gateway: FakeGateway, isNew: boolean): GatewayFrame => ({
  ...{ type: "task_created", requestId: String(requestOf(gateway)?.requestId), success: true },
  ...{ taskId: TASK_ID, swarmId: null, method: "process", state: "running", created: isNew, timestamp: 1 },
  telemetry: { status: "telemetry_unavailable" },
});

describe("HivegateStream.createTask", () => {
  it("U2 H9 sends the same request under the same key again when the connection broke before the answer", async () => {
    const { clock, gateway, stream } = open();
    const answer = stream.createTask({ task: "x", timeoutMs: 5_000 });
    const first = requestOf(gateway);
    expect(first).toMatchObject({ task: "x", timeoutMs: 5_000 });
    gateway.close(1006);
    await settled();
    // The connection is back by the time of the second try.
    clock.advance(500);
    gateway.welcome();
    await settled();
    expect(requestOf(gateway)).toMatchObject({ task: "x", idempotencyKey: first?.idempotencyKey });
    gateway.send(created(gateway, false));
    expect(await answer).toMatchObject({ taskId: TASK_ID, created: false });
  });

  it("U2 H9 waits for a connection that is not there yet", async () => {
    const { clock, gateway, stream } = open();
    gateway.close(1006);
    const answer = stream.createTask({ task: "x", idempotencyKey: "mine" });
    await settled();
    clock.advance(500);
    gateway.welcome();
    await settled();
    expect(requestOf(gateway)).toMatchObject({ idempotencyKey: "mine" });
    gateway.send(created(gateway, true));
    expect(await answer).toMatchObject({ created: true });
  });

  it("U2 gives a refusal at once", async () => {
    const { gateway, stream } = open();
    const answer = stream.createTask({ task: "x" });
    const requestId = String(requestOf(gateway)?.requestId);
    const refusal = { code: "rate_limited", message: "Wait.", retryable: true, timestamp: 1 } as const;
    gateway.send({ type: "error", requestId, ...refusal });
    await expect(answer).rejects.toMatchObject({ code: "rate_limited" });
    expect(gateway.ofType("create_task")).toHaveLength(1);
  });

  it("U2 H1 tells of each change of the task's state", () => {
    const { gateway, stream } = open();
    const states: Task["state"][] = [];
    stream.on("task", ({ state }) => states.push(state));
    for (const state of ["queued", "spawning", "running", "completed"] as const)
      gateway.send({ type: "task_update", task: task(state), timestamp: 1 });
    expect(states).toEqual(["queued", "spawning", "running", "completed"]);
  });
});
