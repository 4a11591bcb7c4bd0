import { describe, expect, it } from "vitest";
import { kept } from "../../../sidecar/health/kept.ts";

describe("an answer that is kept", () => {
  function counted() {
    const state = { nowMs: 0, fails: false };
    let runs = 0;
    const ask = kept(
      async () => {
        runs++;
        if (state.fails) throw new Error("no");
        return runs;
      },
      1_000,
      () => state.nowMs,
    );
    return { state, ask, runs: () => runs };
  }

  it("H7 simultaneous callers share one run", async () => {
    const { ask, runs } = counted();
    expect(await Promise.all([ask(), ask(), ask()])).toEqual([1, 1, 1]);
    expect(runs()).toBe(1);
  });

  it("H7 it is made anew when it is too old, and not before", async () => {
    const { ask, state } = counted();
    await ask();
    state.nowMs = 999;
    expect(await ask()).toBe(1);
    state.nowMs = 1_000;
    expect(await ask()).toBe(2);
  });

  it("H7 it is made anew when the clock was set back to before it was made", async () => {
    const { ask, state } = counted();
    await ask();
    state.nowMs = -1;
    expect(await ask()).toBe(2);
  });

  it("H7 a failure reaches all who wait, and is not kept", async () => {
    const { ask, state } = counted();
    state.fails = true;
    const outcomes = await Promise.allSettled([ask(), ask()]);
    expect(outcomes.map(({ status }) => status)).toEqual(["rejected", "rejected"]);
    state.fails = false;
    expect(await ask()).toBe(2);
  });
});
