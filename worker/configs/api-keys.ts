/**
 * Keys of clients that were there before Hivegate and cannot get tokens: they open `/api/v1/mcp` and nothing else. The
 * secret `API_KEYS` names them: JSON `{name: key}`, or `{name: {key, hives, permissions}}`.
 */
import { z } from "zod";
import { Identity, type Permission } from "../../shared/auth/permission.ts";
import type { Sha256 } from "../../shared/auth/signature.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { RateLimiter } from "../../shared/pressure/rate-limiter.ts";
import { jsonText } from "../json-text.ts";

const Key = z.string().regex(/^[\x21-\x7e]{32,500}$/, "has to be 32 characters or more, without spaces");
const ALLOWED: Permission[] = ["config:read", "config:write", "tools:call", "resources:read"];

const ApiKey = z.union([
  Key.transform((key) => ({ key, hives: ["*"], permissions: ALLOWED })),
  z.strictObject({
    key: Key,
    hives: Identity.shape.hives.default(["*"]),
    permissions: Identity.shape.permissions.default(ALLOWED),
  }),
]);

export const ApiKeyVariables = {
  API_KEYS: jsonText
    .pipe(z.record(z.string().regex(/^[\w.-]{1,100}$/, "has to be a name"), ApiKey))
    .refine(
      (keys) => new Set(Object.values(keys).map(({ key }) => key)).size === Object.keys(keys).length,
      "has one key twice",
    )
    .transform((keys) =>
      Object.entries(keys).map(
        ([name, { key, ...rest }]): ApiKeyHolder => ({
          key,
          identity: { subject: `key:${name}`, scope: {}, expiresMs: Number.MAX_SAFE_INTEGER, ...rest },
        }),
      ),
    )
    .default([]),
};

export type ApiKeyHolder = { key: string; identity: Identity };

export class ApiKeys {
  readonly #sha256: Sha256;
  /** A key's digest is made once, when one is asked about first. */
  readonly #known: (ApiKeyHolder & { digest: Uint8Array | null })[];
  /** Keys that nobody has, of all clients together. Each isolate counts for itself. */
  readonly #wrong = new RateLimiter({ burst: LIMITS.wrongKeyBurst, perSecond: LIMITS.wrongKeysPerSecond }, 1);

  constructor(holders: readonly ApiKeyHolder[], sha256: Sha256) {
    this.#sha256 = sha256;
    this.#known = holders.map((holder) => ({ ...holder, digest: null }));
  }

  /** Whose it is, always the same object. @throws HivegateError `unauthorized`, `rate_limited` after many wrong ones */
  async identify(key: string, nowMs: number): Promise<Identity> {
    const asked = await this.#digestOf(key);
    let found: Identity | null = null;
    for (const known of this.#known) {
      known.digest ??= await this.#digestOf(known.key);
      // All are looked at, and all of each: the time tells nothing of which came near.
      if (isSame(known.digest, asked)) found = known.identity;
    }
    if (found) return found;
    this.#wrong.take("", nowMs);
    throw new HivegateError("unauthorized", "Invalid API Key");
  }

  async #digestOf(key: string): Promise<Uint8Array> {
    return this.#sha256(new TextEncoder().encode(key));
  }
}

function isSame(a: Uint8Array, b: Uint8Array): boolean {
  let difference = a.length ^ b.length;
  for (const [i, byte] of a.entries()) difference |= byte ^ (b[i] ?? 0);
  return difference === 0;
}
