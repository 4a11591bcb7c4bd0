import { exportJWK, generateKeyPair, type JWK, SignJWT } from "jose";
import { beforeAll, describe, expect, it } from "vitest";
import { PublishedKeys } from "../../../../shared/auth/jwks.ts";
import { mintToken, TokenVerifier, verifyToken } from "../../../../shared/auth/token.ts";
import { LIMITS } from "../../../../shared/limits.ts";

const SECRET = new Uint8Array(32).fill(1);
const NOW_MS = 1_800_000_000_000;
const ISSUER = "https://login.example";
const AUDIENCE = "https://hive.example/mcp";
const CLAIMS = { sub: "alice", hives: ["default"], permissions: ["tools:call:demo__*"] };

const MINTED = { hives: ["*"], permissions: ["tools:call" as const], expiresMs: NOW_MS + 60_000 };

type Signer = {
  kid: string;
  alg: string;
  key: Awaited<ReturnType<typeof generateKeyPair>>["privateKey"];
  jwk: JWK;
};

async function signer(kid: string, alg: string): Promise<Signer> {
  const { publicKey, privateKey } = await generateKeyPair(alg, { extractable: true });
  return { kid, alg, key: privateKey, jwk: { ...(await exportJWK(publicKey)), kid } };
}

type Signed = {
  claims?: object;
  aud?: string | null;
  iss?: string;
  exp?: number;
  nbf?: number;
  kid?: string | null;
};

const signed = (
  { key, alg, kid }: Signer,
  { claims, aud = AUDIENCE, iss = ISSUER, ...rest }: Signed = {},
) => {
  const nowS = NOW_MS / 1000;
  const token = new SignJWT({ ...CLAIMS, ...claims })
    .setProtectedHeader({ alg, ...(rest.kid !== null && { kid: rest.kid ?? kid }) })
    .setIssuer(iss)
    .setExpirationTime(nowS + (rest.exp ?? 60))
    .setNotBefore(nowS + (rest.nbf ?? -1));
  return (aud === null ? token : token.setAudience(aud)).sign(key);
};

/** Somebody's published keys, who may publish others, or nothing. */
function publisher(...signers: Signer[]) {
  const state = { nowMs: NOW_MS, fetches: 0, down: false, keys: signers.map(({ jwk }) => jwk) };
  const fetchKeys = async () => {
    state.fetches++;
    if (state.down) throw new Error("down");
    return { keys: state.keys };
  };
  const keys = new PublishedKeys({ fetch: fetchKeys, now: () => state.nowMs });
  const trusted = { issuer: ISSUER, audiences: [AUDIENCE], algorithms: ["RS256", "ES256", "EdDSA"], keys };
  const rules = { secret: SECRET, trusted };
  return { state, rules, verify: (token: string) => verifyToken(token, rules, state.nowMs) };
}

const unsigned = (header: object, payload: object) =>
  `${[header, payload].map((part) => btoa(JSON.stringify(part)).replaceAll("=", "")).join(".")}.`;

describe("tokens that others sign", () => {
  let [rsa, ec, ed, stranger]: Signer[] = [];
  beforeAll(async () => {
    [rsa, ec, ed, stranger] = await Promise.all([
      ...[signer("rsa", "RS256"), signer("ec", "ES256"), signer("ed", "EdDSA"), signer("rsa", "RS256")],
    ]);
  });
  const all = () => [rsa, ec, ed].filter((each) => each !== undefined);
  const only = (each: Signer | undefined): Signer => {
    if (!each) throw new Error("no key");
    return each;
  };

  it("T6 say who holds them, by any algorithm that is allowed", async () => {
    const { verify } = publisher(...all());
    for (const each of all())
      expect(await verify(await signed(each))).toMatchObject({
        subject: `${ISSUER}#alice`,
        permissions: ["tools:call:demo__*"],
        expiresMs: NOW_MS + 60_000,
      });
  });

  it("T6 may say what they allow as OAuth does; words for others are passed over", async () => {
    const { verify } = publisher(...all());
    const token = await signed(only(rsa), {
      claims: { scope: "openid tools:call:a__* audit:read", permissions: undefined },
    });
    expect(await verify(token)).toMatchObject({ permissions: ["tools:call:a__*", "audit:read"], scope: {} });
  });

  it("S8 T6 are refused with one answer, whatever is wrong with them", async () => {
    const { verify } = publisher(...all());
    const [good, { jwk }] = [only(rsa), only(rsa)];
    const forAnother = signed(good, { aud: "https://other.example/mcp" });
    const wrong: Promise<string>[] = [
      forAnother,
      signed(good, { aud: null }),
      signed(good, { iss: "https://evil.example" }),
      signed(good, { nbf: 30 }),
      signed(good, { claims: { cnf: { jkt: "a" } } }),
      signed(good, { claims: { sub: undefined } }),
      signed(good, { claims: { hives: undefined } }),
      signed(only(stranger)),
      signed(good, { kid: "ec" }),
      signed(only(ec), { kid: "rsa" }),
      Promise.resolve(
        unsigned({ alg: "none" }, { ...CLAIMS, iss: ISSUER, aud: AUDIENCE, exp: NOW_MS / 1000 + 60 }),
      ),
      // The public key as if it were a shared secret.
      new SignJWT({ ...CLAIMS, iss: ISSUER, aud: AUDIENCE, exp: NOW_MS / 1000 + 60 })
        .setProtectedHeader({ alg: "HS256", kid: "rsa" })
        .sign(new TextEncoder().encode(JSON.stringify(jwk))),
      Promise.resolve("nonsense"),
    ];
    for (const token of wrong)
      await expect(verify(await token)).rejects.toMatchObject({ code: "unauthorized" });
    await expect(verify(await signed(good, { exp: -60 }))).rejects.toMatchObject({ code: "token_expired" });
  });

  it("T6 do not replace ours, which have no audience, or one of these", async () => {
    const { verify } = publisher(...all());
    expect(await verify(await mintToken({ ...MINTED, subject: "cli" }, SECRET, NOW_MS))).toMatchObject({
      subject: "cli",
    });
    const ours = (aud: string) =>
      new SignJWT({ ...CLAIMS, iss: "hivegate", aud, exp: NOW_MS / 1000 + 60 })
        .setProtectedHeader({ alg: "HS256" })
        .sign(SECRET);
    expect(await verify(await ours(AUDIENCE))).toMatchObject({ subject: "alice" });
    await expect(verify(await ours("https://other.example"))).rejects.toMatchObject({ code: "unauthorized" });
  });

  it("S8 T6 are of subjects that no token of ours can have", async () => {
    const { verify } = publisher(...all());
    const ours = (subject: string) => mintToken({ ...MINTED, subject }, SECRET, NOW_MS);
    expect(await verify(await ours("alice"))).toMatchObject({ subject: "alice" });
    await expect(verify(await ours(`${ISSUER}#alice`))).rejects.toMatchObject({ code: "unauthorized" });
    const named = (sub: string) => signed(only(rsa), { claims: { sub } });
    const room = 200 - `${ISSUER}#`.length;
    expect((await verify(await named("a".repeat(room)))).subject).toHaveLength(200);
    await expect(verify(await named("a".repeat(room + 1)))).rejects.toMatchObject({ code: "unauthorized" });
  });

  it("T6 are checked with keys that are fetched once, and again for a new one, but not at everybody's will", async () => {
    const { verify, state } = publisher(only(rsa));
    await verify(await signed(only(rsa)));
    await verify(await signed(only(rsa)));
    expect(state.fetches).toBe(1);
    state.keys = [only(rsa).jwk, only(ec).jwk];
    await expect(verify(await signed(only(ec)))).rejects.toMatchObject({ code: "unauthorized" });
    expect(state.fetches).toBe(1);
    state.nowMs += LIMITS.jwksPauseMs;
    expect(await verify(await signed(only(ec)))).toMatchObject({ subject: `${ISSUER}#alice` });
    for (let n = 0; n < 20; n++)
      await expect(verify(await signed(only(ed), { kid: `made-up-${n}` }))).rejects.toMatchObject({
        code: "unauthorized",
      });
    expect(state.fetches).toBe(2);
  });

  it("S6 T6 are checked with keys that are fetched again though requests that fetched them never end", async () => {
    const { rules, state, verify } = publisher(only(rsa));
    await verify(await signed(only(rsa)));
    const { promise: never } = Promise.withResolvers<never>();
    const dying = new PublishedKeys({
      fetch: () => {
        state.fetches++;
        return state.down ? never : Promise.resolve({ keys: state.keys });
      },
      now: () => state.nowMs,
    });
    state.down = true;
    for (let n = 0; n < 2 * LIMITS.jwksFetches; n++) void dying.forKey("rsa").catch(() => {});
    expect(state.fetches).toBe(1 + LIMITS.jwksFetches);
    state.down = false;
    state.nowMs += LIMITS.jwksPauseMs;
    const trusted = { ...rules.trusted, keys: dying };
    expect(await verifyToken(await signed(only(rsa)), { ...rules, trusted }, state.nowMs)).toMatchObject({
      subject: `${ISSUER}#alice`,
    });
    expect(state.fetches).toBe(2 + LIMITS.jwksFetches);
  });

  it("T6 are refused once their key is taken back, also when they were remembered", async () => {
    const { rules, state } = publisher(...all());
    const verifier = new TokenVerifier(rules, 10);
    const token = await signed(only(rsa), { exp: 3_600 });
    await verifier.verify(token, NOW_MS);
    state.keys = [only(ec).jwk];
    state.nowMs += LIMITS.jwksFreshMs;
    await expect(verifier.verify(token, state.nowMs)).rejects.toMatchObject({ code: "unauthorized" });
  });

  it("T6 are checked with old keys where new ones cannot be had, for a day", async () => {
    const { verify, state } = publisher(only(rsa));
    const token = await signed(only(rsa), { exp: 7 * 86_400 });
    await verify(token);
    state.down = true;
    state.nowMs += LIMITS.jwksFreshMs;
    expect(await verify(token)).toMatchObject({ subject: `${ISSUER}#alice` });
    state.nowMs += LIMITS.jwksKeptMs;
    await expect(verify(token)).rejects.toMatchObject({ code: "keys_unavailable" });
  });
});
