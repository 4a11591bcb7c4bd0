import { describe, expect, it } from "vitest";
import { circuitOf } from "../../../shared/pressure/breaker.ts";
import { Bench } from "./breaker-bench.ts";

describe("a half-open breaker", () => {
  it.each([
    ["stays half-open after one success", "+", "half_open"],
    ["is closed by the second", "++", "closed"],
    ["is opened by a failure", "-x", "open"],
    ["is opened by a failure after a success", "+-x", "open"],
    ["tries again when a probe says nothing", "00+0+", "closed"],
  ])("S4 %s: %s is %s", (_, outcomes, state) => {
    expect(new Bench().opened(1_000).calls(outcomes)).toBe(state);
  });

  it("S4 has no more probes in flight than its rule", () => {
    const bench = new Bench({ probes: 2, successesToClose: 3 }).opened(1_000);
    const [first] = [bench.admitted(), bench.admitted()];
    bench.calls("xx");
    bench.report(first, "success");
    bench.admitted();
    bench.calls("x");
  });

  it("S4 has no more in flight when some are left from before it opened again", () => {
    const bench = new Bench({ probes: 2 }).opened(1_000);
    const [failing, slow] = [bench.admitted(), bench.admitted()];
    bench.report(failing, "failure");
    bench.nowMs += 2_000;
    const probe = bench.admitted();
    bench.calls("x");
    bench.report(slow, "failure");
    expect(circuitOf(bench.state).state).toBe("half_open");
    bench.report(probe, "success");
    expect(bench.calls("+")).toBe("closed");
  });

  it("S4 has no more in flight when some are left from before it was closed", () => {
    const bench = new Bench({ probes: 2, successesToClose: 1 }).opened(1_000);
    const [probe] = [bench.admitted(), bench.admitted()];
    bench.report(probe, "success");
    bench.opened(1_000).admitted();
    bench.calls("x");
  });

  it("S4 does not fail because of one from before that never reports", () => {
    const bench = new Bench({ probes: 2 }).opened(1_000);
    const [failing] = [bench.admitted(), bench.admitted()];
    bench.report(failing, "failure");
    bench.nowMs += 59_999;
    bench.admitted();
    bench.nowMs += 1;
    expect(bench.calls("+")).toBe("half_open");
  });

  it("S4 takes a late answer to an ordinary call for no probe's", () => {
    const bench = new Bench();
    const [good, bad] = [bench.admitted(), bench.admitted()];
    bench.opened(1_000).admitted();
    const before = bench.state;
    for (const late of [good, bad]) {
      bench.report(late, "success");
      bench.report(late, "failure");
    }
    expect(bench.state).toEqual(before);
    bench.calls("x");
  });

  it("S4 takes a late answer for nothing when it is closed again, too", () => {
    const bench = new Bench({ failuresInARow: 1, probes: 2, successesToClose: 1 });
    const ordinary = bench.admitted();
    bench.calls("-");
    bench.nowMs += 1_000;
    const [probe, slow] = [bench.admitted(), bench.admitted()];
    bench.report(probe, "success");
    bench.report(slow, "failure");
    bench.report(ordinary, "failure");
    expect(bench.calls("")).toBe("closed");
    expect(bench.calls("-")).toBe("open");
  });

  it("S4 counts a probe once, however often it reports", () => {
    const bench = new Bench().opened(1_000);
    const probe = bench.admitted();
    bench.report(probe, "success");
    bench.report(probe, "success");
    bench.report(probe, "failure");
    expect(bench.calls("")).toBe("half_open");
  });

  it("S4 counts a probe that does not report in time as failed", () => {
    const bench = new Bench().opened(1_000);
    const lost = bench.admitted();
    bench.nowMs += 59_999;
    bench.calls("x");
    expect(circuitOf(bench.state).state).toBe("half_open");
    bench.nowMs += 1;
    bench.calls("x");
    expect(circuitOf(bench.state)).toMatchObject({ state: "open", retry_at: bench.nowMs + 2_000 });
    bench.report(lost, "success");
    bench.nowMs += 2_000;
    expect(bench.calls("+")).toBe("half_open");
    expect(bench.calls("+")).toBe("closed");
  });

  it("S4 does not believe a success that comes too late", () => {
    const bench = new Bench({ successesToClose: 1 }).opened(1_000);
    const probe = bench.admitted();
    bench.nowMs += 60_000;
    bench.report(probe, "success");
    expect(circuitOf(bench.state).state).toBe("open");
  });

  it("S4 waits no longer for a probe when the clock is set back", () => {
    const bench = new Bench().opened(1_000);
    bench.admitted();
    bench.nowMs -= 3_600_000;
    bench.calls("x");
    bench.nowMs += 60_000;
    bench.calls("x");
    expect(circuitOf(bench.state).state).toBe("open");
  });
});
