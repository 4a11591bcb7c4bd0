/** Client tokens: JWTs signed with a shared secret (HS256), made and checked by jose. */
import { errors, jwtVerify, SignJWT } from "jose";
import { z } from "zod";
import { HivegateError } from "../errors.ts";
import { Identity, type Scope } from "./permission.ts";

const ISSUER = "hivegate";
const Claims = z.object({
  sub: Identity.shape.subject,
  exp: z.number().int(),
  hives: Identity.shape.hives,
  permissions: Identity.shape.permissions,
  scope: Identity.shape.scope,
  role: Identity.shape.role,
});

/** A token for `identity`. `secret` is at least 32 bytes. */
export async function mintToken(
  { subject, hives, permissions, scope = {}, role, expiresMs }: Omit<Identity, "scope"> & { scope?: Scope },
  secret: Uint8Array,
  nowMs: number,
): Promise<string> {
  return new SignJWT({ hives, permissions, scope, ...(role !== undefined && { role }) })
    .setProtectedHeader({ alg: "HS256", typ: "JWT" })
    .setIssuer(ISSUER)
    .setSubject(subject)
    .setIssuedAt(Math.floor(nowMs / 1000))
    .setExpirationTime(Math.floor(expiresMs / 1000))
    .sign(secret);
}

/**
 * Who holds this token.
 * @throws HivegateError `token_expired` or `unauthorized`
 */
export async function verifyToken(token: string, secret: Uint8Array, nowMs: number): Promise<Identity> {
  try {
    const { payload } = await jwtVerify(token, secret, {
      algorithms: ["HS256"],
      issuer: ISSUER,
      currentDate: new Date(nowMs),
    });
    const claims = Claims.parse(payload);
    return {
      subject: claims.sub,
      hives: claims.hives,
      permissions: claims.permissions,
      scope: claims.scope,
      ...(claims.role !== undefined && { role: claims.role }),
      expiresMs: claims.exp * 1000,
    };
  } catch (cause) {
    throw new HivegateError(
      cause instanceof errors.JWTExpired ? "token_expired" : "unauthorized",
      undefined,
      {
        cause,
      },
    );
  }
}

/**
 * Verifies each token once and remembers who it was until it expires: the check costs more than all else
 * in a short request. Holds at most `limit` tokens; the oldest is forgotten first.
 */
export class TokenVerifier {
  readonly #secret: Uint8Array;
  readonly #limit: number;
  readonly #known = new Map<string, Identity>();

  constructor(secret: Uint8Array, limit: number) {
    this.#secret = secret;
    this.#limit = limit;
  }

  /** @throws HivegateError `token_expired` or `unauthorized` */
  async verify(token: string, nowMs: number): Promise<Identity> {
    const known = this.#known.get(token);
    if (known && known.expiresMs > nowMs) return known;
    this.#known.delete(token);
    const identity = await verifyToken(token, this.#secret, nowMs);
    if (this.#known.size >= this.#limit) {
      const oldest = this.#known.keys().next();
      if (!oldest.done) this.#known.delete(oldest.value);
    }
    this.#known.set(token, identity);
    return identity;
  }
}
