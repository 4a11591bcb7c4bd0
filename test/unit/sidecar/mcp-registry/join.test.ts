import fc from "fast-check";
import { describe, expect, it, vi } from "vitest";
import type { McpAnswer, McpRequest } from "../../../../shared/protocol/mcp.ts";
import { JoinedCalls } from "../../../../sidecar/mcp/join.ts";
import type { Exchange } from "../../../../sidecar/mcp/upstream.ts";

/** A server that answers when it is told to. */
function heldServer() {
  const calls: Array<PromiseWithResolvers<McpAnswer> & { request: McpRequest; exchange: Exchange }> = [];
  const send = (request: McpRequest, exchange: Exchange): Promise<McpAnswer> => {
    const call = { ...Promise.withResolvers<McpAnswer>(), request, exchange };
    exchange.signal.addEventListener("abort", () => call.reject(exchange.signal.reason));
    calls.push(call);
    return call.promise;
  };
  return { calls, send };
}

const REQUEST: McpRequest = { method: "tools/call", params: { name: "read" } };
const ANSWER: McpAnswer = { result: { content: [] } };

const asking = (client: string, more: Partial<Exchange> = {}): Exchange => ({
  client,
  signal: new AbortController().signal,
  ...more,
});

const withToken = (progressToken: string): McpRequest => ({
  ...REQUEST,
  params: { ...REQUEST.params, _meta: { progressToken } },
});

describe("joined calls", () => {
  it("T3 sends equal calls of one client once, and answers each of them", async () => {
    const { calls, send } = heldServer();
    const joined = new JoinedCalls();
    const answers = Promise.all([1, 2, 3].map(() => joined.exchange(send, REQUEST, asking("a"), "k")));
    expect(calls).toHaveLength(1);
    calls[0]?.resolve(ANSWER);
    expect((await answers).map(({ isJoined }) => isJoined)).toEqual([false, true, true]);
    expect((await answers).map(({ answer }) => answer)).toEqual([ANSWER, ANSWER, ANSWER]);
    expect(joined.size).toBe(0);
  });

  it("T3 never joins calls of two clients, nor of two keys", async () => {
    const { calls, send } = heldServer();
    const joined = new JoinedCalls();
    const keys = [
      ["a", "b"],
      ["b", "a"],
      ['a","b', ""],
      ["a", 'b","'],
    ] as const;
    const answers = keys.map(([client, key]) => joined.exchange(send, REQUEST, asking(client), key));
    expect(calls).toHaveLength(keys.length);
    for (const { resolve } of calls) resolve(ANSWER);
    for (const { isJoined } of await Promise.all(answers)) expect(isJoined).toBe(false);
  });

  it("T3 shares an error", async () => {
    const { calls, send } = heldServer();
    const joined = new JoinedCalls();
    const answers = [1, 2].map(() => joined.exchange(send, REQUEST, asking("a"), "k"));
    calls[0]?.reject(new Error("lost"));
    for (const { status } of await Promise.allSettled(answers)) expect(status).toBe("rejected");
    expect(joined.size).toBe(0);
  });

  it("T3 lets one go without the others, and ends the call when the last one went", async () => {
    const { calls, send } = heldServer();
    const joined = new JoinedCalls();
    const [first, second] = [new AbortController(), new AbortController()];
    const answers = [first, second].map(({ signal }) =>
      joined.exchange(send, REQUEST, asking("a", { signal }), "k").catch((error: unknown) => error),
    );
    first.abort("first");
    expect(await answers[0]).toBe("first");
    expect(calls[0]?.exchange.signal.aborted).toBe(false);
    second.abort("second");
    expect(await answers[1]).toBe("second");
    expect(calls[0]?.exchange.signal.aborted).toBe(true);
    void joined.exchange(send, REQUEST, asking("a"), "k");
    expect(calls).toHaveLength(2);
  });

  it("T3 brings progress to those who asked, by their own tokens, and log lines to all", async () => {
    const { calls, send } = heldServer();
    const joined = new JoinedCalls();
    const heard = [vi.fn(), vi.fn(), vi.fn()] as const;
    const requests = [REQUEST, withToken("mine"), withToken("other")];
    const answers = requests.map((request, index) =>
      joined.exchange(send, request, asking("a", { onNotification: heard[index] ?? vi.fn() }), "k"),
    );
    const { request, exchange } = calls[0] ?? expect.fail("nothing was sent");
    expect(request.params._meta).toEqual({ progressToken: "shared" });
    const params = { progressToken: "shared", progress: 1 };
    exchange.onNotification?.({ method: "notifications/progress", params });
    const line = { method: "notifications/message", params: { data: "x" } };
    exchange.onNotification?.(line);
    const progress = (token: string) => ({
      method: "notifications/progress",
      params: { progressToken: token, progress: 1 },
    });
    expect(heard.map((fn) => fn.mock.calls.flat())).toEqual([
      [line],
      [progress("mine"), line],
      [progress("other"), line],
    ]);
    calls[0]?.resolve(ANSWER);
    await Promise.all(answers);
  });

  it("T3 asks the first who is still there, and gives a question to go on with to one alone", async () => {
    const { calls, send } = heldServer();
    const joined = new JoinedCalls();
    const gone = new AbortController();
    const onRequest = vi.fn(async () => ANSWER);
    const left = joined.exchange(send, REQUEST, asking("a", { signal: gone.signal, onRequest }), "k");
    const answers = [1, 2].map(() => joined.exchange(send, REQUEST, asking("a", { onRequest }), "k"));
    gone.abort("gone");
    await expect(left).rejects.toBe("gone");
    await calls[0]?.exchange.onRequest?.({ method: "roots/list", params: {} }, gone.signal);
    expect(onRequest).toHaveBeenCalledOnce();
    const question = { result: { resultType: "input_required", requestState: "s" } };
    calls[0]?.resolve(question);
    await vi.waitFor(() => expect(calls).toHaveLength(2));
    calls[1]?.resolve(ANSWER);
    expect((await Promise.all(answers)).map(({ answer }) => answer)).toEqual([question, ANSWER]);
  });

  it("T3 asks the next one when who was asked leaves without an answer, and the server hears of it", async () => {
    const { calls, send } = heldServer();
    const joined = new JoinedCalls();
    const gone = new AbortController();
    const silent = (_: McpRequest, signal: AbortSignal) =>
      new Promise<never>((_, reject) => signal.addEventListener("abort", () => reject(signal.reason)));
    const first = asking("a", { signal: gone.signal, onRequest: silent });
    const left = joined.exchange(send, REQUEST, first, "k");
    const stays = joined.exchange(send, REQUEST, asking("a", { onRequest: async () => ANSWER }), "k");
    const { exchange, resolve } = calls[0] ?? expect.fail("nothing was sent");
    const answer = exchange.onRequest?.({ method: "roots/list", params: {} }, new AbortController().signal);
    gone.abort("gone");
    await expect(left).rejects.toBe("gone");
    expect(await answer).toBe(ANSWER);
    resolve(ANSWER);
    expect((await stays).answer).toBe(ANSWER);
  });

  it("T3 sends calls by themselves where too many could be joined", async () => {
    const { calls, send } = heldServer();
    const joined = new JoinedCalls(1);
    for (const key of ["k", "l", "l"]) void joined.exchange(send, REQUEST, asking("a"), key);
    expect(calls).toHaveLength(3);
    expect(joined.size).toBe(1);
  });

  it("T3 ends every call once, whatever comes in which order, and keeps nothing", async () => {
    const step = fc.record({
      kind: fc.constantFrom("ask", "leave", "answer", "fail"),
      client: fc.constantFrom("a", "b"),
      key: fc.constantFrom("k", "l"),
      which: fc.nat(20),
    });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 40 }), async (steps) => {
        const { calls, send } = heldServer();
        const joined = new JoinedCalls();
        const asked: Array<{ client: string; leave: AbortController; end: Promise<string> }> = [];
        for (const { kind, client, key, which } of steps) {
          if (kind === "ask") {
            const leave = new AbortController();
            const request = { method: "tools/call", params: { client, key } };
            const end = joined.exchange(send, request, asking(client, { signal: leave.signal }), key).then(
              ({ answer }) => JSON.stringify(answer),
              (error: unknown) => String(error),
            );
            asked.push({ client, leave, end });
          }
          const call = calls[which % Math.max(1, calls.length)];
          if (kind === "leave") asked[which % Math.max(1, asked.length)]?.leave.abort("left");
          if (kind === "answer") call?.resolve({ result: { for: call.request.params.client } });
          if (kind === "fail") call?.reject("failed");
          await Promise.resolve();
        }
        for (const { resolve, request } of calls) resolve({ result: { for: request.params.client } });
        for (const { client, end } of asked) {
          expect(["left", "failed", JSON.stringify({ result: { for: client } })]).toContain(await end);
        }
        expect(joined.size).toBe(0);
      }),
    );
  });
});
