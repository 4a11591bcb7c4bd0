/** The native primitives behind `shared/auth/signature.ts`: keys are made ready once, hashes are one call. */
import { hash } from "node:crypto";
import type { MacKey, Sha256 } from "../../shared/auth/signature.ts";

const BLOCK_BYTES = 64;

export const sha256: Sha256 = (bytes) => hash("sha256", bytes, "buffer");

/**
 * HMAC-SHA-256 (RFC 2104) as two one-shot hashes over padded keys. `createHmac` makes a stream with a native
 * handle for each call, which costs a busy server several times what the hashing does.
 * `secret` is at least 32 bytes.
 */
export function macKey(kid: string, secret: Uint8Array): MacKey {
  const key = secret.length > BLOCK_BYTES ? hash("sha256", secret, "buffer") : secret;
  const inner = padded(key, 0x36);
  const outer = padded(key, 0x5c);
  return { kid, mac: (text) => digest(outer, digest(inner, Buffer.from(text))) };
}

export const macKeys = (secrets: ReadonlyMap<string, Uint8Array>): Map<string, MacKey> =>
  new Map([...secrets].map(([kid, secret]) => [kid, macKey(kid, secret)]));

const digest = (pad: Uint8Array, bytes: Uint8Array): Buffer =>
  hash("sha256", Buffer.concat([pad, bytes]), "buffer");

/** The key filled up with zeros to one block, each byte of it changed by `mask`. */
const padded = (key: Uint8Array, mask: number): Uint8Array =>
  Uint8Array.from({ length: BLOCK_BYTES }, (_, at) => (key[at] ?? 0) ^ mask);
