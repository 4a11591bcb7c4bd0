import { describe, expect, it } from "vitest";
import { stop } from "../../../sidecar/cli/commands/stop.ts";
import { FakeGateway, json, run, TASK_ID, task } from "./fakes.ts";

const gatewayWith = (answer: ReturnType<typeof json>) =>
  new FakeGateway({ [`POST /v1/hives/default/tasks/${TASK_ID}/stop`]: answer }).start();

async function runStop(answer: ReturnType<typeof json>, ...options: string[]) {
  await using gateway = await gatewayWith(answer);
  return await run({ stop }, ["stop", TASK_ID, ...options], { env: gateway.env });
}

describe("hivegate stop", () => {
  it("U3 H4 exits 0 once the task is stopped", async () => {
    expect(await runStop(json({ task: task("stopped") }))).toEqual({
      code: 0,
      out: `Stopped: ${TASK_ID}\n`,
      err: "",
    });
  });

  it.each(["running", "completed", "lost"] as const)(
    "U3 H4 exits 1 for a task that is %s all the same, and says where to look",
    async (state) => {
      const ran = await runStop(json({ task: task(state) }));
      expect(ran).toMatchObject({ code: 1, out: "" });
      expect(ran.err).toContain(state);
      expect(ran.err).toContain(`hivegate follow ${TASK_ID}`);
    },
  );

  it.each([
    ["stopped", 0],
    ["running", 1],
  ] as const)(
    "U3 answers in JSON when asked, for a task that is %s with exit code %i",
    async (state, code) => {
      const ran = await runStop(json({ task: task(state) }), "--json");
      expect(ran).toMatchObject({ code, err: "" });
      expect(JSON.parse(ran.out)).toEqual({ task: task(state) });
    },
  );

  it.each([
    ["task_ended", 409, "The task has already ended."],
    ["unknown_task", 404, "There is no such task."],
    ["not_supported", 409, "This swarm does not support that."],
  ])("U3 H4 T8 exits 1 with the gateway's words for %s", async (code, status, message) => {
    expect(await runStop(json({ code, message }, status))).toEqual({
      code: 1,
      out: "",
      err: `hivegate: ${message}\n`,
    });
  });

  it.each([
    [["stop"], "something is missing"],
    [["stop", "no-id"], "TASK is a task's id"],
    [["stop", TASK_ID, "more"], "one word too many"],
  ])("U3 exits 2 for %j and asks the gateway nothing", async (argv, message) => {
    await using gateway = await gatewayWith(json({ task: task("stopped") }));
    const ran = await run({ stop }, argv, { env: gateway.env });
    expect([ran.code, ran.err]).toEqual([2, expect.stringContaining(message)]);
    expect(gateway.requests).toEqual([]);
  });
});
