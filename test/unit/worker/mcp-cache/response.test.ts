import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import { hitResponse, missResponse } from "../../../../worker/mcp/cache-response.ts";
import { aCall, cacheWorld } from "./setup.ts";

const BODY = '{"jsonrpc":"2.0","id":7,"result":{"content":[{"type":"text","text":"é"}]}}';

const answered = (body: string, headers: Record<string, string> = {}, status = 200): Response => {
  const length = String(new TextEncoder().encode(body).length);
  const all = { "content-type": "application/json", "content-length": length, "hivegate-registry": "1" };
  return new Response(body, { status, headers: { ...all, ...headers } });
};

describe("an HTTP answer and the cache", () => {
  it("T3 is kept on its way, word for word, and given again with the asker's id and its age", async () => {
    const { clock, hit, miss } = cacheWorld();
    const passed = await missResponse(await miss(aCall()), answered(BODY, { "mcp-session-id": "s" }));
    expect(await passed.text()).toBe(BODY);
    expect(passed.headers.get("hivegate-cache")).toBe("miss");
    expect(passed.headers.get("mcp-session-id")).toBe("s");
    clock.advance(2_900);
    const found = await hit(aCall());
    if (!found) throw new Error("it was not kept");
    const response = hitResponse(found, '"x"');
    expect(await response.text()).toBe(BODY.replace('"id":7', '"id":"x"'));
    expect(response.headers.get("hivegate-cache")).toBe("hit; age=2");
    expect(response.headers.get("age")).toBe("2");
    expect(response.headers.get("content-type")).toBe("application/json");
  });

  it("T3 says that it was shared with an equal call", async () => {
    const { cache, miss } = cacheWorld();
    const passed = await missResponse(await miss(aCall()), answered(BODY, { "hivegate-joined": "1" }));
    expect(passed.headers.get("hivegate-cache")).toBe("joined");
    expect(cache.report("default", () => true)).toMatchObject({ joined: 1, misses: 1, kept: 1 });
  });

  it.each<[string, Response]>([
    ["an error", answered('{"jsonrpc":"2.0","id":7,"error":{"code":-32602,"message":"no"}}')],
    ["a failure of the tool", answered('{"jsonrpc":"2.0","id":7,"result":{"isError":true}}')],
    ["a refusal", answered('{"code":"timeout"}', {}, 504)],
    ["what came after progress", answered(`data: ${BODY}\n\n`, { "content-type": "text/event-stream" })],
    ["what is too long", answered(BODY, { "content-length": String(LIMITS.cachedAnswerBytes + 1) })],
    ["what other tools may have answered", answered(BODY, { "hivegate-registry": "2" })],
    ["what is no answer", answered("[1]")],
  ])("T3 passes on %s and keeps it not", async (_, response) => {
    const { find, miss } = cacheWorld();
    const expected = await response.clone().text();
    const passed = await missResponse(await miss(aCall()), response);
    expect(passed.status).toBe(response.status);
    expect(await passed.text()).toBe(expected);
    expect(await find(aCall())).toMatchObject({ kind: "miss" });
  });
});
