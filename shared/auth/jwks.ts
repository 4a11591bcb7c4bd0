/**
 * Public keys that others sign tokens with (RFC 7517), from where they publish them. They are fetched when a token
 * names one that is not known, and again when they are old; only keys are shared between requests, for on Workers none
 * may wait for what another one asked.
 */
import { createLocalJWKSet, type JSONWebKeySet, type JWK } from "jose";
import { z } from "zod";
import { HivegateError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { Tries } from "../pressure/tries.ts";

/** Public ones alone: a secret that is published is none. */
const PublicKey = z.looseObject({
  kty: z.enum(["RSA", "EC", "OKP"]),
  kid: z.string().min(1).max(200).optional(),
});

const isPublicKey = (key: unknown): key is JWK => PublicKey.safeParse(key).success;

/** Other kinds of keys are passed over. */
export const Jwks = z
  .object({ keys: z.array(z.unknown()).max(LIMITS.jwks) })
  .transform(({ keys }): JSONWebKeySet => ({ keys: keys.filter(isPublicKey) }));

export type KeyFinder = ReturnType<typeof createLocalJWKSet>;
type Kept = { find: KeyFinder; kids: ReadonlySet<string>; fetchedMs: number };

export type JwksPorts = { fetch(): Promise<unknown>; now(): number };

export class PublishedKeys {
  readonly #ports: JwksPorts;
  #kept: Kept | null = null;
  readonly #fetches = new Tries(LIMITS.jwksFetches, LIMITS.jwksPauseMs);

  constructor(ports: JwksPorts) {
    this.#ports = ports;
  }

  /**
   * Where to look for the key of a token that names `kid`. That it is not there shows when it is looked for.
   * @throws HivegateError `keys_unavailable` when there are none, and none can be had
   */
  async forKey(kid: string | undefined): Promise<KeyFinder> {
    const kept = this.#kept;
    const ageMs = this.#ports.now() - (kept?.fetchedMs ?? Number.NEGATIVE_INFINITY);
    const isKnown = kept !== null && (kid === undefined || kept.kids.has(kid));
    if (isKnown && ageMs < LIMITS.jwksFreshMs) return kept.find;
    const fresh = await this.#refresh();
    if (fresh) return fresh.find;
    if (kept && ageMs < LIMITS.jwksKeptMs) return kept.find;
    throw new HivegateError("keys_unavailable");
  }

  /** Null where it failed, or was tried just now. Several may fetch at once: none can be told to wait for another. */
  async #refresh(): Promise<Kept | null> {
    if (!this.#fetches.take(this.#ports.now())) return null;
    try {
      const jwks = Jwks.parse(await this.#ports.fetch());
      const kids = new Set(jwks.keys.flatMap(({ kid }) => (kid === undefined ? [] : [kid])));
      this.#kept = { find: createLocalJWKSet(jwks), kids, fetchedMs: this.#ports.now() };
      return this.#kept;
    } catch {
      return null;
    } finally {
      this.#fetches.settle();
    }
  }
}
