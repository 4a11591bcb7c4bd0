/** The signing primitives from Web Crypto, which Workers and Deno both have. */
import type { MacKey, Sha256 } from "../shared/auth/signature.ts";

/** The key is imported once, at the first use. */
export function webMacKey(kid: string, secret: Uint8Array<ArrayBuffer>): MacKey {
  let imported: ReturnType<typeof crypto.subtle.importKey> | undefined;
  const encoder = new TextEncoder();
  return {
    kid,
    async mac(text) {
      imported ??= crypto.subtle.importKey("raw", secret, { name: "HMAC", hash: "SHA-256" }, false, ["sign"]);
      return new Uint8Array(await crypto.subtle.sign("HMAC", await imported, encoder.encode(text)));
    },
  };
}

/** So many bytes of chance, in hexadecimal digits. */
export const randomHex = (bytes: number): string =>
  Array.from(crypto.getRandomValues(new Uint8Array(bytes)), (byte) =>
    byte.toString(16).padStart(2, "0"),
  ).join("");

export const webSha256: Sha256 = async (bytes) =>
  new Uint8Array(await crypto.subtle.digest("SHA-256", Uint8Array.from(bytes)));
