import { describe, expect, it } from "vitest";
import { RUNS, runSeed, runShare } from "./many.ts";
import { PINNED_SEEDS } from "./pinned-seeds.ts";
import { simulate } from "./simulate.ts";

describe("after any sequence of faults", () => {
  it.each(PINNED_SEEDS)("Q2 never again (seed $seed): $fault", ({ seed }) => runSeed(seed));

  it("Q2 can be seen again: a seed is one world and no other", async () => {
    const lines = async (seed: number) => {
      const told: string[] = [];
      await simulate(seed, (line) => told.push(line));
      return told;
    };
    const first = await lines(1);
    expect(first.length).toBeGreaterThan(50);
    expect(await lines(1)).toEqual(first);
    expect(await lines(2)).not.toEqual(first);
  });

  it("Q2 S1 S5 S6 S8 every client's picture equals the sidecar's, filtered (even seeds)", async () => {
    expect(await runShare(0, 2)).toBe(RUNS / 2);
  });
});
