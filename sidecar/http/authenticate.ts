/**
 * Lets nothing in that the gateway did not sign. Whatever is wrong with a signature, the answer is the same
 * 401: only the counters and the log tell the reasons apart.
 */
import type { Context, MiddlewareHandler } from "hono";
import { NonceMemory } from "../../shared/auth/nonces.ts";
import { hasDigest, type MacKey, type SignatureRefusal, verifyHead } from "../../shared/auth/signature.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { HIVE_HEADER } from "../../shared/protocol/sidecar.ts";
import type { Logger } from "../log.ts";
import { readBody } from "./body.ts";
import { sha256 } from "./keys.ts";

/** What a signed request's handlers find in their context: the body, read and verified once. */
export type Signed = { Variables: { body: Uint8Array } };

export type Refusal =
  | SignatureRefusal
  | "unknown_hive"
  | "replayed"
  | "nonces_full"
  | "body_too_large"
  | "body_changed";

/** How many requests were refused since the start, by reason. */
export type RefusalCounts = Record<Refusal, number>;

export type AuthenticateOptions = {
  keys: ReadonlyMap<string, MacKey>;
  hive: string;
  now(): number;
};

/** How often at most the log says that requests are refused for one reason: anybody can send such requests. */
const WARN_EVERY_MS = 60_000;

/** `refusals` is live: read it whenever metrics are asked for. */
export function authenticate(options: AuthenticateOptions & { log: Pick<Logger, "warn"> }): {
  middleware: MiddlewareHandler<Signed>;
  refusals: Readonly<RefusalCounts>;
} {
  const refusals = noRefusals();
  const warnedMs = new Map<Refusal, number>();
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
      warn(outcome);
      throw errorFor(outcome);
    }
    c.set("body", outcome);
    await next();
  };

  async function check(c: Context<Signed>): Promise<Uint8Array | Refusal> {
    const hive = c.req.header(HIVE_HEADER) ?? "";
    const verified = await verifyHead(
      { method: c.req.method, url: c.req.url, hive },
      (name) => c.req.header(name),
      { keys: options.keys, nowMs: options.now(), sinceMs },
    );
    if (!verified.ok) return verified.reason;
    // From here on it is the gateway: nobody else fills this memory, or has a body read.
    if (hive !== options.hive) return "unknown_hive";
    const nonce = nonces.use(verified.nonce, options.now());
    if (nonce !== "fresh") return nonce === "full" ? "nonces_full" : "replayed";
    const body = await readBody(c.req.raw, LIMITS.requestBodyBytes);
    if (body === null) return "body_too_large";
    return (await hasDigest(body, verified.digest, sha256)) ? body : "body_changed";
  }

  /** The gateway hears the same whatever is wrong, so whoever runs the two has to find the reason here. */
  function warn(reason: Refusal): void {
    const nowMs = options.now();
    const lastMs = warnedMs.get(reason);
    if (lastMs !== undefined && nowMs < lastMs + WARN_EVERY_MS) return;
    warnedMs.set(reason, nowMs);
    options.log.warn({ reason, sinceStart: refusals[reason] }, WARNINGS[reason] ?? "request refused");
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

const CLOCKS = "request refused: compare this machine's clock with the gateway's";
const KEYS = "request refused: compare SIDECAR_KEYS with the gateway's key";

/** What to look at; the other reasons speak for themselves. */
const WARNINGS: Partial<Record<Refusal, string>> = {
  expired: CLOCKS,
  not_yet_valid: CLOCKS,
  unknown_key: KEYS,
  wrong_signature: KEYS,
};

const noRefusals = (): RefusalCounts => ({
  missing: 0,
  malformed: 0,
  unknown_key: 0,
  expired: 0,
  not_yet_valid: 0,
  before_start: 0,
  lives_too_long: 0,
  wrong_signature: 0,
  unknown_hive: 0,
  replayed: 0,
  nonces_full: 0,
  body_too_large: 0,
  body_changed: 0,
});
