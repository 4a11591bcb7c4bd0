import { describe, expect, it } from "vitest";
import { RUNS, runShare } from "./many.ts";

describe("after any sequence of faults", () => {
  it("Q2 S1 S5 S6 S8 every client's picture equals the sidecar's, filtered (odd seeds)", async () => {
    expect(await runShare(1, 2)).toBe(RUNS / 2);
  });
});
