import { describe, expect, it } from "vitest";
import { GatewayUnreachable } from "../../../shared/client/client-errors.ts";
import { isTaskUnanswered } from "../../../shared/client/create-task.ts";
import { HivegateClient } from "../../../shared/client/rest.ts";
import { formatEvent } from "../../../shared/wire/sse.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { type Answer, broken, client, events, json, noNetwork, refused } from "./answered-client.ts";
import { settled, TASK_ID, task } from "./fakes.ts";

const created = json({ success: true, task: task("running"), created: true, telemetry: {} }, 201);

const outputEvent = (seq: number) =>
  formatEvent({
    id: seq,
    event: "output",
    data: JSON.stringify({ taskId: TASK_ID, seq, timestamp: 1, kind: "output", stream: "stdout", text: "x" }),
  });
const lastEvent = (seq: number) =>
  formatEvent({
    id: seq,
    event: "state",
    data: JSON.stringify({ taskId: TASK_ID, seq, timestamp: 1, kind: "state", task: task("completed") }),
  });
async function collect(gateway: HivegateClient, after = 0): Promise<number[]> {
  const seen: number[] = [];
  for await (const event of gateway.events(TASK_ID, { after })) seen.push(event.seq);
  return seen;
}

describe("HivegateClient", () => {
  it("U2 S8 sends the token and reads the answer", async () => {
    const { gateway, sent } = client(json({ tasks: [task("running")] }));
    expect(await gateway.tasks()).toEqual([task("running")]);
    expect(sent[0]).toMatchObject({ method: "GET", path: "/v1/hives/default/tasks" });
    expect(sent[0]?.headers.get("authorization")).toBe("Bearer t");
  });

  it.each([
    ["the network failed", noNetwork],
    ["the sidecar was away", refused("sidecar_unreachable", 502)],
    ["the gateway was being stopped", refused("shutting_down", 503)],
    ["no answer came in time", refused("timeout", 504)],
  ])("U2 H9 sends a task again, under the same key, when %s", async (_, failure) => {
    const { gateway, sent } = client(failure, created);
    expect((await gateway.createTask({ task: "x" })).task.taskId).toBe(TASK_ID);
    const keys = sent.map(({ body }) => body && Object(body).idempotencyKey);
    expect(keys[0]).toMatch(/^[0-9a-f]{32}$/);
    expect(keys).toEqual([keys[0], keys[0]]);
  });

  it("U2 H9 gives a task up that gets no answer, in the end", async () => {
    const lost = client(...Array<Answer>(5).fill(noNetwork));
    const error = await lost.gateway.createTask({ task: "x" }).catch((thrown: unknown) => thrown);
    expect(error).toBeInstanceOf(GatewayUnreachable);
    const keys = new Set(lost.sent.map(({ body }) => body && Object(body).idempotencyKey));
    expect(keys.size).toBe(1);
    // By it whoever asked can find the task.
    expect(isTaskUnanswered(error) && error.idempotencyKey).toBe([...keys][0]);
  });

  it.each([
    ["forbidden", 403],
    ["rate_limited", 429],
    ["overloaded", 503],
  ])("U2 sends a task once when it is answered %s", async (code, status) => {
    const { gateway, sent } = client(refused(code, status));
    await expect(gateway.createTask({ task: "x" })).rejects.toMatchObject({ code });
    expect(sent.length).toBe(1);
  });

  it("U2 uses the key that it is given", async () => {
    const { gateway, sent } = client(created);
    await gateway.createTask({ task: "x", idempotencyKey: "mine" });
    expect(sent[0]?.body).toEqual({ task: "x", idempotencyKey: "mine" });
  });

  it("U2 T8 tells a proxy's error answer by its status, and a stranger's page from an answer", async () => {
    const proxy = client(() => new Response("<h1>Bad gateway</h1>", { status: 502 }));
    await expect(proxy.gateway.swarms()).rejects.toMatchObject({ code: "sidecar_unreachable" });
    const stranger = client(() => new Response("<h1>Hello</h1>"));
    await expect(stranger.gateway.swarms()).rejects.toBeInstanceOf(GatewayUnreachable);
  });

  it("U2 H7 reads the health of an unhealthy hive, which comes as a 503", async () => {
    const { gateway, sent } = client(json({ overall_status: "degraded", components: {} }, 503));
    expect(await gateway.health()).toMatchObject({ overall_status: "degraded" });
    expect(sent[0]?.path).toBe("/health/hybrid?hive=default");
  });

  it("U2 asks for one swarm's status by its id, whatever characters it has", async () => {
    const { gateway, sent } = client(json({ swarms: [] }));
    await gateway.status("a b&c");
    expect(sent[0]?.path).toBe("/v1/hives/default/status?swarmId=a%20b%26c");
  });
});

describe("HivegateClient.events", () => {
  it("U2 H9 reads on after a broken connection from the last event seen, each event once", async () => {
    const { gateway, sent } = client(
      broken(outputEvent(1), outputEvent(2)),
      noNetwork,
      events(outputEvent(2), outputEvent(3), lastEvent(4)),
    );
    expect(await collect(gateway)).toEqual([1, 2, 3, 4]);
    expect(sent.map(({ headers }) => headers.get("last-event-id"))).toEqual(["0", "2", "2"]);
  });

  it("U2 reads on when the stream ends in mid-task", async () => {
    const { gateway } = client(events(outputEvent(1)), json({ task: task("running") }), events(lastEvent(2)));
    expect(await collect(gateway)).toEqual([1, 2]);
  });

  it("U2 ends when the task had ended before the first event asked for", async () => {
    const { gateway, sent } = client(events(), json({ task: task("completed") }), events());
    expect(await collect(gateway, 9)).toEqual([]);
    expect(sent.length).toBe(3);
  });

  it("U2 throws what another try cannot help", async () => {
    const { gateway } = client(refused("unknown_task", 404));
    await expect(collect(gateway)).rejects.toMatchObject({ code: "unknown_task" });
  });

  it("U2 ends in silence when its reader has had enough", async () => {
    const enough = new AbortController();
    const { gateway } = client(broken(outputEvent(1)));
    const seen = [];
    for await (const event of gateway.events(TASK_ID, { signal: enough.signal })) {
      seen.push(event.seq);
      enough.abort();
    }
    await settled();
    expect(seen).toEqual([1]);
  });

  it("U2 opens the stream anew after 45 s of silence", async () => {
    const clock = new ManualClock();
    const answers = [
      (signal: AbortSignal) =>
        new Response(
          new ReadableStream({
            start: (controller) => signal.addEventListener("abort", () => controller.error(signal.reason)),
          }),
        ),
      () => new Response(lastEvent(1)),
    ];
    const gateway = new HivegateClient({
      baseUrl: "http://gate.example",
      hive: "default",
      token: "t",
      clock,
      random: () => 0,
      fetch: async (_, { signal }) => {
        const answer = answers.shift();
        if (!answer || !signal) throw new Error("one request too many");
        return answer(signal);
      },
    });
    const collected = collect(gateway);
    await settled();
    clock.advance(45_000);
    await settled();
    clock.advance(1_000);
    expect(await collected).toEqual([1]);
  });
});
