import { describe, expect, it } from "vitest";
import { type Check, score, sortOut, worseBehind } from "../../conformance/outcome.ts";

const check = (id: string, status: Check["status"]): Check => ({ id, status });
const outcome = (...checks: Check[]) => new Map([["scenario", checks]]);

describe("What is worse behind the gateway", () => {
  it("T1 finds a check that passes alone and fails behind", () => {
    const worse = worseBehind(outcome(check("a", "SUCCESS")), outcome(check("a", "FAILURE")));
    expect(worse).toEqual([
      { scenario: "scenario", check: "a", alone: "SUCCESS", behind: "FAILURE", message: "" },
    ]);
  });

  it("T1 finds a check, and a whole scenario, that is not made behind", () => {
    const alone = outcome(check("a", "SUCCESS"));
    expect(worseBehind(alone, outcome()).map(({ behind }) => behind)).toEqual(["absent"]);
    expect(worseBehind(alone, new Map()).map(({ behind }) => behind)).toEqual(["absent"]);
  });

  it("T1 finds a check that is only warned of or skipped behind", () => {
    for (const status of ["WARNING", "SKIPPED"] as const)
      expect(worseBehind(outcome(check("a", "SUCCESS")), outcome(check("a", status)))).toHaveLength(1);
  });

  it("T1 takes the worst of a check that is made several times", () => {
    const alone = outcome(check("a", "SUCCESS"), check("a", "SUCCESS"));
    expect(worseBehind(alone, outcome(check("a", "SUCCESS"), check("a", "FAILURE")))).toHaveLength(1);
    expect(worseBehind(outcome(check("a", "SUCCESS"), check("a", "FAILURE")), outcome())).toEqual([]);
  });

  it("T1 does not mind what fails alone, what only informs, and what is better behind", () => {
    const alone = outcome(
      check("a", "FAILURE"),
      check("b", "INFO"),
      check("c", "WARNING"),
      check("d", "SUCCESS"),
    );
    const behind = outcome(check("a", "FAILURE"), check("c", "SUCCESS"), check("d", "INFO"));
    expect(worseBehind(alone, behind)).toEqual([]);
  });

  it("T1 parts what was expected from what was not, and finds what is listed in vain", () => {
    const worse = worseBehind(
      outcome(check("a", "SUCCESS"), check("b", "SUCCESS")),
      outcome(check("a", "FAILURE"), check("b", "FAILURE")),
    );
    const listed = (id: string) => ({
      revision: "r",
      scenario: "scenario",
      check: id,
      reason: "because of this and that",
    });
    const sorted = sortOut(worse, [listed("b"), listed("c")]);
    expect(sorted.unexpected.map((one) => one.check)).toEqual(["a"]);
    expect(sorted.expected.map((one) => one.check)).toEqual(["b"]);
    expect(sorted.stale.map((one) => one.check)).toEqual(["c"]);
  });

  it("T1 counts the scenarios in which nothing fails", () => {
    const ran = new Map([
      ["good", [check("a", "SUCCESS"), check("b", "WARNING")]],
      ["bad", [check("a", "SUCCESS"), check("b", "FAILURE")]],
    ]);
    expect(score(ran)).toEqual({ passed: 1, of: 2 });
  });
});
