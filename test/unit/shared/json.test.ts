import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { isTooDeep, parseJson } from "../../../shared/wire/json.ts";

const arrays = (levels: number) => `${"[".repeat(levels)}${"]".repeat(levels)}`;
const objects = (levels: number) => `${'{"a":'.repeat(levels)}1${"}".repeat(levels)}`;

describe("JSON from outside", () => {
  it.each([arrays, objects])("S6 is taken up to the limit of its levels, and not beyond", (nested) => {
    expect(JSON.stringify(parseJson(nested(LIMITS.jsonDepth)))).toBe(nested(LIMITS.jsonDepth));
    expect(() => parseJson(nested(LIMITS.jsonDepth + 1))).toThrow(SyntaxError);
    // Far more than a recursion could follow.
    expect(() => parseJson(nested(200_000))).toThrow("nested deeper");
  });

  it("S6 may have any number of brackets side by side, and in text", () => {
    const value = { list: Array.from({ length: 2_000 }, () => [{}]), text: arrays(10_000) };
    expect(parseJson(JSON.stringify(value))).toEqual(value);
    expect(isTooDeep(value)).toBe(false);
  });

  it("S6 that is none is a SyntaxError", () => {
    expect(() => parseJson("{")).toThrow(SyntaxError);
  });
});
