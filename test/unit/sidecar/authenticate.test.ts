import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { type MacKey, signRequest } from "../../../shared/auth/signature.ts";
import { asHivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { authenticate, type Signed } from "../../../sidecar/http/authenticate.ts";
import { macKey, sha256 } from "../../../sidecar/http/keys.ts";

const KEY = macKey("k1", Buffer.alloc(32, 1));
const NEXT_KEY = macKey("k2", Buffer.alloc(32, 2));
const STRANGERS_KEY = macKey("k1", Buffer.alloc(32, 3));
const NOW_MS = 1_800_000_000_000;

/** An app that takes down what it was let do. */
function guarded() {
  let nowMs = NOW_MS;
  const done: string[] = [];
  const warned: { reason?: unknown; sinceStart?: unknown }[] = [];
  const { middleware, refusals } = authenticate({
    keys: new Map([KEY, NEXT_KEY].map((key) => [key.kid, key])),
    hive: "default",
    now: () => nowMs,
    log: { warn: (entry: object) => warned.push(entry) },
  });
  const app = new Hono<Signed>();
  app.use(middleware);
  app.all("/do", (c) => {
    done.push(new TextDecoder().decode(c.get("body")));
    return c.text("done");
  });
  app.onError((thrown, c) => {
    const error = asHivegateError(thrown);
    return c.json(error.toBody(), error.httpStatus);
  });
  return {
    done,
    refusals,
    warned,
    wait: (ms: number) => {
      nowMs += ms;
    },
    send: (request: Request) => Promise.resolve(app.fetch(request)),
  };
}

type Options = {
  key?: MacKey;
  nonce?: string;
  nowMs?: number;
  lifeMs?: number;
  hive?: string;
  url?: string;
  method?: string;
  sent?: string | ReadableStream<Uint8Array>;
};

let nonces = 0;

/** A signed request. `sent` is the body that really goes out. */
async function request(body: string, options: Options = {}): Promise<Request> {
  const { method = "POST", url = "http://sidecar/do" } = options;
  const headers = await signRequest(
    { method, url, hive: options.hive ?? "default", body: new TextEncoder().encode(body) },
    {
      key: options.key ?? KEY,
      sha256,
      nowMs: options.nowMs ?? NOW_MS,
      lifeMs: options.lifeMs ?? 30_000,
      nonce: options.nonce ?? `nonce-of-the-test-${nonces++}`,
    },
  );
  return new Request("http://sidecar/do", {
    method: "POST",
    headers,
    body: options.sent ?? body,
    ...(typeof options.sent === "object" && { duplex: "half" }),
  });
}

describe("authenticate", () => {
  it("S8 lets a signed request in, with its body, under any of the keys", async () => {
    const { send, done } = guarded();
    expect((await send(await request("one"))).status).toBe(200);
    expect((await send(await request("two", { key: NEXT_KEY }))).status).toBe(200);
    expect(done).toEqual(["one", "two"]);
  });

  it.each<[string, Options]>([
    ["wrong_signature", { key: STRANGERS_KEY }],
    ["unknown_key", { key: macKey("k9", Buffer.alloc(32, 1)) }],
    ["body_changed", { sent: "changed" }],
    ["wrong_signature", { url: "http://sidecar/other" }],
    ["wrong_signature", { url: "http://sidecar/do?and=more" }],
    ["wrong_signature", { method: "GET" }],
    ["expired", { nowMs: NOW_MS - 31_000 }],
    ["not_yet_valid", { nowMs: NOW_MS + LIMITS.clockSkewMs + 2_000 }],
    ["lives_too_long", { lifeMs: LIMITS.signatureLifeMs + 1_000 }],
    ["malformed", { nonce: "short" }],
  ])("S8 refuses as %s what was signed otherwise: %o; nothing is done", async (reason, options) => {
    const { send, done, refusals } = guarded();
    const answer = await send(await request("one", options));
    expect(answer.status).toBe(401);
    expect(await answer.json()).toEqual({
      code: "unauthorized",
      message: "The request's signature is not accepted.",
      retryable: false,
    });
    expect(refusals).toMatchObject({ [reason]: 1 });
    expect(done).toEqual([]);
  });

  it("S8 refuses what is not signed at all", async () => {
    const { send, refusals } = guarded();
    expect((await send(new Request("http://sidecar/do", { method: "POST", body: "one" }))).status).toBe(401);
    expect(refusals.missing).toBe(1);
  });

  it("H9 S8 takes a nonce once, for as long as its signature lives, and says that the request came before", async () => {
    const { send, done, refusals, wait } = guarded();
    const again = await request("one", { nonce: "n".repeat(16), lifeMs: 58_000 });
    expect((await send(again.clone())).status).toBe(200);
    expect((await send(again.clone())).status).toBe(504);
    wait(57_000);
    expect(await (await send(again.clone())).json()).toMatchObject({ code: "timeout", retryable: true });
    expect(refusals.replayed).toBe(2);
    wait(10_000);
    expect((await send(again)).status).toBe(401);
    expect(refusals.expired).toBe(1);
    expect(done).toEqual(["one"]);
  });

  it("S8 does not use a nonce up for a request that it refuses", async () => {
    const { send } = guarded();
    const nonce = "n".repeat(16);
    expect((await send(await request("one", { nonce, key: STRANGERS_KEY }))).status).toBe(401);
    expect((await send(await request("one", { nonce }))).status).toBe(200);
  });

  it("S8 tells only the holder of a key that it serves another hive", async () => {
    const { send, done, refusals } = guarded();
    const answer = await send(await request("one", { hive: "other" }));
    expect([answer.status, await answer.json()]).toMatchObject([404, { code: "unknown_hive" }]);
    const stranger = await send(await request("one", { hive: "other", key: STRANGERS_KEY }));
    expect(stranger.status).toBe(401);
    expect(refusals.unknown_hive).toBe(1);
    expect(done).toEqual([]);
  });

  it("S6 stops reading a body at its limit, whatever length it declares or hides", async () => {
    const { send, done, refusals } = guarded();
    let pulled = 0;
    const endless = new ReadableStream<Uint8Array>({
      pull(controller) {
        pulled++;
        controller.enqueue(new Uint8Array(64 * 1024));
      },
    });
    expect((await send(await request("", { sent: endless }))).status).toBe(413);
    expect(pulled * 64 * 1024).toBeLessThan(2 * LIMITS.requestBodyBytes);

    const declared = await request("one");
    declared.headers.set("content-length", String(LIMITS.requestBodyBytes + 1));
    expect((await send(declared)).status).toBe(413);
    expect(refusals.body_too_large).toBe(2);
    expect(done).toEqual([]);
  });

  it("H9 S8 tells the gateway, and nobody else, to send what it signed before the start again", async () => {
    const { send, done, refusals } = guarded();
    const nowMs = NOW_MS - 2_000;
    const late = await send(await request("under way", { nowMs }));
    expect(late.status).toBe(503);
    expect(await late.json()).toMatchObject({ code: "shutting_down", retryable: true });
    expect((await send(await request("a guess", { nowMs, key: STRANGERS_KEY }))).status).toBe(401);
    expect(refusals).toMatchObject({ before_start: 1, wrong_signature: 1 });
    expect(done).toEqual([]);
  });

  it("S6 reads nothing of a body before it knows that the gateway sent it", async () => {
    const { send, refusals } = guarded();
    for (const options of [{ key: STRANGERS_KEY }, { nonce: "a-nonce-used-before" }, { hive: "other" }]) {
      const unread = await request("one", options);
      if ("nonce" in options) await send(await request("two", options));
      await send(unread);
      expect(unread.bodyUsed).toBe(false);
    }
    expect(refusals).toMatchObject({ wrong_signature: 1, replayed: 1, unknown_hive: 1 });
  });

  it("S8 T8 logs why a request is refused, once a minute for each reason", async () => {
    const { send, warned, wait } = guarded();
    const skewed = async () => send(await request("one", { nowMs: NOW_MS - 60_000 }));
    await skewed();
    await skewed();
    await send(await request("one", { key: STRANGERS_KEY }));
    expect(warned).toEqual([
      { reason: "expired", sinceStart: 1 },
      { reason: "wrong_signature", sinceStart: 1 },
    ]);
    wait(60_000);
    await skewed();
    expect(warned.slice(2)).toEqual([{ reason: "expired", sinceStart: 3 }]);
  });

  it("S8 takes the largest body allowed", async () => {
    const { send, done } = guarded();
    const largest = "x".repeat(LIMITS.requestBodyBytes);
    expect((await send(await request(largest))).status).toBe(200);
    expect(done).toEqual([largest]);
  });
});
