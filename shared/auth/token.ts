/** Client tokens: JWTs signed with a shared secret (HS256), or by others whose keys are published. Checked by jose. */
import {
  decodeProtectedHeader,
  errors,
  type JWTPayload,
  type JWTVerifyOptions,
  jwtVerify,
  SignJWT,
} from "jose";
import { HivegateError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { identityOf } from "./claims.ts";
import type { KeyFinder } from "./jwks.ts";
import type { Identity, Scope } from "./permission.ts";

const ISSUER = "hivegate";
const SHARED = "HS256";

/** A token for `identity`. `secret` is at least 32 bytes. */
export async function mintToken(
  { subject, hives, permissions, scope = {}, role, expiresMs }: Omit<Identity, "scope"> & { scope?: Scope },
  secret: Uint8Array,
  nowMs: number,
): Promise<string> {
  return new SignJWT({ hives, permissions, scope, ...(role !== undefined && { role }) })
    .setProtectedHeader({ alg: SHARED, typ: "JWT" })
    .setIssuer(ISSUER)
    .setSubject(subject)
    .setIssuedAt(Math.floor(nowMs / 1000))
    .setExpirationTime(Math.floor(expiresMs / 1000))
    .sign(secret);
}

/**
 * Others who may sign tokens. Their subjects are called `issuer#subject` here, so that none of them is taken for one of
 * ours: tasks, sessions, rates, rules and the audit log go by that name. An algorithm is good only with a key that is made for it. */
export type TrustedIssuer = {
  issuer: string;
  /** A token is for one of these: what was given for another service opens nothing here (RFC 8707). */
  audiences: readonly string[];
  /** Asymmetric ones alone: with others a public key would be a secret. */
  algorithms: readonly string[];
  keys: { forKey(kid: string | undefined): Promise<KeyFinder> };
};

export type TokenRules = {
  /** At least 32 bytes. */
  secret: Uint8Array;
  trusted?: TrustedIssuer | null;
};

/**
 * Who holds this token.
 * @throws HivegateError `token_expired`, `unauthorized`, `keys_unavailable`
 */
export async function verifyToken(token: string, rules: TokenRules, nowMs: number): Promise<Identity> {
  try {
    return identityOf(await payloadOf(token, rules, nowMs));
  } catch (cause) {
    if (cause instanceof HivegateError) throw cause;
    const code = cause instanceof errors.JWTExpired ? "token_expired" : "unauthorized";
    throw new HivegateError(code, undefined, { cause });
  }
}

/** Which of the two keys it takes goes by the algorithm, and each is asked for its own alone. */
async function payloadOf(
  token: string,
  { secret, trusted = null }: TokenRules,
  nowMs: number,
): Promise<JWTPayload> {
  const { alg, kid } = decodeProtectedHeader(token);
  const expected = { currentDate: new Date(nowMs), requiredClaims: ["exp", "sub"] };
  if (alg === SHARED || !trusted) return ownPayload(token, secret, { ...expected, trusted });
  const { issuer, audiences, algorithms, keys } = trusted;
  const { payload } = await jwtVerify(token, await keys.forKey(kid), {
    ...expected,
    issuer,
    audience: [...audiences],
    algorithms: [...algorithms],
    clockTolerance: LIMITS.clockSkewMs / 1000,
  });
  return { ...payload, sub: `${foreign(issuer)}${payload.sub}` };
}

/** What the subjects of another issuer begin with. */
const foreign = (issuer: string): string => `${issuer}#`;

/** Ours need no audience; one that has another's is not for us, and neither is one for a subject of another's. */
async function ownPayload(
  token: string,
  secret: Uint8Array,
  { trusted, ...expected }: JWTVerifyOptions & { trusted: TrustedIssuer | null },
): Promise<JWTPayload> {
  const { payload } = await jwtVerify(token, secret, { ...expected, algorithms: [SHARED], issuer: ISSUER });
  const meant = [payload.aud ?? []].flat();
  if (meant.length > 0 && !meant.some((audience) => trusted?.audiences.includes(audience)))
    throw new HivegateError("unauthorized");
  if (trusted && payload.sub?.startsWith(foreign(trusted.issuer))) throw new HivegateError("unauthorized");
  return payload;
}

type Known = { identity: Identity; untilMs: number };

/**
 * Verifies each token once and remembers who it was until it expires, or for a while where a key may be taken back: the
 * check costs more than all else in a short request. Holds at most `limit` tokens; the oldest is forgotten first.
 */
export class TokenVerifier {
  readonly #rules: TokenRules;
  readonly #limit: number;
  readonly #known = new Map<string, Known>();

  constructor(rules: TokenRules, limit: number) {
    this.#rules = rules;
    this.#limit = limit;
  }

  /** @throws HivegateError `token_expired`, `unauthorized`, `keys_unavailable` */
  async verify(token: string, nowMs: number): Promise<Identity> {
    const known = this.#known.get(token);
    if (known && known.untilMs > nowMs) return known.identity;
    this.#known.delete(token);
    const identity = await verifyToken(token, this.#rules, nowMs);
    if (this.#known.size >= this.#limit) {
      const oldest = this.#known.keys().next();
      if (!oldest.done) this.#known.delete(oldest.value);
    }
    const recheckMs = this.#rules.trusted ? nowMs + LIMITS.jwksFreshMs : Number.POSITIVE_INFINITY;
    this.#known.set(token, { identity, untilMs: Math.min(identity.expiresMs, recheckMs) });
    return identity;
  }
}
