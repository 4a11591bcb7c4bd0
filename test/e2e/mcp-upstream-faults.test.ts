import { setTimeout as delay } from "node:timers/promises";
import { describe, expect, it, vi } from "vitest";
import { HivegateError } from "../../shared/errors.ts";
import type { Upstream } from "../../sidecar/mcp/upstream.ts";
import {
  callTool,
  exchangeTool,
  mcpServers,
  overStdio,
  overTcp,
  overWebSocket,
} from "../support/scripted-mcp.ts";

const ways = { tcp: overTcp, stdio: async (name: string) => overStdio(name), ws: overWebSocket };

const CALLS = 400;
const WIDTH = 16;
const TIMEOUT_MS = 5_000;
/** What a busy machine may add to a limit. */
const SLACK_MS = 2_000;

/** `CALLS` calls, `WIDTH` at a time, with the fault in their middle. What came of each, and how long the longest took. */
async function callsAround(upstream: Upstream, fault: () => Promise<unknown>) {
  const outcomes: Record<string, number> = {};
  let longestMs = 0;
  let next = 0;
  let faulty: Promise<unknown> = Promise.resolve();
  const worker = async () => {
    while (next < CALLS) {
      const n = next++;
      if (n === CALLS / 2) faulty = fault();
      const startedMs = performance.now();
      const outcome = await callTool(upstream, "echo", { n }, { timeoutMs: TIMEOUT_MS }).then(
        (data) => (JSON.stringify(data) === JSON.stringify({ n }) ? "ok" : "another's answer"),
        (error: unknown) => (error instanceof HivegateError ? error.code : String(error)),
      );
      outcomes[outcome] = (outcomes[outcome] ?? 0) + 1;
      longestMs = Math.max(longestMs, performance.now() - startedMs);
      // A server that fails is asked again after a tenth of a second; until then every answer would be the same.
      if (outcome === "circuit_open") await delay(20);
    }
  };
  await Promise.all(Array.from({ length: WIDTH }, worker));
  return { outcomes, longestMs, fault: await faulty };
}

/** Calls of another server for as long as `busy` goes on: how many, and how long the longest took. */
async function meanwhile(upstream: Upstream, busy: Promise<unknown>) {
  let calls = 0;
  let longestMs = 0;
  let isOver = false;
  void busy.finally(() => {
    isOver = true;
  });
  while (!isOver) {
    const startedMs = performance.now();
    expect(await callTool(upstream, "echo", { calls })).toEqual({ calls });
    longestMs = Math.max(longestMs, performance.now() - startedMs);
    calls++;
    await delay(2);
  }
  return { calls, longestMs };
}

const outcomeOf = (call: Promise<unknown>) =>
  call.then(
    (answer) => answer,
    (error: unknown) => (error instanceof HivegateError ? error.code : error),
  );

const CLEAR = ["ok", "mcp_unavailable", "circuit_open", "timeout"];

describe.each(["tcp", "stdio", "ws"] as const)("around a fault of a server over %s", (way) => {
  const faults: [what: string, tool: string][] = [
    ["writes garbage", "noise"],
    ["answers twice", "twice"],
    ["answers under a wrong id", "wrong_id"],
    ["writes 50 MB without an end", "huge"],
    way === "stdio" ? ["crashes", "die"] : ["hangs up", "drop"],
  ];

  it.each(faults)("Q2 that %s each call ends in time, and another server's go on", async (_what, tool) => {
    const { server } = mcpServers([await ways[way]("faulty"), await overTcp("other")]);
    const { upstream, connection } = server("faulty");
    await Promise.all([callTool(upstream, "pid"), callTool(server("other").upstream, "pid")]);

    const around = callsAround(upstream, () =>
      outcomeOf(exchangeTool(upstream, tool, {}, { timeoutMs: tool === "wrong_id" ? 500 : TIMEOUT_MS })),
    );
    const [result, other] = await Promise.all([around, meanwhile(server("other").upstream, around)]);
    expect(Object.keys(result.outcomes).filter((outcome) => !CLEAR.includes(outcome))).toEqual([]);
    expect(Object.values(result.outcomes).reduce((sum, n) => sum + n, 0)).toBe(CALLS);
    expect(result.longestMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
    expect(other.calls).toBeGreaterThan(0);
    expect(other.longestMs).toBeLessThan(1_000);

    const isAnswered = tool === "noise" || tool === "twice";
    if (isAnswered) expect(result.fault).toMatchObject({ result: { content: [{ type: "text" }] } });
    else expect(result.fault).toBe(tool === "wrong_id" ? "timeout" : "mcp_unavailable");
    if (isAnswered || tool === "wrong_id") expect(result.outcomes).toEqual({ ok: CALLS });
    // It recovers by itself.
    await vi.waitFor(async () => expect(await callTool(upstream, "echo", { n: 1 })).toEqual({ n: 1 }), {
      timeout: 10_000,
      interval: 50,
    });
    expect(connection.pending).toBe(0);
  });
});

describe("a server that freezes", () => {
  it("Q2 is ended and started anew, and nobody else waits for it", async () => {
    const { server } = mcpServers([overStdio("frozen"), await overTcp("other")]);
    const { upstream, connection } = server("frozen");
    const pid = await callTool(upstream, "pid");
    await callTool(server("other").upstream, "pid");

    const frozen = outcomeOf(exchangeTool(upstream, "freeze", {}, { timeoutMs: TIMEOUT_MS }));
    const silence = (async () => {
      while (connection.isOpen) await outcomeOf(connection.ping({ timeoutMs: 300 }));
    })();
    const around = Promise.all([frozen, silence]);
    const other = await meanwhile(server("other").upstream, around);
    expect(await frozen).toBe("mcp_unavailable");
    expect(other.longestMs).toBeLessThan(1_000);
    const again = await vi.waitFor(() => callTool(upstream, "pid"), { timeout: 10_000, interval: 50 });
    expect(again).not.toBe(pid);
    expect(() => process.kill(Number(pid), 0)).toThrow("ESRCH");
  });
});
