import { randomUUID } from "node:crypto";
import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { type RpcClient, RpcExchange } from "../../../sidecar/relay/rpc-exchange.ts";
import { ManualClock } from "../../support/manual-clock.ts";

class FakeClient implements RpcClient {
  readonly got: string[] = [];
  readonly refused: [id: string | null, code: string][] = [];

  deliver(text: string): void {
    this.got.push(text);
  }

  refuse(id: string | null, { code }: HivegateError): void {
    this.refused.push([id, code]);
  }
}

function start() {
  const clock = new ManualClock();
  const clients: FakeClient[] = [];
  const said: string[] = [];
  const toAll: string[] = [];
  const counts = { greeted: 0, answered: 0, unclaimed: 0 };
  const exchange = new RpcExchange<FakeClient>({
    prefix: "ours-",
    clock,
    nowMs: () => 0,
    reply: (text) => said.push(text),
    toAll: (text) => toAll.push(text),
    newestClient: () => clients.at(-1) ?? null,
    greeted: (next) => {
      counts.greeted++;
      said.push(next);
    },
    answered: () => counts.answered++,
    unclaimed: () => counts.unclaimed++,
  });
  const join = () => {
    const client = new FakeClient();
    clients.push(client);
    return client;
  };
  /** What goes out for this message, which has to be one. */
  const out = (client: FakeClient, message: object) => {
    const texts = exchange.outgoing(client, JSON.stringify({ jsonrpc: "2.0", ...message }))?.texts ?? [];
    if (texts.length !== 1) throw new Error(`${texts.length} messages go out`);
    return JSON.parse(texts[0] ?? "");
  };
  const hear = (message: object) => exchange.incoming(JSON.stringify({ jsonrpc: "2.0", ...message }));
  return { clock, exchange, join, out, hear, said, toAll, counts };
}

describe("JSON-RPC of many clients over one connection", () => {
  it("R3 gives every answer to its asker, whatever the ids and the order of the answers", () => {
    const id = fc.constantFrom<unknown>(1, "1", 1.5, null, "", 'quo"te\\', 2 ** 53);
    const ask = fc.record({ client: fc.nat(4), id });
    fc.assert(
      fc.property(
        fc.array(ask, { maxLength: 60, size: "max" }),
        fc.infiniteStream(fc.nat()),
        (asks, random) => {
          const { exchange, join, out, hear, counts } = start();
          const clients = Array.from({ length: 5 }, join);
          const waiting = asks.map((one, n) => {
            const client = clients[one.client] ?? join();
            return { ...one, n, client, sent: out(client, { id: one.id, method: "m", params: { n } }) };
          });
          expect(new Set(waiting.map(({ sent }) => sent.id)).size).toBe(asks.length);
          const expected = new Map<FakeClient, unknown[]>(clients.map((client) => [client, []]));
          while (waiting.length > 0) {
            const [one] = waiting.splice((random.next().value ?? 0) % waiting.length, 1);
            if (!one) break;
            expect(one.sent.params).toEqual({ n: one.n });
            hear({ id: one.sent.id, result: one.n });
            expected.get(one.client)?.push({ jsonrpc: "2.0", id: one.id, result: one.n });
          }
          for (const [client, answers] of expected)
            expect(client.got.map((text) => JSON.parse(text))).toEqual(answers);
          expect([exchange.pending, counts.unclaimed]).toEqual([0, 0]);
        },
      ),
    );
  });

  it("R3 gives an answer to nobody twice, and to nobody who has left", () => {
    const { exchange, join, out, hear, counts } = start();
    const [a, b] = [join(), join()];
    const [toA, toB] = [out(a, { id: 1, method: "m" }), out(b, { id: 1, method: "m" })];
    exchange.forget(b);
    for (const { id } of [toA, toA, toB]) hear({ id, result: 0 });
    hear({ id: "never given", result: 0 });
    expect([a.got.length, b.got.length, counts.unclaimed]).toEqual([1, 0, 3]);
  });

  it("R3 sends a batch as single messages, and answers it as one when the last answer is there", () => {
    const { exchange, join, hear } = start();
    const client = join();
    const rpc = { jsonrpc: "2.0", method: "m" };
    const outgoing = exchange.outgoing(client, JSON.stringify([{ ...rpc, id: 1 }, rpc, { ...rpc, id: "1" }]));
    const [first, note, second] = outgoing?.texts.map((text) => JSON.parse(text)) ?? [];
    expect(note).toEqual(rpc);
    hear({ id: second.id, result: "second" });
    expect(client.got).toEqual([]);
    hear({ id: first.id, error: { code: 1, message: "first" } });
    expect(client.got).toEqual([
      '[{"jsonrpc":"2.0","id":"1","result":"second"},{"jsonrpc":"2.0","id":1,"error":{"code":1,"message":"first"}}]',
    ]);
  });

  it("S6 gathers no more of a batch's answers than one message may hold", () => {
    const { exchange, join, hear } = start();
    const client = join();
    const batch = [1, 2].map((id) => ({ jsonrpc: "2.0", id, method: "m" }));
    const outgoing = exchange.outgoing(client, JSON.stringify(batch));
    const result = "x".repeat(LIMITS.relayMessageBytes * 0.6);
    for (const text of outgoing?.texts ?? []) hear({ id: JSON.parse(text).id, result });
    expect(JSON.parse(client.got[0] ?? "")).toEqual([
      { jsonrpc: "2.0", id: 1, result },
      { jsonrpc: "2.0", id: 2, error: expect.objectContaining({ data: { code: "overloaded" } }) },
    ]);
  });

  it("R4 answers what is lost by an error for each request, in a batch as part of its answer", () => {
    const { exchange, join, out, hear } = start();
    const client = join();
    out(client, { id: "alone", method: "m" });
    const batch = [1, 2].map((id) => ({ jsonrpc: "2.0", id, method: "m" }));
    const outgoing = exchange.outgoing(client, JSON.stringify(batch));
    hear({ id: JSON.parse(outgoing?.texts[0] ?? "").id, result: "in time" });
    exchange.lost();
    expect(client.refused).toEqual([['"alone"', "swarm_unavailable"]]);
    expect(JSON.parse(client.got[0] ?? "")).toMatchObject([
      { id: 1, result: "in time" },
      { id: 2, error: { code: -32010, data: { code: "swarm_unavailable" } } },
    ]);
    expect(exchange.pending).toBe(0);
  });

  it.each([
    ["notifications/cancelled", "requestId"],
    ["$/cancelRequest", "id"],
  ])("R3 names the request that a client cancels by %s as the orchestrator knows it", (method, name) => {
    const { exchange, join, out, hear } = start();
    const [a, b] = [join(), join()];
    const asked = [a, b].map((client) => out(client, { id: 7, method: "m" }));
    const cancel = { method, params: { [name]: 7, reason: "enough" } };
    expect(out(b, cancel).params).toEqual({ [name]: asked[1].id, reason: "enough" });
    hear({ id: asked[1].id, result: 0 });
    expect(exchange.outgoing(b, JSON.stringify({ jsonrpc: "2.0", ...cancel }))?.texts).toEqual([]);
  });

  it("R3 tells the progress of a request to its asker alone, by the asker's own token", () => {
    const { join, out, hear, toAll } = start();
    const [a, b] = [join(), join()];
    const params = { _meta: { progressToken: 0 }, x: 1 };
    const [toA] = [a, b].map((client) => out(client, { method: "m", params, id: 0 }));
    expect(toA.params).toEqual({ _meta: { progressToken: toA.id }, x: 1 });
    hear({ method: "notifications/progress", params: { progress: 1, progressToken: toA.id } });
    expect(a.got.map((text) => JSON.parse(text).params)).toEqual([{ progress: 1, progressToken: 0 }]);
    hear({ method: "notifications/progress", params: { progress: 1, progressToken: "of another" } });
    expect([b.got.length, toAll.length]).toEqual([0, 1]);
  });

  it("R5 tells the progress of a request to nobody when its asker has left, or was answered", () => {
    const { exchange, join, out, hear, toAll, counts } = start();
    const [a, b] = [join(), join()];
    const asked = [a, b].map((client) =>
      out(client, { id: 1, method: "m", params: { _meta: { progressToken: 7 } } }),
    );
    exchange.forget(a);
    hear({ id: asked[1].id, result: 0 });
    for (const { id } of asked)
      hear({ method: "notifications/progress", params: { progressToken: id, message: "a secret" } });
    expect([a.got.length, b.got.length, toAll.length, counts.unclaimed]).toEqual([0, 1, 0, 2]);
  });

  it("R5 tells nobody what can be read in two ways and names somebody's request", () => {
    const { exchange, join, out, toAll, counts } = start();
    const { id } = out(join(), { id: 1, method: "m" });
    for (const twice of ['"id":"x"', '"result":"a secret"'])
      exchange.incoming(`{"jsonrpc":"2.0","id":"${id}","result":"a secret",${twice}}`);
    expect([toAll, counts.unclaimed]).toEqual([[], 2]);
  });

  it.each(["progress\\u0054oken", "\\u0070rogressToken"])(
    "R5 finds a token for progress that is called %s",
    (name) => {
      const { exchange, join } = start();
      const text = `{"jsonrpc":"2.0","id":1,"method":"m","params":{"_meta":{"${name}":7}}}`;
      const [sent] = exchange.outgoing(join(), text)?.texts ?? [];
      const { id, params } = JSON.parse(sent ?? "");
      expect(params).toEqual({ _meta: { progressToken: id } });
    },
  );

  it("R3 asks the client that asked last, takes the answer of no other, and answers itself when it leaves", () => {
    const { exchange, join, out, hear, said } = start();
    const [a, b] = [join(), join()];
    out(a, { id: 1, method: "m" });
    hear({ id: "question", method: "sampling/createMessage" });
    expect([a.got.length, b.got.length]).toEqual([1, 0]);
    const ours = JSON.parse(a.got[0] ?? "").id;
    const answer = `{"jsonrpc":"2.0","id":"\\u006f${ours.slice(1)}","result":1}`;
    expect(exchange.outgoing(b, answer)?.texts).toEqual([]);
    expect(b.refused).toEqual([[null, "invalid_request"]]);
    expect(exchange.outgoing(a, answer)?.texts).toEqual(['{"jsonrpc":"2.0","id":"question","result":1}']);
    expect(exchange.outgoing(a, answer)?.texts).toEqual([]);
    hear({ id: "next", method: "sampling/createMessage" });
    exchange.forget(a);
    expect(said.map((text) => JSON.parse(text))).toMatchObject([{ id: "next", error: { code: -32010 } }]);
  });

  it("R3 takes a late answer for no other question, were the orchestrator's id the same", () => {
    const { exchange, join, hear } = start();
    const client = join();
    hear({ id: 0, method: "elicitation/create", params: { message: "Show the list?" } });
    exchange.lost();
    hear({ id: 0, method: "elicitation/create", params: { message: "Delete the database?" } });
    const [first, second] = client.got.map((text) => JSON.parse(text).id);
    const answer = (id: string) => JSON.stringify({ jsonrpc: "2.0", id, result: { action: "accept" } });
    expect(exchange.outgoing(client, answer(first))?.texts).toEqual([]);
    expect(exchange.outgoing(client, answer(second))?.texts).toEqual([
      '{"jsonrpc":"2.0","id":0,"result":{"action":"accept"}}',
    ]);
  });

  it("R3 tells the client that was asked, and no other, that the orchestrator takes its question back", () => {
    const { exchange, join, out, hear, toAll } = start();
    const [a, b] = [join(), join()];
    out(a, { id: 1, method: "m" });
    hear({ id: 7, method: "elicitation/create" });
    const { id } = JSON.parse(a.got[0] ?? "");
    const takeBack = { method: "notifications/cancelled", params: { requestId: 7, reason: "late" } };
    hear(takeBack);
    hear(takeBack);
    expect(a.got.slice(1).map((text) => JSON.parse(text).params)).toEqual([
      { requestId: id, reason: "late" },
    ]);
    expect([b.got, toAll]).toEqual([[], []]);
    expect(exchange.outgoing(a, JSON.stringify({ jsonrpc: "2.0", id, result: 0 }))?.texts).toEqual([]);
  });

  it("S6 asks a client only so much at once, and answers itself what is not answered in time", () => {
    const { clock, exchange, join, out, hear, said } = start();
    const [mute, other] = [join(), join()];
    out(mute, { id: 1, method: "m" });
    for (let id = 0; id <= 64; id++) hear({ id, method: "ping" });
    expect(mute.got).toHaveLength(64);
    expect(said.map((text) => JSON.parse(text))).toMatchObject([{ id: 64, error: { code: -32012 } }]);
    clock.advance(5 * 60_000);
    out(other, { id: 1, method: "m" });
    hear({ id: "of another", method: "ping" });
    expect(other.got).toHaveLength(1);
    clock.advance(5 * 60_000);
    const late = said.slice(1).map((text) => JSON.parse(text));
    expect(late.map(({ id }) => id)).toEqual(Array.from({ length: 64 }, (_, id) => id));
    expect(late[0].error.data).toEqual({ code: "timeout" });
    exchange.declined(other, JSON.stringify(JSON.parse(other.got[0] ?? "").id));
    expect(JSON.parse(said.at(-1) ?? "")).toMatchObject({ id: "of another", error: { code: -32012 } });
    expect(clock.waiting).toBe(0);
  });

  it("R3 says `initialize` again over a new connection, once it was answered by a result", () => {
    const { exchange, join, out, hear, said, counts } = start();
    const client = join();
    const initialize = { id: 1, method: "initialize", params: { protocolVersion: "2025-11-25" } };
    hear({ id: out(client, initialize).id, error: { code: 1, message: "no" } });
    expect(exchange.greeting()).toBeNull();
    hear({ id: out(client, initialize).id, result: {} });
    exchange.lost();
    const greeting = JSON.parse(exchange.greeting() ?? "");
    expect(greeting).toMatchObject({ method: "initialize", params: initialize.params });
    hear({ id: greeting.id, result: {} });
    expect([counts.greeted, client.got.length, client.refused.length]).toEqual([1, 2, 0]);
    expect(said).toEqual(['{"jsonrpc":"2.0","method":"notifications/initialized"}']);
  });

  it("S6 lets one client have only so many requests waiting, and others as many", () => {
    const { exchange, join, out } = start();
    const [a, b] = [join(), join()];
    for (let id = 0; id < LIMITS.relayPendingRequests; id++) out(a, { id, method: "m" });
    const more = JSON.stringify({ jsonrpc: "2.0", id: "more", method: "m" });
    expect(exchange.outgoing(a, more)?.texts).toEqual([]);
    expect(a.refused).toEqual([['"more"', "overloaded"]]);
    expect(exchange.outgoing(b, more)?.texts).toHaveLength(1);
    exchange.forget(a);
    expect(exchange.outgoing(a, more)?.texts).toHaveLength(1);
  });

  it("S6 keeps of a request that waits no more than what it needs", () => {
    setFlagsFromString("--expose-gc");
    const collect = runInNewContext("gc");
    const { exchange, join } = start();
    const client = join();
    const heldBytes = () => {
      collect();
      const { heapUsed, external } = process.memoryUsage();
      return heapUsed + external;
    };
    const before = heldBytes();
    for (let n = 0; n < 40; n++) {
      const [id, x] = [`"${randomUUID()}"`, "x".repeat(4_000_000)];
      const params = `{"_meta":{"progressToken":${id}},"x":"${x}"}`;
      const bytes = Buffer.from(
        `{"jsonrpc":"2.0","id":${id},"method":"a/method/with/a/long/name","params":${params}}`,
      );
      expect(exchange.outgoing(client, bytes.toString())?.texts).toHaveLength(1);
    }
    expect(heldBytes() - before).toBeLessThan(80_000_000);
    expect(exchange.pending).toBe(40);
  });

  it("S6 keeps no initialize that is very long", () => {
    const { exchange, join } = start();
    const client = join();
    const params = { x: "x".repeat(64 * 1024) };
    const text = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params });
    expect(exchange.outgoing(client, text)).toEqual({
      ...{ texts: [], method: "initialize", outcome: "frame_too_large" },
    });
    expect(client.refused).toEqual([["1", "frame_too_large"]]);
  });

  it("R5 names all methods of a batch for the audit", () => {
    const { exchange, join } = start();
    const batch = ["ping", "tools/call", "ping"].map((method, id) => ({ jsonrpc: "2.0", id, method }));
    expect(exchange.outgoing(join(), JSON.stringify(batch))?.method).toBe("ping, tools/call");
  });

  it("R1 passes on what is no JSON-RPC to all, and takes none from clients", () => {
    const { exchange, join, toAll } = start();
    for (const text of ["hello", "[1]", '{"jsonrpc":"2.0"}']) {
      exchange.incoming(text);
      expect(exchange.outgoing(join(), text)).toBeNull();
    }
    expect(toAll).toHaveLength(3);
  });
});
