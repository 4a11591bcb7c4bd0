import { describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import type { McpAnswer } from "../../../shared/protocol/mcp.ts";
import type { Asker } from "../../../sidecar/mcp/json-rpc-session.ts";
import { ServerQuestions } from "../../../sidecar/mcp/server-questions.ts";
import type { Exchange } from "../../../sidecar/mcp/upstream.ts";

function setUp(onRequest?: Exchange["onRequest"]) {
  const sent: unknown[] = [];
  const questions = new ServerQuestions((answer) => void sent.push(answer));
  const { signal } = new AbortController();
  const exchange: Exchange = { client: "a", signal, ...(onRequest && { onRequest }) };
  const asker: Asker = { method: "tools/call", exchange, resolve: () => {}, reject: () => {} };
  const ask = (
    id: string | number,
    method = "elicitation/create",
    whose: Asker | "nobody" | "unclear" = asker,
  ) => questions.answer({ id, request: { method, params: { n: id } }, whose });
  return { questions, asker, ask, sent };
}

const settled = () => new Promise((resolve) => setImmediate(resolve));

describe("what a server asks in the course of a call", () => {
  it("T1 is brought to its client, and the answer back, in whatever order they come", async () => {
    const waiting = new Map<unknown, () => void>();
    const { ask, sent } = setUp(
      ({ params }) =>
        new Promise((resolve) => waiting.set(params.n, () => resolve({ result: { n: params.n } }))),
    );
    ask(1);
    ask("two");
    waiting.get("two")?.();
    waiting.get(1)?.();
    await settled();
    expect(sent).toEqual([
      { jsonrpc: "2.0", id: "two", result: { n: "two" } },
      { jsonrpc: "2.0", id: 1, result: { n: 1 } },
    ]);
  });

  it("T1 is known to be open until its answer, from which on it is the server's time again", async () => {
    const client = Promise.withResolvers<McpAnswer>();
    const { questions, asker, ask } = setUp(() => client.promise);
    const progressed = vi.fn();
    asker.progressed = progressed;
    ask(1);
    expect(questions.isOpen(asker)).toBe(true);
    expect(questions.isOpen({ ...asker })).toBe(false);
    expect(progressed).not.toHaveBeenCalled();
    client.resolve({ result: {} });
    await settled();
    expect([questions.isOpen(asker), progressed.mock.calls.length]).toEqual([false, 1]);
  });

  it("S7 a ping needs no client", () => {
    const { ask, sent } = setUp();
    ask(5, "ping", "unclear");
    expect(sent).toEqual([{ jsonrpc: "2.0", id: 5, result: {} }]);
  });

  it("T8 what no client can be asked is answered at once, and says why", () => {
    const { ask, sent } = setUp();
    ask(1);
    ask(2, "roots/list", "nobody");
    ask(3, "roots/list", "unclear");
    expect(sent).toMatchObject([
      { id: 1, error: { code: -32601 } },
      { id: 2, error: { code: -32601 } },
      { id: 3, error: { code: -32009, message: expect.stringContaining("which client is meant") } },
    ]);
  });

  it("S8 what went wrong at a client is not told in our words", async () => {
    const { ask, sent } = setUp(() => Promise.reject(new Error("10.0.0.7 refused")));
    ask(1);
    await settled();
    expect(sent).toMatchObject([{ id: 1, error: { code: -32603 } }]);
    expect(JSON.stringify(sent)).not.toContain("10.0.0.7");
  });

  it("S6 of which the answer cannot be sent is answered with an error, and nothing else happens", async () => {
    const sent: unknown[] = [];
    const questions = new ServerQuestions((answer) => {
      if ("result" in answer) throw new RangeError("too deep to be written");
      sent.push(answer);
    });
    const { asker } = setUp(async () => ({ result: {} }));
    questions.answer({ id: 1, request: { method: "roots/list", params: {} }, whose: asker });
    await settled();
    expect(sent).toMatchObject([{ id: 1, error: { code: -32603 } }]);
    expect(questions.isOpen(asker)).toBe(false);
  });

  it.each<[string, (questions: ServerQuestions, asker: Asker) => void]>([
    ["the server withdraws", (questions) => questions.withdraw(1)],
    ["belongs to a call that is over", (questions, asker) => questions.over(asker)],
    ["belongs to a connection that is over", (questions) => questions.over(null)],
  ])("T5 the client hears of a question that %s, and its answer goes nowhere", async (_what, end) => {
    const heard: AbortSignal[] = [];
    const { questions, asker, ask, sent } = setUp((_request, signal) => {
      heard.push(signal);
      return new Promise((resolve) => signal.addEventListener("abort", () => resolve({ result: {} })));
    });
    ask(1);
    questions.withdraw("another");
    expect(heard[0]?.aborted).toBe(false);
    end(questions, asker);
    expect(heard[0]?.aborted).toBe(true);
    await settled();
    expect(sent).toEqual([]);
  });

  it("S6 more questions than the limit are refused, and there is room again when they end", async () => {
    const { questions, ask, sent } = setUp(() => new Promise(() => {}));
    for (let n = 0; n < LIMITS.mcpServerQuestions; n++) ask(n);
    ask("above");
    expect(sent).toMatchObject([{ id: "above", error: { code: -32012 } }]);
    questions.withdraw(0);
    ask("below");
    expect(sent).toHaveLength(1);
  });
});
