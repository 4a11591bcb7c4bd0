/** The native primitives behind `shared/auth/signature.ts`, each key imported once. */
import { createHmac, createSecretKey, hash } from "node:crypto";
import type { MacKey, Sha256 } from "../../shared/auth/signature.ts";

export const sha256: Sha256 = (bytes) => hash("sha256", bytes, "buffer");

export function macKey(kid: string, secret: Uint8Array): MacKey {
  const key = createSecretKey(secret);
  return { kid, mac: (text) => createHmac("sha256", key).update(text).digest() };
}

export const macKeys = (secrets: ReadonlyMap<string, Uint8Array>): Map<string, MacKey> =>
  new Map([...secrets].map(([kid, secret]) => [kid, macKey(kid, secret)]));
