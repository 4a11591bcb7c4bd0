import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { idKey, isAnswer, isRequest, paramOf, scanRpc } from "../../../shared/relay/json-rpc.ts";
import { findValue, replaced } from "../../../shared/relay/json-scan.ts";

const json = fc.jsonValue({ maxDepth: 4 });
const spaces = fc.constantFrom(0, 1, 2);

describe("finding a JSON-RPC message's id in its text", () => {
  it("R3 finds method and id of whatever JSON the rest is, and replaces nothing else", () => {
    const id = fc.oneof(fc.string(), fc.integer(), fc.constant(null));
    fc.assert(
      fc.property(json, id, fc.string(), spaces, fc.boolean(), (params, id, method, indent, first) => {
        const rest = { params, "a\\b\u0000": { id: 7, method: "inner" } };
        const message = first
          ? { id, jsonrpc: "2.0", method, ...rest }
          : { ...rest, jsonrpc: "2.0", method, id };
        const text = JSON.stringify(message, null, indent);
        const part = scanRpc(text)?.parts[0];
        expect(part).toMatchObject({ method, id: JSON.stringify(id), start: 0, end: text.length });
        if (!part?.idAt) throw new Error("no id");
        const changed = replaced(text, [{ ...part.idAt, by: '"ours"' }]);
        expect(JSON.parse(changed)).toEqual(JSON.parse(JSON.stringify({ ...message, id: "ours" })));
        const found = scanRpc(changed)?.parts[0]?.idAt;
        if (!found) throw new Error("no id");
        expect(replaced(changed, [{ ...found, by: JSON.stringify(id) }])).toBe(text);
      }),
    );
  });

  it("R3 keeps the digits of numbers, and ids that JSON.parse would change", () => {
    const text = '{"jsonrpc":"2.0", "id": 12345678901234567890 ,"result":1.00}';
    const part = scanRpc(text)?.parts[0];
    expect(part?.id).toBe("12345678901234567890");
    if (!part?.idAt) throw new Error("no id");
    expect(replaced(text, [{ ...part.idAt, by: "0" }])).toBe('{"jsonrpc":"2.0", "id": 0 ,"result":1.00}');
  });

  it("R3 tells requests, notifications, answers and batches apart", () => {
    const kinds = (text: string) => scanRpc(text)?.parts.map((part) => [isRequest(part), isAnswer(part)]);
    expect(kinds('{"jsonrpc":"2.0","id":null,"method":"m"}')).toEqual([[true, false]]);
    expect(kinds('{"jsonrpc":"2.0","method":"m"}')).toEqual([[false, false]]);
    expect(kinds('{"jsonrpc":"2.0","id":"x","error":{}}')).toEqual([[false, true]]);
    const batch = ' [{"jsonrpc":"2.0","id":1,"method":"a"}, {"jsonrpc":"2.0","method":"b"}] ';
    expect(kinds(batch)).toEqual([
      [true, false],
      [false, false],
    ]);
    const scanned = scanRpc(batch);
    expect(scanned?.isBatch).toBe(true);
    expect(scanned?.parts.map(({ start, end }) => batch.slice(start, end))).toEqual([
      '{"jsonrpc":"2.0","id":1,"method":"a"}',
      '{"jsonrpc":"2.0","method":"b"}',
    ]);
  });

  it("R3 finds an id whose name is written with escapes", () => {
    expect(scanRpc('{"jsonrpc":"2.0","\\u0069d":3,"method":"m"}')?.parts[0]?.id).toBe("3");
  });

  it.each([
    ["two ids", '{"jsonrpc":"2.0","id":1,"id":2,"method":"m"}'],
    ["an id in two spellings", '{"jsonrpc":"2.0","id":1,"\\u0069d":2,"method":"m"}'],
    ["an id that is an object", '{"jsonrpc":"2.0","id":{},"method":"m"}'],
    ["a method that is a number", '{"jsonrpc":"2.0","id":1,"method":1}'],
    ["an answer without outcome", '{"jsonrpc":"2.0","id":1}'],
    ["both a method and a result", '{"jsonrpc":"2.0","id":1,"method":"m","result":1}'],
    ["two params", '{"jsonrpc":"2.0","id":1,"method":"m","params":{},"params":[]}'],
    ["two names", '{"jsonrpc":"2.0","id":1,"method":"tools/call","params":{"name":"a","\\u006eame":"b"}}'],
    ["two tokens", '{"jsonrpc":"2.0","method":"m","params":{"_meta":{"progressToken":1,"progressToken":2}}}'],
    ["two versions", '{"jsonrpc":"2.0","jsonrpc":"2.0","method":"m"}'],
    ["a result twice", '{"jsonrpc":"2.0","id":1,"result":1,"result":2}'],
    ["another version", '{"jsonrpc":"1.0","id":1,"method":"m"}'],
    ["something behind it", '{"jsonrpc":"2.0","id":1,"method":"m"} {}'],
    ["an empty batch", "[]"],
    ["a batch with something else in it", '[{"jsonrpc":"2.0","id":1,"method":"m"},1]'],
    ["a text that breaks off", '{"jsonrpc":"2.0","id":1,"method":"m","params":{"a":"'],
    ["plain text", "hello"],
    ["nothing", ""],
  ])("R3 takes %s for no JSON-RPC", (_, text) => {
    expect(scanRpc(text)).toBeNull();
  });

  it("R3 knows an id again that is written another way, and no other", () => {
    const same = [
      ['"a/1"', '"\\u0061\\/1"'],
      ["1", "1.0"],
      ["-0", "0"],
      ["100", "1e2"],
    ] as const;
    for (const [one, other] of same) expect(idKey(one)).toBe(idKey(other));
    const ids = [
      "1",
      '"1"',
      "null",
      '"null"',
      "1.5",
      "12345678901234567890",
      "12345678901234567891",
      '"\\x"',
    ];
    expect(new Set(ids.map(idKey)).size).toBe(ids.length);
  });

  it("R3 agrees with JSON.parse on where a parameter stands", () => {
    fc.assert(
      fc.property(json, json, spaces, (value, other, indent) => {
        const text = JSON.stringify(
          { jsonrpc: "2.0", other, method: "m", params: { other, _meta: { progressToken: value } } },
          null,
          indent,
        );
        const part = scanRpc(text)?.parts[0];
        const span = part && paramOf(text, part, "_meta", "progressToken");
        if (!span) throw new Error("not found");
        expect(JSON.parse(text.slice(span.start, span.end))).toEqual(JSON.parse(JSON.stringify(value)));
      }),
    );
  });

  it("R3 ends, whatever the text", () => {
    fc.assert(
      fc.property(fc.stringMatching(/^[[\]{}",:\\ 0-9a-z]*$/), (text) => {
        for (const one of [text, `{"jsonrpc":"2.0",${text}`, `[${text}]`]) {
          const parts = scanRpc(one)?.parts ?? [];
          for (const { start, end } of parts) expect(end).toBeGreaterThan(start);
        }
        expect(findValue(text, 0, ["a"])).toSatisfy((span) => span === null || span.end <= text.length);
      }),
    );
  });
});
