import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../../../worker/mcp/canonical.ts";

const DEPTH = 64;

/** The same value, with the keys of every object in another order. */
function shuffled(value: unknown, turn: number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, turn));
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(([key, item]): [string, unknown] => [key, shuffled(item, turn)]);
  const at = turn % Math.max(fields.length, 1);
  return Object.fromEntries([...fields.slice(at), ...fields.slice(0, at)].reverse());
}

describe("the canonical text of a JSON value", () => {
  it("T3 is one for equal values, whatever the order of their keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(7), (value, turn) => {
        expect(canonicalJson(shuffled(value, turn), DEPTH)).toBe(canonicalJson(value, DEPTH));
      }),
    );
  });

  it("T3 is the value itself, so that two values never share one", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const sent: unknown = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(canonicalJson(value, DEPTH) ?? "")).toEqual(sent);
      }),
    );
  });

  it.each([
    ['{"b":1,"a":[1,{"d":2,"c":3}]}', '{"a":[1,{"c":3,"d":2}],"b":1}'],
    ["[-0, 1.0, 1e2, 1e400]", "[0,1,100,null]"],
    ['{"__proto__":1,"10":2,"9":3,"é":4,"e\\u0301":5}', '{"10":2,"9":3,"__proto__":1,"é":5,"é":4}'],
    ['"\\ud800"', '"\\ud800"'],
    ['{"a":"1"}', '{"a":"1"}'],
    ['{"a":1}', '{"a":1}'],
  ])("T3 of %s is %s", (json, canonical) => {
    expect(canonicalJson(JSON.parse(json), DEPTH)?.normalize()).toBe(canonical.normalize());
  });

  it("T3 is not made of what is nested too deep", () => {
    const nested = (depth: number): unknown => JSON.parse("[".repeat(depth) + "]".repeat(depth));
    expect(canonicalJson(nested(3), 3)).toBe("[[[]]]");
    expect(canonicalJson(nested(4), 3)).toBeNull();
    expect(canonicalJson({ a: { b: { c: {} } } }, 3)).toBeNull();
    expect(canonicalJson(nested(5_000), DEPTH)).toBeNull();
  });
});
