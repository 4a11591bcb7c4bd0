import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { type Polled, pauseMs } from "../../../sidecar/telemetry/poll-pause.ts";

const polled = (change: Partial<Polled> = {}): Polled => ({
  tookMs: 5,
  failed: null,
  isQuiet: false,
  ...change,
});

const anyPoll = fc.record({
  tookMs: fc.nat(60_000),
  failed: fc.option(fc.record({ retryInMs: fc.nat(60_000) })),
  isQuiet: fc.boolean(),
});
const anyInterval = fc.integer({ min: 16, max: 10_000 });

describe("the pause between two polls", () => {
  it.each<[string, Partial<Polled>, number, boolean, number]>([
    ["is what the clients want", {}, 100, false, 100],
    ["is as long as a slow server took", { tookMs: 400 }, 100, false, 400],
    ["ends when the server calls", {}, 10_000, true, 16],
    ["is no longer than ten seconds though a suspended poll took hours", { tookMs: 3e7 }, 100, false, 10_000],
    ["of a slow server does not end sooner for a call", { tookMs: 400 }, 10_000, true, 400],
    ["is ten seconds while a server that would call does not", { isQuiet: true }, 16, false, 10_000],
    [
      "after a failure is as ever, so that the circuit soon knows",
      { failed: { retryInMs: 0 } },
      100,
      false,
      100,
    ],
    ["after a failure is short, were the interval long", { failed: { retryInMs: 0 } }, 10_000, false, 1_000],
    ["while the circuit is open lasts as long as that", { failed: { retryInMs: 7_000 } }, 16, false, 7_000],
  ])("S5 %s", (_what, change, intervalMs, isWoken, expected) => {
    expect(pauseMs(polled(change), intervalMs, isWoken)).toBe(expected);
  });

  it("S6 is never shorter than 16 ms, nor than the poll took, were it up to 10 s", () => {
    fc.assert(
      fc.property(anyPoll, anyInterval, fc.boolean(), (poll, intervalMs, isWoken) => {
        const leastMs = Math.min(10_000, Math.max(16, poll.tookMs));
        expect(pauseMs(poll, intervalMs, isWoken)).toBeGreaterThanOrEqual(leastMs);
      }),
    );
  });

  it("S4 is never longer than 10 s, or than the circuit is open, however long a sleep the poll was", () => {
    fc.assert(
      fc.property(anyPoll, anyInterval, fc.boolean(), (poll, intervalMs, isWoken) => {
        const mostMs = Math.max(10_000, poll.failed?.retryInMs ?? 0);
        expect(pauseMs(poll, intervalMs, isWoken)).toBeLessThanOrEqual(mostMs);
      }),
    );
  });
});
