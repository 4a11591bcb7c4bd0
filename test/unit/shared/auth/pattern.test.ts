import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { anyOf, patternOf } from "../../../../shared/auth/pattern.ts";

/** Few letters, so that patterns fit by chance. */
const text = fc.string({ unit: fc.constantFrom("a", "b", "_", ".", "A"), maxLength: 8 });
const pattern = fc.string({ unit: fc.constantFrom("a", "b", "_", ".", "A", "*"), maxLength: 8 });

/** The same by the simplest means: each `*` tries all lengths. */
function fitsSlowly(name: string, wanted: string): boolean {
  if (wanted === "") return name === "";
  if (wanted[0] !== "*") return name[0] === wanted[0] && fitsSlowly(name.slice(1), wanted.slice(1));
  return Array.from({ length: name.length + 1 }, (_, at) => at).some((at) =>
    fitsSlowly(name.slice(at), wanted.slice(1)),
  );
}

describe("patterns over names", () => {
  it.each([
    ["demo__look", "demo__look", true],
    ["demo__look", "demo__loo", false],
    ["demo__*", "demo__", true],
    ["demo__*", "demo__look", true],
    ["demo__*", "Demo__look", false],
    ["demo__*", "demo_", false],
    ["*__look", "a__b__look", true],
    ["a*a", "a", false],
    ["a*a", "aa", true],
    ["a*b*a", "aba", true],
    ["a*ba*a", "aba", false],
    ["", "", true],
    ["", "a", false],
    ["*", "", true],
    ["**", "a", true],
    ["d.mo__*", "demo__look", false],
    ["(a+)+$", "aaaa", false],
  ])("T6 %j fits %j: %j", (wanted, name, fits) => {
    expect(patternOf(wanted).fits(name)).toBe(fits);
  });

  it("T6 mean what the simplest reading of them means", () => {
    fc.assert(
      fc.property(pattern, text, (wanted, name) => {
        expect(patternOf(wanted).fits(name)).toBe(fitsSlowly(name, wanted));
      }),
    );
  });

  it("T6 that are made of a name by leaving parts out fit it", () => {
    fc.assert(
      fc.property(fc.array(fc.tuple(text, text), { maxLength: 5 }), (parts) => {
        const name = parts.flat().join("");
        expect(patternOf(parts.map(([kept]) => `${kept}*`).join("")).fits(name) || parts.length === 0).toBe(
          true,
        );
      }),
    );
  });

  it("T6 fit something under a prefix exactly where a name with that prefix fits", () => {
    fc.assert(
      fc.property(pattern, text, text, (wanted, prefix, rest) => {
        const { fits, fitsSomethingUnder } = patternOf(wanted);
        const [head = "", ...others] = wanted.split("*");
        // Of the names that could fit the one with the least in place of the stars.
        const longer = prefix.startsWith(head) && others.length > 0 ? prefix : head;
        const least = longer + others.join("");
        expect(fitsSomethingUnder(prefix)).toBe(least.startsWith(prefix) && fits(least));
        if (fits(prefix + rest)) expect(fitsSomethingUnder(prefix)).toBe(true);
      }),
    );
  });

  it("T6 do not try all places for a name that is made to fit almost", () => {
    // By trying it would not end before the test's time is over.
    expect(patternOf(`${"a*".repeat(90)}b`).fits("a".repeat(1_000))).toBe(false);
  });

  it("T6 of which one fits are enough", () => {
    expect(anyOf(["a", "b*"]).fits("bc")).toBe(true);
    expect(anyOf([]).fits("")).toBe(false);
    expect(anyOf([]).fitsSomethingUnder("")).toBe(false);
  });
});
