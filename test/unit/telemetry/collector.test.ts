import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { platformClock } from "../../../shared/clock.ts";
import type { ServerState } from "../../../shared/protocol/sidecar.ts";
import type { Agent } from "../../../shared/swarm/agent.ts";
import { Collector } from "../../../sidecar/telemetry/collector.ts";
import type { CollectorNews } from "../../../sidecar/telemetry/hub.ts";
import type { Told } from "../../../sidecar/telemetry/pool.ts";
import { anAgent } from "../../support/agents.ts";

const START_MS = 1_000_000;

beforeEach(() => void vi.useFakeTimers({ now: START_MS }));
afterEach(() => void vi.useRealTimers());

const stateOf = (told: Told | null, isWatched: boolean): ServerState => ({
  server: "demo",
  pool: "demo",
  server_source: "demo",
  status: "available",
  agents: told?.agents ?? 0,
  stale_since: isWatched ? null : (told?.atMs ?? null),
  circuit: { state: "closed", since: 0, retry_at: null },
});

/** A pool whose polls take `tookMs` and then succeed, or fail. */
function watched(options: { notifies?: boolean } = {}) {
  const server = {
    ...{ tookMs: 0, fails: false, retryInMs: 0, polls: 0, atOnce: 0, mostAtOnce: 0 },
    agents: [anAgent()] as Agent[],
  };
  const news: CollectorNews[] = [];
  const listeners = new Set<() => void>();
  const collector = new Collector({
    pool: {
      name: "demo",
      get retryInMs() {
        return server.retryInMs;
      },
      read: async () => {
        server.polls++;
        server.atOnce++;
        server.mostAtOnce = Math.max(server.mostAtOnce, server.atOnce);
        if (server.tookMs > 0) await new Promise((resolve) => setTimeout(resolve, server.tookMs));
        server.atOnce--;
        if (server.fails) throw new Error("no answer");
        return { agents: server.agents.map((agent) => structuredClone(agent)), swarms: [], leftOut: 0 };
      },
      servers: (told, isWatched) => [stateOf(told, isWatched)],
    },
    listen: (wake) => {
      listeners.add(wake);
      return () => void listeners.delete(wake);
    },
    notifies: options.notifies ?? false,
    clock: platformClock,
  });
  const watch = (intervalMs: number | null) =>
    collector.watch(intervalMs, (item) => {
      news.push(item);
    });
  const notify = () => {
    for (const wake of listeners) wake();
  };
  return { collector, server, news, listeners, watch, notify };
}

const run = (ms: number) => vi.advanceTimersByTimeAsync(ms);

describe("the collector of one pool's telemetry", () => {
  it("S5 polls at once, then once in each interval", async () => {
    const { server, news, watch } = watched();
    watch(100);
    await run(0);
    expect(news).toEqual([
      {
        report: { agents: [anAgent()], swarms: [], leftOut: 0 },
        servers: [stateOf({ agents: 1, atMs: START_MS }, true)],
      },
    ]);
    await run(1_000);
    expect(server.polls).toBe(11);
  });

  it("S1 follows the fastest client, up and down, without a poll too many", async () => {
    const { server, watch } = watched();
    watch(1_000);
    await run(5_500);
    expect(server.polls).toBe(6);
    watch(100);
    await run(1_000);
    // The pause that was under way counts.
    expect(server.polls).toBe(17);
    watch(10_000);
    await run(9_800);
    expect(server.polls).toBe(17);
    await run(200);
    expect(server.polls).toBe(18);
  });

  it.each([
    [1, 16],
    [3_600_000, 10_000],
  ])("S6 an interval of %d ms is taken for %d", async (intervalMs, held) => {
    const { server, watch } = watched();
    watch(intervalMs);
    await run(held * 10);
    expect(server.polls).toBe(11);
  });

  it("S6 polls never overlap, and a slow server rests as long as it worked", async () => {
    const { server, watch } = watched();
    server.tookMs = 400;
    watch(16);
    await run(8_000);
    expect(server.mostAtOnce).toBe(1);
    expect(server.polls).toBeGreaterThanOrEqual(9);
    expect(server.polls).toBeLessThanOrEqual(11);
  });

  it("C1 a pool that consists of other servers is asked at once, and what the former ones say is not used", async () => {
    const { collector, server, news, listeners, watch } = watched();
    server.tookMs = 5_000;
    watch(10_000);
    await run(10);
    const [before] = listeners;
    server.tookMs = 0;
    server.agents = [anAgent({ agent_id: "new" })];
    collector.renew();
    await run(0);
    expect(news.map(({ report }) => report?.agents)).toEqual([[anAgent({ agent_id: "new" })]]);
    expect([listeners.size, listeners.has(before ?? (() => {}))]).toEqual([1, false]);
    await run(9_999);
    expect([news.length, server.polls]).toEqual([1, 2]);
    await run(1);
    expect([news.length, server.polls]).toEqual([2, 3]);
  });

  it("C1 a pool that nobody watches is not asked because its servers changed", async () => {
    const { collector, server, watch } = watched();
    collector.renew();
    await run(10_000);
    expect([server.polls, vi.getTimerCount()]).toEqual([0, 0]);
    watch(100);
    await run(0);
    expect(server.polls).toBe(1);
  });

  it("H9 nobody watching means no polls at all, and data that grow old", async () => {
    const { collector, server, listeners, watch } = watched();
    await run(1_000);
    expect(server.polls).toBe(0);
    expect(collector.servers()).toMatchObject([{ stale_since: null }]);
    watch(100);
    await run(150);
    expect(collector.servers()).toMatchObject([{ stale_since: null }]);
    watch(null);
    await run(10_000);
    expect(server.polls).toBe(2);
    expect(collector.servers()).toMatchObject([{ stale_since: START_MS + 1_100 }]);
    expect(listeners.size).toBe(0);
    expect(vi.getTimerCount()).toBe(0);
  });

  it("S6 stopping and starting in the middle of a poll does not make a second one beside it", async () => {
    const { server, news, watch } = watched();
    server.tookMs = 50;
    watch(100);
    await run(10);
    watch(null);
    watch(100);
    await run(40);
    expect(news).toHaveLength(1);
    await run(1_000);
    expect(server.mostAtOnce).toBe(1);
  });

  it("S4 a poll that ends when nobody watches any more counts for nothing", async () => {
    const { collector, server, news, watch } = watched();
    server.tookMs = 50;
    watch(100);
    await run(10);
    watch(null);
    await run(1_000);
    expect(news).toEqual([]);
    expect(collector.servers()).toMatchObject([{ agents: 0, stale_since: null }]);
  });

  it("S5 a notification brings the next poll forward; many bring no more than one", async () => {
    const { server, watch, notify } = watched();
    watch(10_000);
    await run(500);
    expect(server.polls).toBe(1);
    for (let n = 0; n < 20; n++) notify();
    await run(0);
    expect(server.polls).toBe(2);
    await run(1_000);
    expect(server.polls).toBe(2);
  });

  it("S5 a notification during a poll is not missed: what it tells may have happened after the answer", async () => {
    const { server, watch, notify } = watched();
    server.tookMs = 30;
    watch(10_000);
    await run(10);
    notify();
    await run(60);
    expect(server.polls).toBe(2);
    await run(1_000);
    expect(server.polls).toBe(2);
  });

  it("S4 a clock that is set back does not make a pause longer", async () => {
    const { server, watch, notify } = watched();
    watch(1_000);
    await run(500);
    vi.setSystemTime(START_MS - 3_600_000);
    notify();
    await run(16);
    expect(server.polls).toBe(2);
  });

  it("S6 a server that never stops notifying is polled no more than sixty times a second", async () => {
    const { server, watch, notify } = watched();
    watch(100);
    for (let ms = 0; ms < 1_000; ms++) {
      notify();
      await run(1);
    }
    expect(server.polls).toBeGreaterThan(30);
    expect(server.polls).toBeLessThanOrEqual(64);
  });

  it("Q1 a server that notifies of every change is left alone while it is silent (P6)", async () => {
    const { server, watch, notify } = watched({ notifies: true });
    watch(16);
    await run(0);
    // What is told for the first time is new: only the second answer shows that nothing happens.
    await run(16);
    expect(server.polls).toBe(2);
    await run(29_000);
    expect(server.polls).toBe(4);

    server.agents = [anAgent({ status: "done" })];
    notify();
    await run(0);
    expect(server.polls).toBe(5);
    await run(16);
    expect(server.polls).toBe(6);
    await run(9_000);
    expect(server.polls).toBe(6);
  });

  it("Q1 while every answer is new, a server that notifies is polled as the clients want", async () => {
    const { server, watch } = watched({ notifies: true });
    watch(100);
    await run(50);
    for (let n = 0; n < 10; n++) {
      server.agents = [anAgent({ progress: n / 10 })];
      await run(100);
    }
    expect(server.polls).toBe(11);
  });

  it("S4 while nobody answers it follows the circuits, and says how the servers are", async () => {
    const { server, news, watch } = watched();
    watch(100);
    await run(0);
    server.fails = true;
    await run(300);
    expect(news.slice(1)).toEqual(
      Array(3).fill({ report: null, servers: [stateOf({ agents: 1, atMs: START_MS }, true)] }),
    );
    server.retryInMs = 5_000;
    await run(20_000);
    expect(server.polls).toBe(8);

    server.fails = false;
    server.retryInMs = 0;
    await run(5_000);
    expect(news.at(-1)?.report).not.toBeNull();
    const { polls } = server;
    await run(1_000);
    expect(server.polls).toBe(polls + 10);
  });
});
