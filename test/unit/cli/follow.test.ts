import { describe, expect, it } from "vitest";
import { follow } from "../../../sidecar/cli/commands/follow.ts";
import { task as taskCommand } from "../../../sidecar/cli/commands/task.ts";
import { events, FakeGateway, json, run, TASK_ID, task } from "./fakes.ts";

const commands = { task: taskCommand, follow };
const created = json({ success: true, task: task("running"), created: true, telemetry: {} }, 201);

const gatewayWith = (...bodies: Parameters<typeof events>) =>
  new FakeGateway({
    "POST /v1/hives/default/tasks": created,
    [`GET /v1/hives/default/tasks/${TASK_ID}`]: json({ task: task("running") }),
    [`GET /v1/hives/default/tasks/${TASK_ID}/events`]: events(...bodies),
  }).start();

describe("hivegate task", () => {
  it("U3 H1 sends text, priority and key, and says how to follow", async () => {
    await using gateway = await gatewayWith([]);
    const argv = ["task", "do it", "--priority", "high", "--key", "k"];
    const { code, out } = await run(commands, argv, { env: gateway.env });
    expect(gateway.requests[0]?.body).toEqual({
      task: "do it",
      priority: "high",
      idempotencyKey: "k",
      verbose: false,
    });
    expect([code, out]).toEqual([
      0,
      `Started: ${TASK_ID} (docker-exec, s-1)\nFollow it: hivegate follow ${TASK_ID}\n`,
    ]);
  });

  it("U3 H1 sends a time limit, and refuses one that is none before anything is sent", async () => {
    await using gateway = await gatewayWith([]);
    await run(commands, ["task", "do it", "--timeout", "30m"], { env: gateway.env });
    expect(gateway.requests[0]?.body).toMatchObject({ timeoutMs: 1_800_000 });
    for (const bad of ["30", "0s", "25h", "soon"]) {
      const { code, err } = await run(commands, ["task", "x", "--timeout", bad], { env: gateway.env });
      expect([code, err]).toEqual([2, expect.stringContaining("--timeout: from 1s to 24h")]);
    }
    expect(gateway.requests).toHaveLength(1);
  });

  it("U3 takes a text that looks like an option after --", async () => {
    await using gateway = await gatewayWith([]);
    await run(commands, ["task", "--", "--help"], { env: gateway.env });
    expect(gateway.requests[0]?.body).toMatchObject({ task: "--help" });
  });

  it("U3 answers in JSON when asked", async () => {
    await using gateway = await gatewayWith([]);
    const { out } = await run(commands, ["task", "do it", "--json"], { env: gateway.env });
    expect(JSON.parse(out)).toMatchObject({ task: { taskId: TASK_ID }, created: true });
  });
});

describe("hivegate task --follow", () => {
  it("U3 shows stdout on stdout, stderr on stderr and the end on the last line", async () => {
    await using gateway = await gatewayWith([
      { kind: "output", stream: "stdout", text: "one" },
      { kind: "output", stream: "stderr", text: "two" },
      { kind: "gap", reason: "the sidecar was down" },
      { kind: "state", task: task("completed") },
    ]);
    const ran = await run(commands, ["task", "do it", "--follow"], { env: gateway.env });
    expect(ran).toMatchObject({ code: 0, out: "one\n" });
    expect(ran.err.split("\n").slice(1)).toEqual([
      "two",
      "hivegate: some output is missing: the sidecar was down",
      "completed, 2.5 s",
      "",
    ]);
  });

  it.each([
    ["failed", 1, "failed, 2.5 s, exit code 7, It broke."],
    ["stopped", 3, "stopped, 2.5 s"],
    ["lost", 1, "lost, 2.5 s"],
  ] as const)("U3 tells a task that is %s by exit code %i", async (state, code, last) => {
    const changes = { exitCode: 7, error: { code: "swarm_failed" as const, message: "It broke." } };
    const ended = task(state, state === "failed" ? changes : {});
    await using gateway = await gatewayWith([{ kind: "state", task: ended }]);
    const ran = await run(commands, ["follow", TASK_ID], { env: gateway.env });
    expect(ran.code).toBe(code);
    expect(ran.err.trimEnd().split("\n").at(-1)).toBe(last);
  });

  it("U3 H9 leaves the task running on Ctrl-C and says how to follow it again", async () => {
    await using gateway = await gatewayWith([{ kind: "output", stream: "stdout", text: "one" }], {
      stayOpen: true,
    });
    let press = () => {};
    const ran = await run(commands, ["follow", TASK_ID], {
      env: gateway.env,
      interrupt: (listener) => {
        press = listener;
      },
      wrote: () => press(),
    });
    expect(ran.code).toBe(130);
    expect(ran.err).toContain(`hivegate follow ${TASK_ID} --after 1`);
    expect(gateway.requests.some(({ method }) => method === "POST")).toBe(false);
  });

  it("U3 prints every event as a line of JSON when asked", async () => {
    await using gateway = await gatewayWith([
      { kind: "output", stream: "stdout", text: "one" },
      { kind: "state", task: task("completed") },
    ]);
    const { out } = await run(commands, ["follow", TASK_ID, "--json"], { env: gateway.env });
    const kinds = out
      .trimEnd()
      .split("\n")
      .map((line) => JSON.parse(line).kind);
    expect(kinds).toEqual(["output", "state"]);
  });

  it.each([
    [["follow", "no-id"], "TASK is a task's id"],
    [["follow", TASK_ID, "--after", "-1"], "argument is ambiguous"],
    [["follow", TASK_ID, "--after=x"], "--after is the number"],
  ])("U3 exits 2 for %j", async (argv, message) => {
    const ran = await run(commands, argv, { env: { HIVEGATE_TOKEN: "t" } });
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining(message)]);
  });
});
