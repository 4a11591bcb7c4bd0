/** What is kept of a real server's answers, through a real sidecar, for clients of either era. */
import { afterAll, beforeAll, expect, it } from "vitest";
import { z } from "zod";
import { LIMITS } from "../../shared/limits.ts";
import { envelopeOf } from "../../worker/mcp/mcp-headers.ts";
import { type RunningGateway, startGateway } from "../support/gateway.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";
import { overStdio } from "../support/scripted-mcp.ts";

const KEPT_MS = 60_000;
const Answer = z.object({ result: z.object({ content: z.array(z.object({ text: z.string() })) }) });

let mcp: McpSidecar;
let gateway: RunningGateway;
beforeAll(async () => {
  const cache = { tools: { echo: KEPT_MS, log: KEPT_MS, progress: KEPT_MS, "*": false } };
  mcp = await startMcpSidecar([
    { ...overStdio("a"), cache },
    { ...overStdio("b"), cache },
  ]);
  gateway = await startGateway({ sidecarUrl: mcp.sidecar.url, keys: mcp.keys });
});
afterAll(async () => {
  await gateway?.kill("SIGKILL");
  await mcp?.stop();
});

const call = async (name: string, given: object, { path = "/mcp/a", meta = {} } = {}) => {
  const _meta = { ...envelopeOf({ name: "test", version: "1" }), ...meta };
  const response = await fetch(`${gateway.url}${path}`, {
    method: "POST",
    headers: {
      authorization: `Bearer ${await gateway.token({ subject: "anna" })}`,
      ...{ accept: "application/json, text/event-stream", "content-type": "application/json" },
      ...{ "mcp-protocol-version": "2026-07-28", "mcp-method": "tools/call", "mcp-name": name },
    },
    body: JSON.stringify({
      ...{ jsonrpc: "2.0", id: 1, method: "tools/call" },
      params: { name, arguments: given, _meta },
    }),
  });
  return { cache: response.headers.get("hivegate-cache"), text: await response.text() };
};
const HIT = expect.stringMatching(/^hit; /);
/** Whether a call is answered from what is kept: in the end, as a server that has just begun may still change. */
const hits = (...asked: Parameters<typeof call>) =>
  expect.poll(async () => (await call(...asked)).cache, { timeout: 5_000 }).toEqual(HIT);

it("T3 keeps what the configuration allows, and gives it word for word", async () => {
  await hits("echo", { a: 1 });
  const { text } = await call("echo", { a: 1 });
  expect(Answer.parse(JSON.parse(text)).result.content).toEqual([{ text: '{"a":1}' }]);
  expect((await call("echo", { a: 2 })).cache).toBe("miss");
  await hits("b__echo", { a: 1 }, { path: "/mcp" });
  for (let times = 0; times < 2; times++) expect((await call("pid", {})).cache).toBeNull();
});

it("T3 drops what is kept of a server when it says that its tools have changed, and of no other", async () => {
  await hits("echo", { kept: "a" });
  await hits("echo", { kept: "b" }, { path: "/mcp/b" });
  await call("changed", {});
  const changedMs = Date.now();
  await expect
    .poll(async () => (await call("echo", { kept: "a" })).cache, { interval: 20, timeout: 5_000 })
    .toBe("miss");
  expect(Date.now() - changedMs).toBeLessThan(LIMITS.registryTrustedMs + 1_000);
  await hits("echo", { kept: "a" });
  expect((await call("echo", { kept: "b" }, { path: "/mcp/b" })).cache).toEqual(HIT);
});

it("T3 keeps nothing that came after progress", async () => {
  const given = { steps: 1, everyMs: 1 };
  const meta = { progressToken: 7 };
  for (let times = 0; times < 3; times++) {
    const { cache, text } = await call("progress", given, { meta });
    expect(cache).toBe("miss");
    expect(text).toContain("notifications/progress");
  }
});

it("T3 makes equal calls that are under way at the same time once", async () => {
  await hits("echo", { is: "known" });
  const slow = () => call("progress", { steps: 1, everyMs: 400 });
  const answers = await Promise.all([slow(), slow(), slow()]);
  expect(answers.map(({ cache }) => cache).toSorted()).toEqual(["joined", "joined", "miss"]);
  expect(new Set(answers.map(({ text }) => text)).size).toBe(1);
});
