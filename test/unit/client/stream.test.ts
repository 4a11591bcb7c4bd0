import { describe, expect, it } from "vitest";
import { GatewayUnreachable } from "../../../shared/client/client-errors.ts";
import type { ConnectionState } from "../../../shared/client/connection.ts";
import { HivegateStream } from "../../../shared/client/stream.ts";
import type { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { agent, FakeGateway, output, snapshot, status, TASK_ID, task, update } from "./fakes.ts";

function start() {
  const clock = new ManualClock();
  const gateway = new FakeGateway();
  const stream = new HivegateStream({
    baseUrl: "https://gate.example/",
    hive: "default",
    token: "a.b.c",
    openSocket: gateway.openSocket,
    clock,
    random: () => 1,
  });
  const states: ConnectionState[] = [];
  stream.on("state", (state) => states.push(state));
  return { clock, gateway, stream, states };
}

function open() {
  const parts = start();
  parts.gateway.welcome();
  return parts;
}

describe("HivegateStream: the connection", () => {
  it("U2 S8 dials the hive's stream with the token as second subprotocol", () => {
    const { gateway } = start();
    expect(gateway.dials).toEqual([
      { url: "wss://gate.example/v1/hives/default/stream", protocols: ["hivegate.v1", "a.b.c"] },
    ]);
  });

  it("U2 is open once the gateway has said welcome, not before", () => {
    const { gateway, stream } = start();
    expect(stream.state.name).toBe("connecting");
    gateway.welcome();
    expect(stream.state.name).toBe("open");
  });

  it("U2 comes back after a loss, with pauses that double and never two sockets at once", () => {
    const { clock, gateway, stream } = open();
    for (const pauseMs of [500, 1_000, 2_000, 4_000]) {
      gateway.close(1006);
      expect(stream.state).toMatchObject({ name: "waiting", untilMs: clock.now() + pauseMs });
      const dials = gateway.dials.length;
      clock.advance(pauseMs - 1);
      expect(gateway.dials.length).toBe(dials);
      clock.advance(1);
      expect(gateway.dials.length).toBe(dials + 1);
    }
    expect(gateway.mostOpen).toBe(1);
  });

  it("U2 starts with a short pause again after a connection that lived ten seconds", () => {
    const { clock, gateway, stream } = open();
    gateway.close(1006);
    clock.advance(500);
    gateway.close(1006);
    clock.advance(1_000);
    gateway.welcome();
    clock.advance(10_000);
    gateway.close(1006);
    expect(stream.state).toMatchObject({ untilMs: clock.now() + 500 });
  });

  it("U2 T8 stays closed when the gateway says that another try makes no sense", () => {
    const { clock, gateway, stream } = start();
    gateway.send({
      type: "error",
      code: "forbidden",
      message: "It lacks telemetry:read.",
      retryable: false,
      timestamp: 1,
    });
    gateway.close(4504, "It lacks");
    clock.advance(600_000);
    expect(gateway.dials.length).toBe(1);
    expect(stream.state).toMatchObject({
      name: "closed",
      error: { code: "forbidden", message: "It lacks telemetry:read." },
    });
  });

  it("U2 T8 tells an expired token from the close code alone", () => {
    const { gateway, stream } = open();
    gateway.close(4503, "The token has expired. Get a fresh one.");
    expect(stream.state).toMatchObject({ name: "closed", error: { code: "token_expired" } });
  });

  it("U2 closes at once, and does not throw, when the platform refuses the address or the token", () => {
    const stream = new HivegateStream({
      baseUrl: "https://gate.example",
      hive: "default",
      token: "not a token",
      openSocket: () => {
        throw new SyntaxError("bad protocol");
      },
    });
    expect(stream.state).toMatchObject({ name: "closed", error: { code: "invalid_request" } });
  });

  it("U2 gives up on a connection that is not welcomed within 15 s", () => {
    const { clock, gateway, stream } = start();
    clock.advance(15_000);
    expect(stream.state.name).toBe("waiting");
    expect(gateway.open).toBe(0);
  });

  it("U2 sends a heartbeat every 25 s and takes a connection that stays silent 40 s longer for dead", () => {
    const { clock, gateway, stream } = open();
    clock.advance(25_000);
    expect(gateway.ofType("heartbeat").length).toBe(1);
    gateway.sendRaw('{"type":"heartbeat_ack"}');
    clock.advance(64_999);
    expect(stream.state.name).toBe("open");
    clock.advance(1);
    expect(stream.state.name).toBe("waiting");
  });

  it("U2 close ends it for good and leaves no timer", () => {
    const { clock, gateway, stream } = open();
    stream.follow(TASK_ID, { event: () => {}, failed: () => {} });
    stream.close();
    expect([gateway.open, stream.state]).toEqual([0, { name: "closed", error: null }]);
    clock.advance(60_000);
    expect([clock.waiting, gateway.dials.length]).toEqual([0, 1]);
  });
});

describe("HivegateStream: the picture", () => {
  it("U2 S1 holds the snapshot and applies what follows on it", () => {
    const { gateway, stream } = open();
    let changes = 0;
    stream.on("change", () => changes++);
    gateway.send(snapshot(4, [agent("a"), agent("b")]));
    gateway.send(update(4, 6, [agent("a", "done"), agent("c")], ["b"]));
    expect([...stream.picture.agents.values()].map(({ agent_id, status }) => [agent_id, status])).toEqual([
      ["a", "done"],
      ["c", "working"],
    ]);
    expect([stream.picture.offset, stream.picture.live, changes]).toEqual([6, true, 2]);
  });

  it("U2 applies an update that begins before its own offset: the snapshot was newer", () => {
    const { gateway, stream } = open();
    gateway.send(snapshot(4, []));
    gateway.send(update(2, 5, [agent("a")]));
    expect(stream.picture.agents.size).toBe(1);
  });

  it("U2 Q2 asks once for what is missing, and applies nothing until it is there", () => {
    const { gateway, stream } = open();
    gateway.send(snapshot(4, []));
    gateway.send(update(5, 6, [agent("a")]));
    gateway.send(update(6, 7, [agent("b")]));
    expect(gateway.ofType("resume")).toEqual([{ type: "resume", epoch: "e", offset: 4 }]);
    expect(stream.picture.agents.size).toBe(0);
    gateway.send(update(4, 7, [agent("a"), agent("b")]));
    expect(stream.picture.agents.size).toBe(2);
    // A change of an agent that was never told of whole shows that something is missing, too.
    gateway.send(update(7, 8, [{ agent_id: "c", status: "done" }]));
    expect(stream.picture).toMatchObject({ offset: 7 });
  });

  it("U2 S4 keeps the last picture, marked as not live, when the gateway or the way to it is lost", () => {
    const { clock, gateway, stream } = open();
    gateway.send(snapshot(4, [agent("a")]));
    gateway.send(status(false, 99));
    expect(stream.picture).toMatchObject({ live: false, staleSinceMs: 99 });
    gateway.send(status(true, 100));
    gateway.close(1006);
    expect(stream.picture).toMatchObject({ live: false, staleSinceMs: clock.now() });
    expect(stream.picture.agents.size).toBe(1);
  });

  it("U2 S5 changes only what an update says of an agent", () => {
    const { gateway, stream } = open();
    gateway.send(snapshot(4, [agent("a"), agent("b")]));
    const before = stream.picture.agents.get("b");
    gateway.send(update(4, 5, [{ agent_id: "a", progress: 0.5 }]));
    expect(stream.picture.agents.get("a")).toEqual({ ...agent("a"), progress: 0.5 });
    expect(stream.picture.agents.get("b")).toBe(before);
  });

  it("U2 S1 goes on where it stopped after a reconnect, with the filters and the mode of now", () => {
    const { clock, gateway, stream } = open();
    const filters = { include_performance: true, include_neural: false, include_topology: false };
    stream.setFilters(filters);
    stream.setMode("low_frequency");
    gateway.send(snapshot(4, [agent("a")]));
    gateway.close(1006);
    clock.advance(500);
    const { searchParams } = new URL(gateway.dials.at(-1)?.url ?? "");
    expect(Object.fromEntries(searchParams)).toEqual({
      filters: JSON.stringify(filters),
      mode: "low_frequency",
      epoch: "e",
      offset: "4",
    });
    gateway.welcome();
    expect(gateway.received).toEqual([]);
    gateway.send(update(4, 9, [{ agent_id: "a", status: "done" }]));
    expect(stream.picture.agents.get("a")?.status).toBe("done");
  });

  it("U2 does not go on from a picture that was seen through other filters", () => {
    const { clock, gateway, stream } = open();
    gateway.send(snapshot(4, [agent("a")]));
    stream.setFilters({ include_performance: false, include_neural: false, include_topology: false });
    gateway.close(1006);
    clock.advance(500);
    expect(new URL(gateway.dials.at(-1)?.url ?? "").searchParams.has("epoch")).toBe(false);
  });

  it("U2 S5 says at once how far it has read", () => {
    const { gateway } = open();
    gateway.send({ type: "probe", probe: "p1" });
    expect(gateway.received).toEqual([{ type: "ack", probe: "p1" }]);
  });

  it("U2 S5 takes compressed frames in the order in which they came", async () => {
    const { gateway, stream } = open();
    const deflated = (frame: unknown) => {
      const compressed = new Blob([JSON.stringify(frame)])
        .stream()
        .pipeThrough(new CompressionStream("deflate"));
      return new Response(compressed).arrayBuffer();
    };
    const [first, second] = await Promise.all([
      deflated(snapshot(4, [agent("a")])),
      deflated(update(5, 6, [{ agent_id: "a", status: "second" }])),
    ]);
    gateway.sendRaw(first);
    gateway.send(update(4, 5, [{ agent_id: "a", status: "first" }]));
    gateway.sendRaw(second);
    gateway.sendRaw(new TextEncoder().encode("not compressed").buffer);
    gateway.send(update(6, 7, [{ agent_id: "a", progress: 1 }]));
    await expect.poll(() => stream.picture.offset).toBe(7);
    expect(stream.picture.agents.get("a")).toMatchObject({ status: "second", progress: 1 });
  });

  it("U2 passes over what it does not know", () => {
    const { gateway, stream } = open();
    gateway.sendRaw("no json");
    gateway.sendRaw('{"type":"from_the_future"}');
    expect(stream.state.name).toBe("open");
  });

  it("U2 tells of errors that answer no request", () => {
    const { gateway, stream } = open();
    const errors: HivegateError[] = [];
    stream.on("error", (error) => errors.push(error));
    gateway.send({ type: "error", code: "rate_limited", message: "Wait.", retryable: true, timestamp: 1 });
    expect(errors).toMatchObject([{ code: "rate_limited", message: "Wait." }]);
  });
});

describe("HivegateStream: requests", () => {
  it("U2 resolves with the answer that carries its id", async () => {
    const { gateway, stream } = open();
    const first = stream.request({ type: "stop_task", taskId: TASK_ID });
    const second = stream.request({ type: "ping" });
    const [stop, ping] = gateway.received;
    gateway.send({ type: "pong", requestId: String(ping?.requestId), timestamp: 3 });
    gateway.send({ type: "task", requestId: String(stop?.requestId), task: task("stopped"), timestamp: 4 });
    expect((await second).timestamp).toBe(3);
    expect((await first).task.state).toBe("stopped");
  });

  it("U2 rejects with the gateway's error, with timeout, and without a connection", async () => {
    const { clock, gateway, stream } = open();
    const refused = stream.request({ type: "list_swarms" });
    gateway.send({
      type: "error",
      requestId: String(gateway.received[0]?.requestId),
      code: "not_supported",
      message: "No.",
      retryable: false,
      timestamp: 1,
    });
    await expect(refused).rejects.toMatchObject({ code: "not_supported", message: "No." });
    const late = stream.request({ type: "ping" }, { timeoutMs: 1_000 });
    clock.advance(1_000);
    await expect(late).rejects.toMatchObject({ code: "timeout" });
    const patient = stream.request({ type: "list_swarms" });
    clock.advance(LIMITS.sidecarTimeoutMs);
    // By now the gateway has said itself that its sidecar does not answer, and its word is on its way.
    const word = { code: "timeout", message: "The gateway says so.", retryable: true, timestamp: 1 } as const;
    gateway.send({
      type: "error",
      requestId: String(gateway.ofType("list_swarms").at(-1)?.requestId),
      ...word,
    });
    await expect(patient).rejects.toMatchObject({ message: "The gateway says so." });
    const lost = stream.request({ type: "ping" });
    gateway.close(1006);
    await expect(lost).rejects.toBeInstanceOf(GatewayUnreachable);
    await expect(stream.request({ type: "ping" })).rejects.toBeInstanceOf(GatewayUnreachable);
  });
});

describe("HivegateStream: followed tasks", () => {
  const collect = (stream: HivegateStream) => {
    const seen: number[] = [];
    const failures: Error[] = [];
    const stop = stream.follow(TASK_ID, {
      event: (event) => seen.push(event.seq),
      failed: (error) => failures.push(error),
    });
    return { seen, failures, stop };
  };

  it("U2 H9 follows on from the last event seen after a reconnect, each event once", async () => {
    const { clock, gateway, stream } = open();
    const { seen } = collect(stream);
    expect(gateway.ofType("follow_task")).toMatchObject([{ taskId: TASK_ID, after: 0 }]);
    gateway.send(output(1));
    gateway.send(output(2));
    gateway.close(1006);
    clock.advance(500);
    gateway.welcome();
    expect(gateway.ofType("follow_task")).toMatchObject([{ after: 2 }]);
    gateway.send(output(2));
    gateway.send(output(3));
    expect(seen).toEqual([1, 2, 3]);
  });

  it.each(["lost", "ended"] as const)(
    "U2 asks again when the gateway has %s the events before the task's last one",
    (reason) => {
      const { clock, gateway, stream } = open();
      collect(stream);
      gateway.send(output(1));
      gateway.send({ type: "task_unfollowed", taskId: TASK_ID, reason, timestamp: 1 });
      clock.advance(500);
      expect(gateway.ofType("follow_task").map(({ after }) => after)).toEqual([0, 1]);
    },
  );

  it("U2 is over with the task's last event", () => {
    const { clock, gateway, stream } = open();
    const { seen } = collect(stream);
    gateway.send({
      type: "task_event",
      event: { taskId: TASK_ID, seq: 1, timestamp: 1, kind: "state", task: task("completed") },
    });
    gateway.send({ type: "task_unfollowed", taskId: TASK_ID, reason: "ended", timestamp: 1 });
    gateway.close(1006);
    clock.advance(500);
    gateway.welcome();
    expect([seen, gateway.ofType("follow_task")]).toEqual([[1], []]);
  });

  it("U2 tells of a task that cannot be followed, and tries again where that may help", async () => {
    const { clock, gateway, stream } = open();
    const { failures } = collect(stream);
    const refuse = async (code: "sidecar_unreachable" | "unknown_task") => {
      const requestId = String(gateway.ofType("follow_task").at(-1)?.requestId);
      gateway.send({ type: "error", requestId, code, message: code, retryable: false, timestamp: 1 });
      await Promise.resolve();
      await new Promise((resolve) => setImmediate(resolve));
    };
    await refuse("sidecar_unreachable");
    expect(failures).toEqual([]);
    clock.advance(500);
    await refuse("unknown_task");
    expect(failures).toMatchObject([{ code: "unknown_task" }]);
    clock.advance(60_000);
    expect(gateway.ofType("follow_task").length).toBe(2);
  });

  it("U2 is not misled by events that were on their way to an earlier follower of the same task", () => {
    const { clock, gateway, stream } = open();
    collect(stream).stop();
    const { seen } = collect(stream);
    gateway.send(output(50));
    gateway.send(output(1));
    gateway.send(output(2));
    expect(seen).toEqual([1, 2]);
    clock.advance(20_000);
    expect(gateway.ofType("follow_task").length).toBe(2);
  });

  it("U2 asks again from the last event seen when one is missing, and takes a gap for what it stands for", () => {
    const { clock, gateway, stream } = open();
    const { seen } = collect(stream);
    gateway.send(output(1));
    gateway.send(output(3));
    clock.advance(500);
    expect(gateway.ofType("follow_task").map(({ after }) => after)).toEqual([0, 1]);
    gateway.send({
      type: "task_event",
      event: { taskId: TASK_ID, seq: 9, timestamp: 1, kind: "gap", reason: "too much output" },
    });
    gateway.send(output(10));
    expect(seen).toEqual([1, 9, 10]);
  });

  it("U2 tells the gateway when nobody follows any more", () => {
    const { gateway, stream } = open();
    const { seen, stop } = collect(stream);
    stop();
    gateway.send(output(1));
    expect([seen, gateway.ofType("unfollow_task").length]).toEqual([[], 1]);
  });

  it("U2 refuses to follow more tasks than a session may", () => {
    const { stream } = open();
    const follow = (n: number) => stream.follow(`task-${n}`, { event: () => {}, failed: () => {} });
    for (let n = 0; n < 16; n++) follow(n);
    expect(() => follow(16)).toThrow("at most 16");
  });
});
