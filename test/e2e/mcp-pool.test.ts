import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { platformClock } from "../../shared/clock.ts";
import type { ServerState } from "../../shared/protocol/sidecar.ts";
import { breakerRules } from "../../sidecar/mcp/breaker-rules.ts";
import { McpServers } from "../../sidecar/mcp/servers.ts";
import { Ledger } from "../../sidecar/swarm/ledger.ts";
import type { CollectorNews } from "../../sidecar/telemetry/hub.ts";
import { Sources } from "../../sidecar/telemetry/sources.ts";
import { startDemo } from "../support/demo.ts";
import { recordingLog } from "../support/recording-log.ts";
import { type Forwarder, startForwarder } from "../support/tcp-forwarder.ts";

const SOON = { timeout: 10_000, interval: 10 };
const CALL_MS = 300;

/** Ends with the test. */
async function startSwarm(lingerMs = 30_000) {
  const demo = await startDemo({ lingerMs });
  onTestFinished(() => demo.stop());
  return demo;
}

function directory(): string {
  const path = mkdtempSync(join(tmpdir(), "hivegate-"));
  onTestFinished(() => rmSync(path, { recursive: true }));
  return path;
}

/** The sidecar's side of one pool, which is watched at once. */
function watchPool(ways: readonly Pick<Forwarder, "port">[], intervalMs: number, stateDir = directory()) {
  const { log } = recordingLog();
  const ledger = new Ledger(stateDir);
  const servers = new McpServers(
    ways.map(({ port }, n) => ({
      ...{ type: "tcp", name: `way-${n}`, pool: "demo", profile: "demo", host: "127.0.0.1", port },
    })),
    {
      callTimeoutMs: CALL_MS,
      rules: breakerRules({ failureThreshold: 3, retryDelayMs: 200, timeoutMs: 1_000 }),
      breakers: ledger.breakers(log),
      ...{ log, now: Date.now, random: Math.random },
    },
  );
  const sources = new Sources({ timeoutMs: CALL_MS, log, clock: platformClock });
  sources.follow(servers.pools());
  const [source] = sources.all;
  if (!source) throw new Error("a pool was configured");
  const { telemetry } = source;
  const heard: (CollectorNews & { atMs: number })[] = [];
  telemetry.watch(intervalMs, (news) => void heard.push({ ...news, atMs: performance.now() }));
  const close = () => {
    telemetry.watch(null, () => {});
    servers.close();
    ledger.close();
  };
  const open = { isOpen: true };
  const stop = () => {
    if (open.isOpen) close();
    open.isOpen = false;
  };
  onTestFinished(stop);
  const state = (n: number): ServerState | undefined => heard.at(-1)?.servers[n];
  const agents = () => heard.findLast(({ report }) => report)?.report?.agents ?? [];
  return { servers, heard, state, agents, stop };
}

/** That nothing happens shows only in time. */
const quiet = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

const order = { task: "count primes below 3000000", priority: "low" };

describe("a pool of ways to one real swarm", () => {
  it("S3 shares its polls out evenly", async () => {
    const { mcpPort } = await startSwarm();
    const ways = [await startForwarder(mcpPort), await startForwarder(mcpPort)] as const;
    const { servers } = watchPool(ways, 20);
    // While it works every answer is new, so that it is polled at the interval.
    await servers
      .primary()
      ?.connection.call("task_orchestrate", { ...order, task: "count primes below 90000000" });
    await vi.waitUntil(() => ways[0].asked("agent_list") + ways[1].asked("agent_list") > 60, SOON);
    const [one, other] = ways.map((way) => way.asked("agent_list"));
    expect(Math.abs((one ?? 0) - (other ?? 0))).toBeLessThanOrEqual(4);
  });

  it("S3 one that freezes is left out and said to be stale, while the others keep the picture fresh", async () => {
    const { mcpPort } = await startSwarm();
    const ways = [await startForwarder(mcpPort), await startForwarder(mcpPort)] as const;
    const { servers, heard, state } = watchPool(ways, 50);
    await vi.waitUntil(() => state(0)?.status === "available" && state(1)?.status === "available", SOON);
    await servers
      .get("way-1")
      ?.connection.call("task_orchestrate", { ...order, task: "count primes below 90000000" });

    ways[0].freeze();
    await vi.waitUntil(() => state(0)?.circuit.state === "open", SOON);
    expect(state(0)).toMatchObject({ status: "unavailable", stale_since: expect.any(Number) });
    expect(state(1)).toMatchObject({ status: "available", stale_since: null });
    // All the while that its circuit opens and is probed, no poll waits for it.
    const before = heard.length;
    await vi.waitUntil(() => heard.length > before + 20, SOON);
    const times = heard.slice(before).map(({ atMs }) => atMs);
    const pauses = times.slice(1).map((atMs, n) => atMs - (times[n] ?? atMs));
    expect(Math.max(...pauses)).toBeLessThan(CALL_MS);

    ways[0].thaw();
    await vi.waitUntil(() => state(0)?.status === "available" && state(0)?.circuit.state === "closed", SOON);
  });

  it("Q1 an idle swarm is hardly asked, and its changes are seen at once all the same (P6)", async () => {
    const { mcpPort } = await startSwarm(500);
    const way = await startForwarder(mcpPort);
    const { servers, agents, state } = watchPool([way], 16);
    await vi.waitUntil(() => state(0)?.status === "available", SOON);
    await quiet(2_000);
    expect(way.asked("agent_list")).toBeLessThanOrEqual(3);

    await servers.primary()?.connection.call("task_orchestrate", order);
    const orderedMs = performance.now();
    await vi.waitUntil(() => agents().length > 0, SOON);
    expect(performance.now() - orderedMs).toBeLessThan(500);
    await vi.waitUntil(() => agents().every(({ status }) => status === "done"), SOON);
    // That the agents of an ended swarm are listed no longer is a change as well.
    await vi.waitUntil(() => agents().length === 0, { ...SOON, timeout: 3_000 });
    const after = way.asked("agent_list");
    await quiet(1_000);
    expect(way.asked("agent_list") - after).toBeLessThanOrEqual(2);
  });

  it("S4 a swarm that goes is known at once, also while it was not polled, and its circuit outlives a restart", async () => {
    const { mcpPort } = await startSwarm();
    const way = await startForwarder(mcpPort);
    const stateDir = directory();
    const before = watchPool([way], 10_000, stateDir);
    await vi.waitUntil(() => before.state(0)?.status === "available", SOON);
    await way.close();
    const lostMs = performance.now();
    await vi.waitUntil(() => before.state(0)?.status === "unavailable", SOON);
    expect(performance.now() - lostMs).toBeLessThan(1_000);
    await vi.waitUntil(() => before.state(0)?.circuit.state === "open", SOON);
    before.stop();

    const after = watchPool([way], 10_000, stateDir);
    await vi.waitUntil(() => after.heard.length > 0, SOON);
    expect(after.heard[0]?.servers[0]).toMatchObject({ status: "unavailable", circuit: { state: "open" } });
  });
});
