import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { Collector, type CollectorNews } from "../../../sidecar/telemetry/collector.ts";
import type { AgentReport } from "../../../sidecar/telemetry/profile.ts";
import { anAgent } from "../../support/agents.ts";
import { recordingLog } from "../../support/recording-log.ts";

beforeEach(() => void vi.useFakeTimers({ now: 1_000_000 }));
afterEach(() => void vi.useRealTimers());

/** A server whose polls take `tookMs` and then succeed, or fail. */
function watched(intervalMs = 100) {
  const server = { tookMs: 0, fails: false, polls: 0, atOnce: 0, mostAtOnce: 0, leftOut: 0 };
  const news: CollectorNews[] = [];
  const listeners = new Set<() => void>();
  const { log, lines } = recordingLog();
  const collector = new Collector({
    name: "demo",
    source: "demo",
    read: async (): Promise<AgentReport> => {
      server.polls++;
      server.atOnce++;
      server.mostAtOnce = Math.max(server.mostAtOnce, server.atOnce);
      if (server.tookMs > 0) await new Promise((resolve) => setTimeout(resolve, server.tookMs));
      server.atOnce--;
      if (server.fails) throw new Error("no answer");
      return { agents: [anAgent()], leftOut: server.leftOut };
    },
    listen: (wake) => {
      listeners.add(wake);
      return () => void listeners.delete(wake);
    },
    intervalMs,
    log,
    now: () => Date.now(),
    random: () => 0,
  });
  const start = () => collector.start((item) => void news.push(item));
  const notify = () => {
    for (const wake of listeners) wake();
  };
  return { collector, server, news, listeners, lines, start, notify };
}

const run = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("the collector of one server's telemetry", () => {
  it("S5 polls at once, then once in each interval", async () => {
    const { server, news, start } = watched();
    start();
    await run(0);
    expect(news).toEqual([{ kind: "agents", report: { agents: [anAgent()], leftOut: 0 }, nowMs: 1_000_000 }]);
    await run(1_000);
    expect(server.polls).toBe(11);
  });

  it("S6 polls never overlap, and a slow server rests as long as it worked", async () => {
    const { server, start } = watched();
    server.tookMs = 400;
    start();
    await run(8_000);
    expect(server.mostAtOnce).toBe(1);
    expect(server.polls).toBeGreaterThanOrEqual(9);
    expect(server.polls).toBeLessThanOrEqual(11);
  });

  it("H9 nobody watching means no polls at all", async () => {
    const { collector, server, listeners, start } = watched();
    await run(1_000);
    expect(server.polls).toBe(0);
    start();
    await run(150);
    collector.stop();
    await run(10_000);
    expect(server.polls).toBe(2);
    expect(listeners.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("S6 stopping and starting in the middle of a poll does not make a second one beside it", async () => {
    const { collector, server, news, start } = watched();
    server.tookMs = 50;
    start();
    await run(10);
    collector.stop();
    start();
    await run(40);
    expect(news).toHaveLength(1);
    await run(1_000);
    expect(server.mostAtOnce).toBe(1);
  });

  it("S4 a poll that ends when nobody watches any more counts for nothing", async () => {
    const { collector, server, news, start } = watched();
    server.tookMs = 50;
    start();
    await run(10);
    collector.stop();
    await run(1_000);
    expect(news).toEqual([]);
    expect(collector.freshAtMs).toBeNull();
  });

  it("S5 a notification brings the next poll forward; many bring no more than one", async () => {
    const { server, start, notify } = watched(10_000);
    start();
    await run(500);
    expect(server.polls).toBe(1);
    for (let n = 0; n < 20; n++) notify();
    await run(0);
    expect(server.polls).toBe(2);
    await run(1_000);
    expect(server.polls).toBe(2);
  });

  it("S5 a notification during a poll is not missed: what it tells may have happened after the answer", async () => {
    const { server, start, notify } = watched(10_000);
    server.tookMs = 30;
    start();
    await run(10);
    notify();
    await run(60);
    expect(server.polls).toBe(2);
    await run(1_000);
    expect(server.polls).toBe(2);
  });

  it("S6 a server that never stops notifying is polled no more than sixty times a second", async () => {
    const { server, start, notify } = watched();
    start();
    for (let ms = 0; ms < 1_000; ms++) {
      notify();
      await run(1);
    }
    expect(server.polls).toBeGreaterThan(30);
    expect(server.polls).toBeLessThanOrEqual(64);
  });

  it("S4 a failing server is asked less and less often, and says since when its data are old", async () => {
    const { server, news, lines, start } = watched();
    start();
    await run(0);
    server.fails = true;
    await run(60_000);
    expect(server.polls).toBeLessThan(35);
    const failures = news.filter((item) => item.kind === "failure");
    expect(failures.length).toBe(server.polls - 1);
    expect(new Set(failures.map((failure) => failure.staleSinceMs))).toEqual(new Set([1_000_000]));
    expect(lines).toHaveLength(1);

    server.fails = false;
    await run(5_000);
    expect(news.at(-1)?.kind).toBe("agents");
    expect(lines).toHaveLength(2);
    const { polls } = server;
    await run(1_000);
    expect(server.polls).toBeGreaterThanOrEqual(polls + 9);
  });

  it("S4 a server that never answered is missed since it was asked first", async () => {
    const { server, news, start } = watched();
    server.fails = true;
    start();
    await run(10_000);
    expect(new Set(news.map((item) => item.kind === "failure" && item.staleSinceMs))).toEqual(
      new Set([1_000_000]),
    );
  });

  it("S6 agents that are left out are logged when their number changes, not at every poll", async () => {
    const { server, lines, start } = watched();
    server.leftOut = 2;
    start();
    await run(1_000);
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('"leftOut":2');
  });
});
