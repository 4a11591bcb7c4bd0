/**
 * Lets nothing in that the gateway did not sign. Whatever is wrong with a signature, the answer is the same
 * 401: only the counters tell the reasons apart.
 */
import type { Context, MiddlewareHandler } from "hono";
import { NonceMemory } from "../../shared/auth/nonces.ts";
import { type MacKey, type SignatureRefusal, verifyRequest } from "../../shared/auth/signature.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { HIVE_HEADER } from "../../shared/protocol/sidecar.ts";
import { readBody } from "./body.ts";
import { sha256 } from "./keys.ts";

/** What a signed request's handlers find in their context: the body, read and verified once. */
export type Signed = { Variables: { body: Uint8Array } };

export type Refusal = SignatureRefusal | "replayed" | "nonces_full" | "unknown_hive" | "body_too_large";

/** How many requests were refused since the start, by reason. */
export type RefusalCounts = Record<Refusal, number>;

export type AuthenticateOptions = {
  keys: ReadonlyMap<string, MacKey>;
  hive: string;
  now(): number;
};

/** `refusals` is live: read it whenever metrics are asked for. */
export function authenticate(options: AuthenticateOptions): {
  middleware: MiddlewareHandler<Signed>;
  refusals: Readonly<RefusalCounts>;
} {
  const refusals = noRefusals();
  const sinceMs = options.now();
  // A signature made on a clock that runs ahead is good for that much longer.
  const nonces = new NonceMemory({
    lifeMs: LIMITS.signatureLifeMs + LIMITS.clockSkewMs,
    limit: LIMITS.nonces,
  });

  const middleware: MiddlewareHandler<Signed> = async (c, next) => {
    const outcome = await check(c);
    if (!(outcome instanceof Uint8Array)) {
      refusals[outcome]++;
      throw errorFor(outcome);
    }
    c.set("body", outcome);
    await next();
  };

  async function check(c: Context<Signed>): Promise<Uint8Array | Refusal> {
    const body = await readBody(c.req.raw, LIMITS.requestBodyBytes);
    if (body === null) return "body_too_large";
    const hive = c.req.header(HIVE_HEADER) ?? "";
    const verified = await verifyRequest(
      { method: c.req.method, url: c.req.url, hive, body },
      (name) => c.req.header(name),
      { keys: options.keys, sha256, nowMs: options.now(), sinceMs },
    );
    if (!verified.ok) return verified.reason;
    if (hive !== options.hive) return "unknown_hive";
    // Last: only the gateway itself can fill this memory.
    const nonce = nonces.use(verified.nonce, options.now());
    if (nonce !== "fresh") return nonce === "full" ? "nonces_full" : "replayed";
    return body;
  }

  return { middleware, refusals };
}

function errorFor(refusal: Refusal): HivegateError {
  switch (refusal) {
    case "body_too_large":
      return new HivegateError("body_too_large");
    case "nonces_full":
      return new HivegateError("rate_limited");
    case "unknown_hive":
      return new HivegateError("unknown_hive", "This sidecar serves another hive. Check HIVE_ID.");
    default:
      return new HivegateError("unauthorized", "The request's signature is not accepted.");
  }
}

const noRefusals = (): RefusalCounts => ({
  missing: 0,
  malformed: 0,
  unknown_key: 0,
  expired: 0,
  not_yet_valid: 0,
  before_start: 0,
  lives_too_long: 0,
  body_changed: 0,
  wrong_signature: 0,
  replayed: 0,
  nonces_full: 0,
  unknown_hive: 0,
  body_too_large: 0,
});
