import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../../shared/errors.ts";
import type { Told } from "../../../../sidecar/swarm/fallback/orchestrator.ts";
import { TaskWatch } from "../../../../sidecar/swarm/fallback/watch.ts";
import { ManualClock } from "../../../support/manual-clock.ts";

const RUNNING: Told = { state: "running", reason: null, result: null };
const MINUTE_MS = 60_000;

/** Lets everything run that does not wait for the clock. */
const settled = () => new Promise((resolve) => setImmediate(resolve));

function watching(answer: () => Told | Promise<Told>) {
  const clock = new ManualClock();
  const startMs = clock.now();
  const askedAtMs: number[] = [];
  const results: unknown[] = [];
  const watch = new TaskWatch({
    ask: async () => {
      askedAtMs.push(clock.now() - startMs);
      return answer();
    },
    result: (result) => results.push(result),
    clock,
  });
  let ending: unknown = null;
  void watch.untilEnded().then((end) => {
    ending = end;
  });
  const advance = async (byMs: number) => {
    const untilMs = clock.now() + byMs;
    for (await settled(); clock.advanceToNext(untilMs); await settled()) {
      // One timer after the other, each with all that comes of it.
    }
  };
  return { clock, watch, askedAtMs, results, advance, ending: () => ending };
}

const refuse = (code: HivegateError["code"]) => () => Promise.reject(new HivegateError(code));

describe("TaskWatch", () => {
  it("H3 asks at a modest pace: soon at first, then rarely, and no more when the task has ended", async () => {
    let told = RUNNING;
    const { askedAtMs, advance, ending, results } = watching(() => told);
    await advance(10 * MINUTE_MS);
    expect(askedAtMs.slice(0, 2)).toEqual([500, 1_000]);
    const gaps = askedAtMs.slice(1).map((atMs, n) => atMs - (askedAtMs[n] ?? 0));
    expect(Math.min(...gaps)).toBe(500);
    expect(Math.max(...gaps)).toBe(10_000);
    expect(askedAtMs.length).toBeLessThan(110);
    expect(ending()).toBeNull();

    told = { state: "completed", reason: null, result: { primes: 3 } };
    await advance(10_000);
    expect(ending()).toEqual({ state: "completed", error: null });
    expect(results).toEqual([{ primes: 3 }]);
    const asked = askedAtMs.length;
    await advance(MINUTE_MS);
    expect(askedAtMs.length).toBe(asked);
  });

  it("H3 says why a task failed, as far as the server does", async () => {
    const { advance, ending } = watching(() => ({ state: "failed", reason: "no agent", result: null }));
    await advance(500);
    expect(ending()).toEqual({ state: "failed", error: { code: "swarm_failed", message: "no agent" } });
  });

  it("H3 a task that the server does not know any more is lost, not failed and not completed", async () => {
    const { advance, ending, askedAtMs } = watching(refuse("mcp_failed"));
    await advance(MINUTE_MS);
    expect(ending()).toMatchObject({
      state: "lost",
      error: { message: expect.stringContaining("not know") },
    });
    expect(askedAtMs).toHaveLength(3);
  });

  it.each(["mcp_unavailable", "timeout", "circuit_open", "overloaded"] as const)(
    "H3 S4 a server that is away (%s) for nine minutes is waited for, for longer it is not",
    async (code) => {
      let answer: () => Told | Promise<Told> = refuse(code);
      const { advance, ending } = watching(() => answer());
      await advance(9 * MINUTE_MS);
      answer = () => RUNNING;
      await advance(MINUTE_MS);
      answer = refuse(code);
      await advance(9 * MINUTE_MS);
      expect(ending()).toBeNull();
      await advance(2 * MINUTE_MS);
      expect(ending()).toMatchObject({ state: "lost", error: { code: "mcp_unavailable" } });
    },
  );

  it("H4 asks at once when something should have changed, were it being asked at that moment", async () => {
    let told = RUNNING;
    const { watch, askedAtMs, advance, ending } = watching(() => {
      // The stop comes while the answer is under way.
      if (askedAtMs.length === 1) watch.hurry();
      return told;
    });
    await advance(500);
    expect(askedAtMs).toEqual([500, 500]);
    told = { state: "stopped", reason: null, result: null };
    watch.hurry();
    await settled();
    expect(ending()).toEqual({ state: "stopped", error: null });
  });

  it("H9 closed, it asks no more and tells no end", async () => {
    const { watch, clock, askedAtMs, advance, ending } = watching(() => RUNNING);
    watch.close();
    await advance(MINUTE_MS);
    expect([askedAtMs, ending(), clock.waiting]).toEqual([[], null, 0]);
  });
});
