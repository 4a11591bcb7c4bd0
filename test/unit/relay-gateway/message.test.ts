import * as fc from "fast-check";
import { describe, expect, it } from "vitest";
import { isUrgent, pick, readFromOrchestrator, readRpc, sameId } from "../../../worker/relay/message.ts";

const text = JSON.stringify;

describe("what is for the orchestrator", () => {
  it("R3 is JSON-RPC, one message or several, and nothing else", () => {
    const ping = { jsonrpc: "2.0", id: 1, method: "ping" };
    expect(readRpc(text(ping))).toEqual([{ id: "1", name: "ping" }]);
    expect(readRpc(text([ping, { ...ping, id: "1" }]))).toMatchObject([{ id: "1" }, { id: '"1"' }]);
    const others = [
      { type: "ping" },
      { ...ping, jsonrpc: "1.0" },
      { ...ping, id: {} },
      [],
      [ping, 1],
      1,
      "jsonrpc",
    ];
    expect(others.map((other) => readRpc(text(other)))).toEqual(others.map(() => null));
    expect(readRpc('{"jsonrpc":"2.0"')).toBeNull();
  });

  it("R3 repeats an id as it was written, though JavaScript could not hold it", () => {
    const id = "12345678901234567890";
    expect(readRpc(`{"jsonrpc":"2.0","id":${id},"method":"m"}`)).toMatchObject([{ id }]);
    expect(readFromOrchestrator(`{"jsonrpc":"2.0","id":${id},"result":1}`)).toMatchObject([{ id }]);
  });

  it("R5 names a message for its role: by method, tool, or as an answer", () => {
    const call = { jsonrpc: "2.0", id: 1, method: "tools/call" };
    const names = (...all: object[]) => all.flatMap((each) => readRpc(text(each))?.map(({ name }) => name));
    expect(names(call, { ...call, params: { name: "t" } }, { ...call, params: { name: 1 } })).toEqual([
      ...["tools/call", "tools/call:t", "tools/call"],
    ]);
    expect(
      names({ jsonrpc: "2.0", id: 1, result: {} }, { jsonrpc: "2.0", method: "notifications/x" }),
    ).toEqual([...["response", "notifications/x"]]);
  });

  it("R4 hurries cancellations, pings and answers, but no call: what it stops may wait before it", () => {
    const urgent = ["notifications/cancelled", "$/cancelRequest", "ping", "response"];
    expect(urgent.filter((name) => !isUrgent(name))).toEqual([]);
    expect(["tools/call:swarm_stop", "tools/list", "hive/cancel", "toString"].filter(isUrgent)).toEqual([]);
  });

  it("R4 sees which request a cancellation takes back", () => {
    const cancel = (method: string, params: object) => readRpc(text({ jsonrpc: "2.0", method, params }));
    expect(cancel("notifications/cancelled", { requestId: 5 })).toMatchObject([{ cancels: "5" }]);
    expect(cancel("$/cancelRequest", { id: "é" })).toMatchObject([{ cancels: '"é"' }]);
    const large = '{"jsonrpc":"2.0","method":"$/cancelRequest","params":{"id":12345678901234567890}}';
    expect(readRpc(large)).toMatchObject([{ cancels: "12345678901234567890" }]);
    for (const other of [cancel("notifications/cancelled", {}), cancel("constructor", { id: 1 })])
      expect(other?.[0]).not.toHaveProperty("cancels");
  });

  it("R5 is nothing that others might read otherwise: a member that is there twice", () => {
    const call = (rest: string) => readRpc(`{"jsonrpc":"2.0","id":1,"method":"tools/call",${rest}}`);
    expect(call('"params":{"name":"a"}')).toMatchObject([{ name: "tools/call:a" }]);
    const twofold = ['"params":{"name":"a","name":"b"}', '"params":{},"params":{}', '"method":"m"', '"id":2'];
    expect(twofold.map(call)).toEqual(twofold.map(() => null));
  });

  it("R3 knows an id however it is written", () => {
    expect(readRpc('{"jsonrpc":"2.0","id":"\\u00e9","method":"m"}')).toMatchObject([{ id: '"é"' }]);
    expect([sameId('"\\u00e9"'), sameId("1"), sameId('"1"')]).toEqual(['"é"', "1", '"1"']);
  });
});

describe("what the orchestrator says", () => {
  it("R3 knows an answer's id by its beginning as by reading it all", () => {
    const id = fc.oneof(fc.integer(), fc.double(), fc.string(), fc.constant(null));
    fc.assert(
      fc.property(id, fc.jsonValue(), fc.constantFrom("result", "error"), (given, content, member) => {
        const usual = text({ jsonrpc: "2.0", id: given, [member]: content });
        const unusual = text({ [member]: content, id: given, jsonrpc: "2.0" });
        expect(readFromOrchestrator(usual)).toEqual([{ id: text(given), name: "response" }]);
        expect(readFromOrchestrator(unusual)).toEqual(readFromOrchestrator(usual));
      }),
    );
  });

  it("R5 calls what is no JSON-RPC by its type, if it has one", () => {
    const names = (said: string) => readFromOrchestrator(said).map(({ name }) => name);
    expect(names('{"type":"log"}')).toEqual(["log"]);
    expect([names("hello"), names("7"), names('{"type":7}')]).toEqual([[""], [""], [""]]);
    const batch = text([
      { jsonrpc: "2.0", id: 1, result: 1 },
      { jsonrpc: "2.0", method: "m" },
    ]);
    expect(names(batch)).toEqual(["response", "m"]);
    expect(pick(batch, (i) => i === 0)).toBe('[{"jsonrpc":"2.0","id":1,"result":1}]');
  });
});
