import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { canonicalJson } from "../../../shared/wire/canonical-json.ts";

/** The same value, with the keys of every object in another order. */
function shuffled(value: unknown, turn: number): unknown {
  if (Array.isArray(value)) return value.map((item) => shuffled(item, turn));
  if (typeof value !== "object" || value === null) return value;
  const fields = Object.entries(value).map(([key, item]): [string, unknown] => [key, shuffled(item, turn)]);
  const at = turn % Math.max(fields.length, 1);
  return Object.fromEntries([...fields.slice(at), ...fields.slice(0, at)].reverse());
}

describe("the canonical text of a JSON value", () => {
  it("T3 T7 is one for equal values, whatever the order of their keys", () => {
    fc.assert(
      fc.property(fc.jsonValue(), fc.nat(7), (value, turn) => {
        expect(canonicalJson(shuffled(value, turn))).toBe(canonicalJson(value));
      }),
    );
  });

  it("T3 T7 is the value itself, so that two values never share one", () => {
    fc.assert(
      fc.property(fc.jsonValue(), (value) => {
        const sent: unknown = JSON.parse(JSON.stringify(value));
        expect(JSON.parse(canonicalJson(value))).toEqual(sent);
      }),
    );
  });

  it.each([
    ['{"b":1,"a":[1,{"d":2,"c":3}]}', '{"a":[1,{"c":3,"d":2}],"b":1}'],
    ["[-0, 1.0, 1e2, 1e400]", "[0,1,100,null]"],
    ['{"__proto__":1,"10":2,"9":3,"é":4,"e\\u0301":5}', '{"9":3,"10":2,"__proto__":1,"é":5,"é":4}'],
    ['"\\ud800"', '"\\ud800"'],
    ['{"a":"1"}', '{"a":"1"}'],
    ['{"a":1}', '{"a":1}'],
  ])("T3 of %s is %s", (json, canonical) => {
    expect(canonicalJson(JSON.parse(json)).normalize()).toBe(canonical.normalize());
  });

  it("T7 holds nothing that is undefined", () => {
    expect(canonicalJson({ b: [{ d: 1, c: 2 }], a: undefined, e: { f: undefined } })).toBe(
      '{"b":[{"c":2,"d":1}],"e":{}}',
    );
  });
});
