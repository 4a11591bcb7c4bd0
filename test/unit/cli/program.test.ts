import { describe, expect, it } from "vitest";
import type { Command } from "../../../sidecar/cli/command.ts";
import { tasks } from "../../../sidecar/cli/commands/tasks.ts";
import { token } from "../../../sidecar/cli/commands/token.ts";
import { FakeGateway, json, run, task } from "./fakes.ts";

const commands: Record<string, Command> = { tasks, token };

describe("hivegate", () => {
  it("U3 says what there is, and what each command takes, with an example", async () => {
    const overview = await run(commands, ["help"]);
    expect(overview).toMatchObject({ code: 0, err: "" });
    expect(overview.out).toMatch(/tasks +List the tasks/);
    expect(overview.out).toContain("the gateway cannot be reached");
    const asked = await run(commands, ["help", "token"]);
    expect(asked.out).toContain("--ttl TTL");
    expect(asked.out).toContain("HIVEGATE_TOKEN=$(hivegate token");
    expect((await run(commands, ["token", "--help"])).out).toBe(asked.out);
  });

  it("U3 tells its version", async () => {
    expect(await run(commands, ["--version"])).toEqual({ code: 0, out: "1.2.3\n", err: "" });
  });

  it.each([
    [[], "which command?"],
    [["frobnicate"], 'there is no command "frobnicate"'],
    [["toString"], 'there is no command "toString"'],
    [["tasks", "--frob"], "Unknown option '--frob'"],
    [["tasks", "more"], '"more" is one word too many'],
    [["tasks"], "no token"],
    [["tasks", "--token", "a b"], "--token is not a token"],
    [["tasks", "--token", "t", "--url", "ftp://x"], "--url has to be"],
    [["tasks", "--token", "t", "--hive", "No!"], "--hive has to be"],
  ])("U3 exits 2 with one line for %j", async (argv, message) => {
    const ran = await run(commands, argv);
    expect(ran).toMatchObject({ code: 2, out: "" });
    expect(ran.err).toContain(message);
    expect(ran.err.trimEnd()).not.toContain("\n");
  });

  it("U3 exits 4 when the gateway cannot be reached", async () => {
    const gateway = await new FakeGateway({}).start();
    const { env } = gateway;
    await gateway[Symbol.asyncDispose]();
    const ran = await run(commands, ["tasks"], { env });
    expect(ran).toMatchObject({ code: 4, out: "" });
    expect(ran.err).toContain("The gateway does not answer");
  });

  it("U3 T8 exits 1 with the gateway's words for its errors, and its own for a bad token", async () => {
    await using gateway = await new FakeGateway({
      "GET /v1/hives/default/tasks": json(
        { code: "swarm_unavailable", message: "Start the container." },
        503,
      ),
      "GET /v1/hives/other/tasks": json({ code: "unauthorized", message: "Send Authorization." }, 401),
    }).start();
    const { env } = gateway;
    expect(await run(commands, ["tasks"], { env })).toMatchObject({
      code: 1,
      err: "hivegate: Start the container.\n",
    });
    const refused = await run(commands, ["tasks", "--hive", "other"], { env });
    expect(refused.code).toBe(1);
    expect(refused.err).toContain("does not accept this token");
  });

  it("U3 takes the token from option, environment and the file of npm start, in this order", async () => {
    await using gateway = await new FakeGateway({
      "GET /v1/hives/default/tasks": json({ tasks: [] }),
    }).start();
    const { HIVEGATE_URL = "" } = gateway.env;
    const files = { ".hivegate/token": "from-file\n" };
    const env = { HIVEGATE_URL, HIVEGATE_TOKEN: "from-env" };
    await run(commands, ["tasks", "--token", "from-option"], { env, files });
    await run(commands, ["tasks"], { env, files });
    await run(commands, ["tasks"], { env: { HIVEGATE_URL }, files });
    expect(gateway.requests.map(({ authorization }) => authorization)).toEqual([
      "Bearer from-option",
      "Bearer from-env",
      "Bearer from-file",
    ]);
  });

  it("U3 lists tasks in columns cut to the terminal, with nothing in them that steers it", async () => {
    await using gateway = await new FakeGateway({
      "GET /v1/hives/default/tasks": json({
        tasks: [task("running", { task: "a\u001b[2Jb\nc ".repeat(50) })],
      }),
    }).start();
    const { out } = await run(commands, ["tasks"], { env: gateway.env, columns: 100 });
    const lines = out.trimEnd().split("\n");
    expect(lines.length).toBe(2);
    expect(lines[1]).toMatch(/running .*2\.5 s +ab c ab/);
    expect(lines[1]?.length).toBe(100);
    expect(out).not.toContain("\u001b");
  });
});
