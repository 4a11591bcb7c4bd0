import { describe, expect, it } from "vitest";
import { JsonRpcSession } from "../../../sidecar/mcp/json-rpc-session.ts";

function session() {
  let made = 0;
  const session = new JsonRpcSession(() => `id-${++made}`);
  const outcomes: unknown[] = [];
  const ask = (method: string) =>
    session.ask(method, {}, { resolve: (r) => outcomes.push(r), reject: (e) => outcomes.push(e) });
  return { session, outcomes, ask };
}

const answer = (id: unknown, rest: object) => JSON.stringify({ jsonrpc: "2.0", id, ...rest });

describe("the asking end of JSON-RPC", () => {
  it("H9 a request is one line of JSON-RPC with its own id", () => {
    const { ask } = session();
    expect(JSON.parse(ask("tools/list").line)).toEqual({
      jsonrpc: "2.0",
      id: "id-1",
      method: "tools/list",
      params: {},
    });
    expect(ask("ping").id).toBe("id-2");
  });

  it("H9 answers find their askers in any order", () => {
    const { session: s, ask, outcomes } = session();
    ask("first");
    ask("second");
    expect(s.receive(answer("id-2", { result: "two" }))).toEqual({ kind: "handled" });
    s.receive(answer("id-1", { result: "one" }));
    expect(s.receive(answer("id-1", { result: "again" }))).toEqual({ kind: "ignored" });
    expect(outcomes).toEqual(["two", "one"]);
  });

  it("H9 answers to others, late ones and those without an id are counted and ignored", () => {
    const { session: s, ask, outcomes } = session();
    const { id } = ask("slow");
    s.forget(id);
    for (const stranger of ["id-1", "id-9", 7, null]) {
      expect(s.receive(answer(stranger, { result: {} }))).toEqual({ kind: "ignored" });
    }
    s.receive('{"jsonrpc":"2.0","error":{"code":-32600,"message":"about a notification"}}');
    expect(outcomes).toEqual([]);
    expect(s.unknownIds).toBe(5);
  });

  it.each([
    "🚀 server started",
    "[1,2]",
    '"text"',
    '{"jsonrpc":"2.0","id":{}}',
    '{"method":7,"jsonrpc":"2.0"}',
    "{",
  ])("H9 the line %s is counted and ignored", (line) => {
    const { session: s, ask, outcomes } = session();
    ask("ping");
    expect(s.receive(line)).toEqual({ kind: "ignored" });
    expect(s.strangeLines).toBe(1);
    expect(outcomes).toEqual([]);
  });

  it("S6 a question with an id too long to be given back is counted and ignored", () => {
    const { session: s } = session();
    const asked = (idChars: number) =>
      s.receive(JSON.stringify({ jsonrpc: "2.0", id: "i".repeat(idChars), method: "ping" })).kind;
    expect([asked(100), asked(101), s.strangeLines]).toEqual(["reply", "ignored", 1]);
  });

  it("T8 an error answer is mcp_failed, and what it says stays in the cause", () => {
    const { session: s, ask, outcomes } = session();
    ask("tools/call");
    s.receive(answer("id-1", { error: { code: -32601, message: "Tool not found: x" } }));
    expect(outcomes).toMatchObject([{ code: "mcp_failed", cause: { message: "-32601 Tool not found: x" } }]);
  });

  it("T8 an answer to us in a wrong shape fails its asker rather than leave it waiting", () => {
    const { session: s, ask, outcomes } = session();
    ask("tools/call");
    s.receive('{"id":"id-1","error":"broken"}');
    expect(outcomes).toMatchObject([{ code: "mcp_failed" }]);
  });

  it("H9 a bare error line is a refusal of the connection", () => {
    const { session: s } = session();
    expect(s.receive('{"error":"Connection limit reached"}')).toEqual({
      kind: "refused",
      reason: "Connection limit reached",
    });
  });

  it("S3 notifications are told apart from answers", () => {
    const { session: s } = session();
    expect(
      s.receive('{"jsonrpc":"2.0","method":"notifications/agents/changed","params":{"swarmId":"a"}}'),
    ).toEqual({
      kind: "notification",
      notification: { method: "notifications/agents/changed", params: { swarmId: "a" } },
    });
  });

  it("S7 a server's own ping is answered, anything else it asks is declined", () => {
    const { session: s } = session();
    expect(s.receive('{"jsonrpc":"2.0","id":5,"method":"ping"}')).toEqual({
      kind: "reply",
      line: '{"jsonrpc":"2.0","id":5,"result":{}}',
    });
    expect(s.receive('{"jsonrpc":"2.0","id":6,"method":"roots/list"}')).toMatchObject({
      kind: "reply",
      line: expect.stringContaining("-32601"),
    });
  });

  it("H9 when the connection is lost everybody who waits is told, once", () => {
    const { session: s, ask, outcomes } = session();
    ask("a");
    ask("b");
    const lost = new Error("lost");
    s.failAll(lost);
    s.failAll(lost);
    expect(outcomes).toEqual([lost, lost]);
  });
});
