import { describe, expect, it } from "vitest";
import { BREAKER_RULES, circuitOf, closed, restore } from "../../../shared/pressure/breaker.ts";
import { Bench, T0 } from "./breaker-bench.ts";

describe("a closed breaker", () => {
  it.each([
    ["stays closed while all is well", "++++++++", "closed"],
    ["stays closed before the fifth failure in a row", "----", "closed"],
    ["opens at the fifth failure in a row", "-----", "open"],
    ["stays closed while the share of failures is lower", "++++++--+-+++", "closed"],
    ["opens when 40 % of five have failed", "+++--", "open"],
    ["knows no share of less than five", "-+--", "closed"],
    ["is never opened by a success", "--+++", "closed"],
    ["does not count calls that say nothing", "--0000000--+", "closed"],
  ])("S4 %s: %s is %s", (_, outcomes, state) => {
    expect(new Bench().calls(outcomes)).toBe(state);
  });

  it("S4 opens at the fifth failure in a row however long that takes, unless a call succeeds", () => {
    const bench = new Bench({ failureRate: 2 });
    for (const outcome of "--+----") {
      bench.calls(outcome);
      bench.nowMs += 3_600_000;
    }
    expect(bench.calls("")).toBe("closed");
    expect(bench.calls("-")).toBe("open");
  });

  it("S4 forgets outcomes older than the window, be they good or bad", () => {
    const rules = { failuresInARow: 100 };
    const failed = new Bench(rules);
    failed.calls("----");
    failed.nowMs += 30_000;
    expect(failed.calls("++++-")).toBe("closed");

    const succeeded = new Bench(rules);
    succeeded.calls("+++++++++++++");
    succeeded.nowMs += 30_000;
    expect(succeeded.calls("++---")).toBe("open");
  });

  it("S4 counts outcomes of almost the whole window", () => {
    const bench = new Bench({ failuresInARow: 100 });
    bench.calls("++--");
    bench.nowMs += 26_999;
    expect(bench.calls("-")).toBe("open");
  });

  it("S4 forgets what happened in a future that a clock set back has taken away", () => {
    const bench = new Bench({ failuresInARow: 100 });
    bench.calls("----");
    bench.nowMs -= 3_600_000;
    expect(bench.calls("++++-")).toBe("closed");
  });
});

describe("an open breaker", () => {
  it("S4 admits nobody until its wait is over, and says when that is", () => {
    const bench = new Bench().opened(999);
    expect(circuitOf(bench.state)).toEqual({ state: "open", since: T0, retry_at: T0 + 1_000 });
    expect(bench.retryInMs).toBe(1);
    bench.calls("xxx");
    bench.nowMs += 1;
    expect(bench.retryInMs).toBe(0);
    bench.admitted();
    expect(circuitOf(bench.state)).toEqual({ state: "half_open", since: T0 + 1_000, retry_at: null });
  });

  it("S4 waits twice as long after each failed probe, up to the most", () => {
    const bench = new Bench().opened();
    const waitsMs = Array.from({ length: 8 }, () => {
      const waitMs = bench.retryInMs;
      bench.nowMs += waitMs;
      expect(bench.calls("-")).toBe("open");
      return waitMs;
    });
    expect(waitsMs).toEqual([1_000, 2_000, 4_000, 8_000, 16_000, 32_000, 60_000, 60_000]);
  });

  it("S4 waits the shortest time again after it has been closed", () => {
    const bench = new Bench().opened(1_000);
    bench.calls("-");
    bench.nowMs += 2_000;
    expect(bench.calls("++")).toBe("closed");
    expect(bench.opened().retryInMs).toBe(1_000);
  });

  it("S4 spreads its probes: the wait has jitter", () => {
    const bench = new Bench();
    bench.random = 0;
    expect(bench.opened().retryInMs).toBe(500);
  });

  it("S4 never waits longer than its rule when the clock is set back", () => {
    const bench = new Bench().opened(-3_600_000);
    expect(bench.retryInMs).toBe(60_000);
    bench.calls("x");
    bench.nowMs += 60_000;
    expect(bench.calls("+")).toBe("half_open");
  });

  it("S4 takes no notice of calls from before it opened, whatever came of them", () => {
    const bench = new Bench();
    const [slow, failing] = [bench.admitted(), bench.admitted()];
    bench.opened(500);
    const before = bench.state;
    bench.report(slow, "success");
    bench.report(failing, "failure");
    expect(bench.state).toEqual(before);
  });
});

describe("a restored breaker", () => {
  it.each([null, undefined, "open", {}, { phase: "ajar" }, { ...closed(T0), sinceMs: -1 }])(
    "S4 is closed when %j is all that was kept",
    (saved) => {
      expect(restore(saved, BREAKER_RULES, T0)).toEqual(closed(T0));
    },
  );

  it("S4 goes on waiting when it was open", () => {
    const bench = new Bench().opened(1_000);
    bench.calls("-");
    const before = circuitOf(bench.state);
    bench.restart(1_999);
    expect(circuitOf(bench.state)).toEqual(before);
    bench.calls("x");
    bench.nowMs += 1;
    expect(bench.calls("-")).toBe("open");
    expect(bench.retryInMs).toBe(4_000);
  });

  it("S4 probes at once when it was half-open, for its probes ended with their process", () => {
    const bench = new Bench().opened(1_000);
    bench.calls("+");
    bench.admitted();
    bench.restart(5);
    expect(circuitOf(bench.state)).toMatchObject({ state: "open", retry_at: bench.nowMs });
    expect(bench.calls("+")).toBe("half_open");
    expect(bench.calls("+")).toBe("closed");
  });

  it("S4 can be stored and read back however often its probes have failed", () => {
    const bench = new Bench().opened();
    for (let i = 0; i < 100; i++) {
      bench.nowMs += bench.retryInMs;
      bench.calls("-");
    }
    bench.restart(0);
    expect(bench.calls("x")).toBe("open");
  });

  it("S4 shows no time in the future, and no wait above its rule, when the clock was set back", () => {
    const bench = new Bench().opened();
    bench.restart(-3_600_000);
    const now = bench.nowMs;
    expect(circuitOf(bench.state)).toEqual({ state: "open", since: now, retry_at: now + 60_000 });
  });
});
