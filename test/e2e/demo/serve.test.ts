import { spawn } from "node:child_process";
import { describe, expect, it, onTestFinished } from "vitest";
import { DEMO_MAIN, startDemo } from "../../support/demo.ts";
import { demo, ended, LONG_TASK, openTcp } from "./clients.ts";

describe("demo serve", () => {
  it("H8 ends with one line when a port is busy or a variable is wrong", async () => {
    const busy = await demo();
    const serve = (env: Record<string, string>) => {
      const child = spawn(process.execPath, [DEMO_MAIN, "serve"], {
        env: { PATH: process.env.PATH, ...env },
      });
      onTestFinished(() => void child.kill("SIGKILL"));
      return ended(child, []);
    };
    expect(await serve({ ...busy.env, DEMO_MCP_PORT: "0" })).toMatchObject({
      exitCode: 1,
      stderr: expect.stringMatching(/^demo: port \d+ is in use: .*DEMO_WS_PORT.*\n$/),
    });
    expect(await serve({ DEMO_WS_PORT: "http" })).toMatchObject({
      exitCode: 1,
      stderr: "demo: DEMO_WS_PORT must be a port number\n",
    });
  });

  it("Q3 ends at once with agents at work", async () => {
    const running = await startDemo();
    await (await openTcp(running.mcpPort)).call("task_orchestrate", { task: LONG_TASK, priority: "High" });
    await running.stop();
    expect(() => process.kill(running.pid, 0)).toThrow("ESRCH");
  });
});
