import { createHash, createHmac } from "node:crypto";
import { describe, expect, it } from "vitest";
import { NonceMemory } from "../../../shared/auth/nonces.ts";
import {
  hasDigest,
  type MacKey,
  type Sha256,
  type SignedHead,
  type SignedParts,
  signRequest,
  verifyHead,
} from "../../../shared/auth/signature.ts";
import { webMacKey, webSha256 } from "../../../worker/web-crypto.ts";

const SECRET = new Uint8Array(32).fill(7);
const NOW_MS = 1_800_000_000_000;
const sha256: Sha256 = (bytes) => createHash("sha256").update(bytes).digest();
const nodeKey = (kid: string, secret = SECRET): MacKey => ({
  kid,
  mac: (text) => createHmac("sha256", secret).update(text).digest(),
});

const REQUEST: SignedParts = {
  method: "POST",
  url: "/v1/tasks?x=1",
  hive: "default",
  body: new TextEncoder().encode('{"task":"count"}'),
};

const sign = (parts = REQUEST, change: Partial<Parameters<typeof signRequest>[1]> = {}) =>
  signRequest(parts, {
    key: nodeKey("k1"),
    sha256,
    nowMs: NOW_MS,
    lifeMs: 30_000,
    nonce: "nonce-0123456789",
    ...change,
  });

const verify = (head: SignedHead, headers: Record<string, string>, nowMs = NOW_MS, sinceMs = 0) =>
  verifyHead(head, (name) => headers[name], {
    keys: new Map([["k1", nodeKey("k1")]]),
    nowMs,
    sinceMs,
  });

describe("signed requests", () => {
  it("S8 accepts what was signed, and says by which key, with which nonce and digest", async () => {
    const headers = await sign();
    expect(await verify(REQUEST, headers)).toEqual({
      ok: true,
      kid: "k1",
      nonce: "nonce-0123456789",
      expiresMs: NOW_MS + 30_000,
      digest: headers["content-digest"],
    });
  });

  it("S8 knows the body that was signed from any other", async () => {
    const { "content-digest": digest } = await sign();
    expect(await hasDigest(REQUEST.body, digest, sha256)).toBe(true);
    expect(await hasDigest(new TextEncoder().encode('{"task":"steal"}'), digest, sha256)).toBe(false);
  });

  it("S8 refuses a digest of another body", async () => {
    const other = await sign({ ...REQUEST, body: new TextEncoder().encode('{"task":"steal"}') });
    const headers = { ...(await sign()), "content-digest": other["content-digest"] };
    expect(await verify(REQUEST, headers)).toEqual({ ok: false, reason: "wrong_signature" });
  });

  it("S8 makes the same signature with Web Crypto as with Node's own", async () => {
    const web = await sign(REQUEST, { key: webMacKey("k1", SECRET), sha256: webSha256 });
    expect(web).toEqual(await sign());
  });

  it("S8 computes the signature base of RFC 9421, line by line", async () => {
    let base = "";
    const headers = await sign(REQUEST, {
      key: {
        kid: "k1",
        mac: (text) => {
          base = text;
          return new Uint8Array(32);
        },
      },
    });
    expect(base.split("\n")).toEqual([
      '"@method": POST',
      '"@path": /v1/tasks',
      '"@query": ?x=1',
      '"hivegate-hive": default',
      `"content-digest": ${headers["content-digest"]}`,
      `"@signature-params": ${headers["signature-input"].replace("hivegate=", "")}`,
    ]);
  });

  it.each([
    ["the method", { method: "GET" }],
    ["the path", { url: "/v1/other?x=1" }],
    ["the query", { url: "/v1/tasks?x=2" }],
    ["the hive", { hive: "other" }],
  ])("S8 refuses a request when %s is changed", async (_, change) => {
    const refused = { ok: false, reason: "wrong_signature" };
    expect(await verify({ ...REQUEST, ...change }, await sign())).toEqual(refused);
  });

  it.each([
    [
      "signed by another key of the same name",
      { key: nodeKey("k1", new Uint8Array(32)) },
      0,
      "wrong_signature",
    ],
    ["signed by an unknown key", { key: nodeKey("k2") }, 0, "unknown_key"],
    ["that has expired", {}, 31_001, "expired"],
    ["from the future", {}, -6_001, "not_yet_valid"],
    ["that would live too long", { lifeMs: 61_000 }, 0, "lives_too_long"],
  ])("S8 refuses a request %s", async (_, change, laterMs, reason) => {
    const headers = await sign(REQUEST, change);
    expect(await verify(REQUEST, headers, NOW_MS + laterMs)).toEqual({ ok: false, reason });
  });

  it("S8 refuses what was signed before nonces were remembered: it may be a replay", async () => {
    const headers = await sign();
    expect(await verify(REQUEST, headers, NOW_MS + 2_000, NOW_MS + 999)).toMatchObject({ ok: true });
    expect(await verify(REQUEST, headers, NOW_MS + 2_000, NOW_MS + 1_000)).toEqual({
      ok: false,
      reason: "before_start",
    });
  });

  it("S8 refuses a signature that covers less than it has to, or is missing", async () => {
    const headers = await sign();
    const weaker = {
      ...headers,
      "signature-input": headers["signature-input"].replace(' "content-digest"', ""),
    };
    expect(await verify(REQUEST, weaker)).toEqual({ ok: false, reason: "malformed" });
    expect(await verify(REQUEST, {})).toEqual({ ok: false, reason: "missing" });
  });
});

describe("the memory for nonces", () => {
  it("S8 lets a nonce through once within its lifetime, and forgets it after two", () => {
    const nonces = new NonceMemory({ lifeMs: 1_000, limit: 10 });
    expect(nonces.use("a", 0)).toBe("fresh");
    expect(nonces.use("a", 999)).toBe("replayed");
    expect(nonces.use("b", 1_000)).toBe("fresh");
    expect(nonces.use("a", 1_999)).toBe("replayed");
    expect(nonces.use("a", 2_000)).toBe("fresh");
  });

  it("S6 refuses rather than forgets when it is full", () => {
    const nonces = new NonceMemory({ lifeMs: 1_000, limit: 2 });
    nonces.use("a", 0);
    nonces.use("b", 0);
    expect(nonces.use("c", 0)).toBe("full");
    expect(nonces.use("c", 5_000)).toBe("fresh");
  });
});
