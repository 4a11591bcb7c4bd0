import { stat } from "node:fs/promises";
import { createServer } from "node:net";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { npmStart, PORTS, ROOT, startEnv } from "../support/npm-start.ts";

const Created = z.object({ success: z.literal(true), taskId: z.uuid() });

let env: Record<string, string>;
let clean: () => Promise<void>;

beforeEach(async () => {
  ({ env, clean } = await startEnv());
});

afterEach(() => clean());

const isListening = async (port: string): Promise<boolean> =>
  fetch(`http://127.0.0.1:${port}/`).then(
    () => true,
    (error: unknown) => !(error instanceof TypeError && String(error.cause).includes("ECONNREFUSED")),
  );

describe("npm start", () => {
  it("U3 H1 brings everything up, says what to try, and stops every process on Ctrl-C", async () => {
    const { child, exited, until } = npmStart(env);
    const [, url = "", token = ""] = await until(/Page {4}(http:\S+)\/#token=(\S+)/);
    await until(/Ctrl-C stops everything/);
    const page = await fetch(url);
    expect(await page.text()).toContain("<title>Hivegate</title>");
    const response = await fetch(`${url}/v1/hives/default/tasks`, {
      method: "POST",
      headers: { authorization: `Bearer ${token}` },
      body: JSON.stringify({ task: "count primes below 1000" }),
    });
    expect(Created.parse(await response.json()).taskId).toBeTruthy();
    for (const file of [".dev.vars", ".hivegate/token"]) {
      expect((await stat(join(ROOT, file))).mode & 0o777).toBe(0o600);
    }
    child.kill("SIGINT");
    expect(await exited).toBe(0);
    for (const name of PORTS) expect(await isListening(env[name] ?? "")).toBe(false);
  });

  it("H8 ends with one clear line and exit code 1 when a port is busy or a variable is bad", async () => {
    const server = createServer();
    await new Promise<void>((resolve) => server.listen(Number(env.DEMO_WS_PORT), "127.0.0.1", resolve));
    const cases = [
      { change: {}, says: new RegExp(`port ${env.DEMO_WS_PORT} is in use`) },
      { change: { GATEWAY_PORT: env.DEMO_WS_PORT ?? "" }, says: /is in use: free it, or set GATEWAY_PORT/ },
      { change: { GATEWAY_PORT: "http" }, says: /GATEWAY_PORT: expected a port/ },
      { change: { DEMO_WS_PORT: "0", LOG_LEVEL: "loud" }, says: /LOG_LEVEL: expected one of/ },
    ];
    for (const { change, says } of cases) {
      const { exited, output } = npmStart({ ...env, ...change });
      expect(await exited).toBe(1);
      expect(output().trim().split("\n")).toHaveLength(1);
      expect(output()).toMatch(says);
    }
    server.close();
  });
});
