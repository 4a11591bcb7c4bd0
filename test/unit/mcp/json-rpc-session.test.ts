import { SUBSCRIPTION_ID_META_KEY } from "@modelcontextprotocol/client";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { JsonRpcSession, type Notification } from "../../../sidecar/mcp/json-rpc-session.ts";
import type { Exchange } from "../../../sidecar/mcp/upstream.ts";

type Ask = { method?: string; progressToken?: unknown };

function session() {
  let made = 0;
  const clock = { nowMs: 0 };
  const session = new JsonRpcSession(
    () => `id-${++made}`,
    () => clock.nowMs,
  );
  const outcomes: unknown[] = [];
  const ask = (method: string) =>
    session.ask(
      {},
      { method, exchange: null, resolve: (a) => outcomes.push(a), reject: (e) => outcomes.push(e) },
    );
  /** A call of a client, and what it hears before its answer. */
  const call = (client: string, { method = "tools/call", progressToken }: Ask = {}) => {
    const heard: Notification[] = [];
    const exchange: Exchange = {
      client,
      signal: new AbortController().signal,
      onNotification: (notification) => void heard.push(notification),
    };
    const asker = { method, exchange, progressToken, resolve: () => {}, reject: () => {} };
    return { asker, heard, id: session.ask({}, asker).id };
  };
  return { session, clock, outcomes, ask, call };
}

const answer = (id: unknown, rest: object) => ({ jsonrpc: "2.0", id, ...rest });
const notification = (method: string, params: object) => ({ jsonrpc: "2.0", method, params });

describe("the asking end of JSON-RPC", () => {
  it("H9 a request is JSON-RPC with its own id", () => {
    const { ask } = session();
    expect(ask("tools/list")).toEqual({ jsonrpc: "2.0", id: "id-1", method: "tools/list", params: {} });
    expect(ask("ping").id).toBe("id-2");
  });

  it("H9 answers find their askers in any order, and a second one nobody", () => {
    const { session: s, ask, outcomes } = session();
    ask("first");
    ask("second");
    expect(s.receive(answer("id-2", { result: { n: 2 } }))).toEqual({ kind: "handled" });
    s.receive(answer("id-1", { result: { n: 1 } }));
    expect(s.receive(answer("id-1", { result: { n: 3 } }))).toEqual({ kind: "ignored" });
    expect(outcomes).toEqual([{ result: { n: 2 } }, { result: { n: 1 } }]);
  });

  it("H9 answers to others, late ones and those without an id are counted and ignored", () => {
    const { session: s, ask, outcomes } = session();
    const { id } = ask("slow");
    s.forget(id);
    for (const stranger of ["id-1", "id-9", 7, null]) {
      expect(s.receive(answer(stranger, { result: {} }))).toEqual({ kind: "ignored" });
    }
    s.receive({ jsonrpc: "2.0", error: { code: -32600, message: "about a notification" } });
    expect(outcomes).toEqual([]);
    expect(s.unknownIds).toBe(5);
  });

  it.each([
    undefined,
    [1, 2],
    "text",
    { jsonrpc: "2.0", id: {} },
    { method: 7, jsonrpc: "2.0" },
    { method: "m", jsonrpc: "2.0", params: [] },
    { method: "m" },
  ])("H9 the message %j is counted and ignored", (message) => {
    const { session: s, ask, outcomes } = session();
    ask("ping");
    expect(s.receive(message)).toEqual({ kind: "ignored" });
    expect(s.strangeLines).toBe(1);
    expect(outcomes).toEqual([]);
  });

  it("S6 a question with an id too long to be given back is counted and ignored", () => {
    const { session: s } = session();
    const asked = (idChars: number) =>
      s.receive({ jsonrpc: "2.0", id: "i".repeat(idChars), method: "ping" }).kind;
    expect([asked(100), asked(101), s.strangeLines]).toEqual(["question", "ignored", 1]);
  });

  it("T8 an error is passed on word for word", () => {
    const { session: s, ask, outcomes } = session();
    ask("tools/call");
    const error = { code: -32601, message: "Tool not found: x", data: { tool: "x" } };
    s.receive(answer("id-1", { error }));
    expect(outcomes).toEqual([{ error }]);
  });

  it.each([
    { id: "id-1", error: "broken" },
    { jsonrpc: "2.0", id: "id-1" },
    { jsonrpc: "2.0", id: "id-1", result: 7 },
  ])("T8 the answer %j fails its asker rather than leave it waiting", (message) => {
    const { session: s, ask, outcomes } = session();
    ask("tools/call");
    s.receive(message);
    expect(outcomes).toMatchObject([{ code: "mcp_failed" }]);
  });

  it("H9 a bare error is a refusal of the connection", () => {
    const { session: s } = session();
    expect(s.receive({ error: "Connection limit reached" })).toEqual({
      kind: "refused",
      reason: "Connection limit reached",
    });
  });

  it("H9 an error in a log line that went astray refuses nothing", () => {
    const { session: s } = session();
    expect(s.receive({ level: "error", error: "cache miss" })).toEqual({ kind: "ignored" });
  });

  it("S3 notifications are told apart from answers", () => {
    const { session: s } = session();
    const said = { method: "notifications/agents/changed", params: { swarmId: "a" } };
    expect(s.receive({ jsonrpc: "2.0", ...said })).toEqual({ kind: "notification", notification: said });
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

describe("whatever a server says", () => {
  const ids = fc.constantFrom("id-1", "id-2", "id-3", "id-9", 1, null, undefined);
  const token = fc.record({ progressToken: ids, progress: fc.nat() });
  const said = fc.oneof(
    ids.map((id) => ({ jsonrpc: "2.0", id, result: { to: id } })),
    fc.record({
      jsonrpc: fc.constant("2.0"),
      id: ids,
      error: fc.record({ code: fc.integer(), message: fc.string() }),
    }),
    fc.record({ jsonrpc: fc.constant("2.0"), method: fc.constant("notifications/progress"), params: token }),
    fc.record({ jsonrpc: fc.constant("2.0"), method: fc.constant("notifications/message"), params: token }),
    fc.jsonValue(),
  );

  it("Q2 each call ends once, with its own answer, and hears of its own progress alone", () => {
    fc.assert(
      fc.property(
        fc.array(said, { maxLength: 60 }),
        fc.array(fc.nat(2), { maxLength: 60 }),
        (messages, clients) => {
          let made = 0;
          const session = new JsonRpcSession(
            () => `id-${++made}`,
            () => 0,
          );
          const calls = ["a", "b", "a"].map((client, n) => {
            const ends: unknown[] = [];
            const heard: Notification[] = [];
            const { signal } = new AbortController();
            const exchange: Exchange = { client, signal, onNotification: (one) => void heard.push(one) };
            const end = (outcome: unknown) => void ends.push(outcome);
            const asker = {
              method: "tools/call",
              exchange,
              progressToken: `own-${n}`,
              resolve: end,
              reject: end,
            };
            return { id: session.ask({}, asker).id, ends, heard };
          });
          for (const [at, message] of messages.entries()) {
            const stream = clients[at] === undefined ? undefined : `id-${clients[at] + 1}`;
            session.receive(message, stream);
          }
          const lost = new Error("lost");
          session.failAll(lost);
          for (const [n, { id, ends, heard }] of calls.entries()) {
            expect(ends).toHaveLength(1);
            const answers = messages.filter((one) => isAnswerTo(one, id));
            if (answers.length === 0) expect(ends).toEqual([lost]);
            if (isResult(ends[0])) expect(ends[0]).toEqual({ result: { to: id } });
            for (const { method, params } of heard)
              if (method === "notifications/progress") expect(params.progressToken).toBe(`own-${n}`);
          }
        },
      ),
    );
  });
});

const isResult = (outcome: unknown): boolean =>
  typeof outcome === "object" && outcome !== null && "result" in outcome;

/** Whether it ends the call, be it with an answer that cannot be read. */
const isAnswerTo = (message: unknown, id: string): boolean =>
  typeof message === "object" && message !== null && "id" in message && message.id === id;

describe("what a server says in the course of a call", () => {
  it("T5 progress goes to the one whose it is, under the name that it gave it", () => {
    const { session: s, call } = session();
    const mine = call("a", { progressToken: 7 });
    const other = call("b", { progressToken: 7 });
    s.receive(notification("notifications/progress", { progressToken: mine.id, progress: 1 }));
    // A token of nobody's is told to nobody.
    s.receive(notification("notifications/progress", { progressToken: 7, progress: 2 }));
    expect(mine.heard).toEqual([
      { method: "notifications/progress", params: { progressToken: 7, progress: 1 } },
    ]);
    expect(other.heard).toEqual([]);
  });

  it("S8 a log line goes to the only client with calls under way, and to nobody where there are two", () => {
    const { session: s, call } = session();
    const log = notification("notifications/message", { level: "info", data: "x" });
    expect(s.receive(log).kind).toBe("notification");
    const first = call("a");
    const second = call("a");
    // Who only looks is not meant.
    const list = call("b", { method: "tools/list" });
    expect(s.receive(log).kind).toBe("handled");
    expect([first.heard.length, second.heard.length, list.heard.length]).toEqual([0, 1, 0]);
    const other = call("b");
    expect(s.receive(log).kind).toBe("handled");
    expect([second.heard.length, other.heard.length, s.unclearLogs]).toEqual([1, 0, 1]);
  });

  it("S8 what is said of a call that was given up is for nobody, until the server knows", () => {
    const { session: s, call } = session();
    const log = notification("notifications/message", { data: "x" });
    const left = call("a");
    s.giveUp(left.id);
    const other = call("b");
    s.receive(log);
    expect(other.heard).toEqual([]);
    s.cancelled(left.id);
    s.receive(log);
    expect(other.heard).toHaveLength(1);
    // That it says so is no sign that it went on; a result is, and from then on it is believed to.
    s.receive(answer(left.id, { error: { code: 0, message: "cancelled" } }));
    s.receive(log);
    expect(other.heard).toHaveLength(2);
    const [first, second] = [call("a"), call("a")];
    for (const { id } of [first, second]) {
      s.giveUp(id);
      s.cancelled(id);
    }
    s.receive(answer(first.id, { result: {} }));
    s.receive(log);
    expect(other.heard).toHaveLength(2);
    s.receive(answer(second.id, { result: {} }));
    s.receive(log);
    expect(other.heard).toHaveLength(3);
  });

  it("S8 what is said of a call that was given up is for nobody, until its answer or for a while", () => {
    const { session: s, clock, call } = session();
    const log = notification("notifications/message", { level: "info", data: "a's" });
    const whose = () => {
      const received = s.receive({ jsonrpc: "2.0", id: 1, method: "elicitation/create", params: {} });
      return received.kind === "question" ? received.question.whose : received.kind;
    };
    const left = call("a");
    s.giveUp(left.id);
    // Not for everybody, though nobody has a call under way.
    expect(s.receive(log).kind).toBe("handled");
    const other = call("b");
    expect([s.receive(log).kind, other.heard.length, whose()]).toEqual(["handled", 0, "unclear"]);
    // A client may hear of its own.
    const own = call("a");
    s.receive(answer(other.id, { result: {} }));
    expect([s.receive(log).kind, own.heard.length, whose()]).toEqual(["handled", 1, own.asker]);
    s.receive(answer(own.id, { result: {} }));
    // The late answer ends it.
    s.receive(answer(left.id, { result: {} }));
    const next = call("b");
    expect(whose()).toBe(next.asker);
    s.giveUp(next.id);
    clock.nowMs += LIMITS.mcpGivenUpMs;
    expect(whose()).toBe("nobody");
  });

  it("S6 of calls that were given up a bounded number is known", () => {
    const { session: s, call } = session();
    s.giveUp(call("a").id);
    for (let n = 0; n < LIMITS.mcpGivenUpCalls; n++) s.giveUp(call("b").id);
    const mine = call("b");
    s.receive(notification("notifications/message", { data: "b's" }));
    expect(mine.heard).toHaveLength(1);
  });

  it("S8 while Hivegate calls a tool for itself, a log line may be about that, and is for nobody", () => {
    const { session: s, ask, call } = session();
    const log = notification("notifications/message", { data: "a task's text" });
    ask("tools/call");
    expect(s.receive(log).kind).toBe("handled");
    const mine = call("a");
    expect([s.receive(log).kind, mine.heard.length]).toEqual(["handled", 0]);
  });

  it("S8 what comes by the stream of a call that is over is for nobody", () => {
    const { session: s, call } = session();
    const mine = call("a");
    s.receive(answer(mine.id, { result: {} }), mine.id);
    const other = call("b");
    for (const method of ["notifications/message", "notifications/custom"])
      expect(s.receive(notification(method, { data: "a's" }), mine.id).kind).not.toBe("notification");
    expect([mine.heard, other.heard]).toEqual([[], []]);
  });

  it("T5 where each answer has a stream of its own, that tells whose a log line is", () => {
    const { session: s, call } = session();
    const mine = call("a");
    const other = call("b");
    s.receive(notification("notifications/message", { data: "x" }), mine.id);
    s.receive(notification("notifications/custom", { data: "y" }), mine.id);
    expect([mine.heard.length, other.heard.length]).toEqual([2, 0]);
    expect(s.receive(notification("notifications/tools/list_changed", {}), mine.id).kind).toBe(
      "notification",
    );
  });

  it("T1 a question is for the only client with calls under way; between two it is not guessed", () => {
    const { session: s, call } = session();
    const ask = (stream?: string) =>
      s.receive({ jsonrpc: "2.0", id: 1, method: "sampling/createMessage", params: {} }, stream);
    const whose = (stream?: string) => {
      const received = ask(stream);
      return received.kind === "question" ? received.question.whose : received.kind;
    };
    expect(whose()).toBe("nobody");
    const mine = call("a");
    expect(whose()).toBe(mine.asker);
    const other = call("b");
    expect(whose()).toBe("unclear");
    expect(whose(other.id)).toBe(other.asker);
  });

  it("T1 what is said of a subscription is for its subscriber, without our name for it", () => {
    const { session: s, call, ask } = session();
    const mine = call("a", { method: "subscriptions/listen" });
    const own = ask("subscriptions/listen");
    const changed = (id: string) =>
      notification("notifications/tools/list_changed", { _meta: { [SUBSCRIPTION_ID_META_KEY]: id } });
    expect(s.receive(changed(mine.id)).kind).toBe("handled");
    const said = { method: "notifications/tools/list_changed", params: {} };
    expect(mine.heard).toEqual([said]);
    expect(s.receive(changed(own.id))).toEqual({ kind: "notification", notification: said });
    expect(s.receive(changed("id-9")).kind).toBe("ignored");
  });
});
