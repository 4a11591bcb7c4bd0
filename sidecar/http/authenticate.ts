/**
 * Lets nothing in that the gateway did not sign. Whatever is wrong with a signature, the answer is the same
 * 401: only the counters and the log tell the reasons apart. One that is right but may be a replay does nothing either,
 * and the gateway hears more: it may have been under way while the sidecar was restarted, or have been sent a second
 * time by the gateway's own platform when the connection broke, which Deno does.
 */
import type { IncomingMessage } from "node:http";
import type { Context, MiddlewareHandler } from "hono";
import { NonceMemory } from "../../shared/auth/nonces.ts";
import {
  hasDigest,
  type MacKey,
  type SignatureRefusal,
  type SignedHead,
  verifyHead,
} from "../../shared/auth/signature.ts";
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

export type Authentication = {
  middleware: MiddlewareHandler<Signed>;
  /** The same for an upgrade, which has no body. @throws HivegateError */
  checkUpgrade(request: IncomingMessage): Promise<void>;
  /** Live: read it whenever metrics are asked for. */
  refusals: Readonly<RefusalCounts>;
};

export function authenticate(options: AuthenticateOptions & { log: Pick<Logger, "warn"> }): Authentication {
  const refusals = noRefusals();
  const warnedMs = new Map<Refusal, number>();
  const sinceMs = options.now();
  // A signature made on a clock that runs ahead is good for that much longer.
  const nonces = new NonceMemory({
    lifeMs: LIMITS.signatureLifeMs + LIMITS.clockSkewMs,
    limit: LIMITS.nonces,
  });

  const middleware: MiddlewareHandler<Signed> = async (c, next) => {
    c.set("body", accepted(await check(c)));
    await next();
  };

  async function checkUpgrade({ method = "", url = "", headers }: IncomingMessage): Promise<void> {
    const header = (name: string) => [headers[name]].flat()[0];
    accepted(await checkParts({ method, url }, header, async () => new Uint8Array()));
  }

  const check = ({ req }: Context<Signed>): Promise<Uint8Array | Refusal> =>
    checkParts(
      req,
      (name) => req.header(name),
      () => readBody(req.raw, LIMITS.requestBodyBytes),
    );

  function accepted(outcome: Uint8Array | Refusal): Uint8Array {
    if (outcome instanceof Uint8Array) return outcome;
    refusals[outcome]++;
    warn(outcome);
    throw errorFor(outcome);
  }

  /** `bodyOf` gives null for a body that is too large. */
  async function checkParts(
    { method, url }: Omit<SignedHead, "hive">,
    header: (name: string) => string | undefined,
    bodyOf: () => Promise<Uint8Array | null>,
  ): Promise<Uint8Array | Refusal> {
    const hive = header(HIVE_HEADER) ?? "";
    const verified = await verifyHead({ method, url, hive }, header, {
      keys: options.keys,
      nowMs: options.now(),
      sinceMs,
    });
    if (!verified.ok) return verified.reason;
    // From here on it is the gateway: nobody else fills this memory, or has a body read.
    if (hive !== options.hive) return "unknown_hive";
    const nonce = nonces.use(verified.nonce, options.now());
    if (nonce !== "fresh") return nonce === "full" ? "nonces_full" : "replayed";
    const body = await bodyOf();
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

  return { middleware, checkUpgrade, refusals };
}

function errorFor(refusal: Refusal): HivegateError {
  switch (refusal) {
    case "body_too_large":
      return new HivegateError("body_too_large");
    case "before_start":
      return new HivegateError(
        "shutting_down",
        "The sidecar was restarted meanwhile. Send the request again.",
      );
    case "replayed":
      return new HivegateError(
        "timeout",
        "This request has come before, and its answer was lost. Look up what it did.",
      );
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
