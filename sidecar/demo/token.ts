import { hash, timingSafeEqual } from "node:crypto";

/** Equality in a time that tells nothing about the token. */
export function sameToken(given: string, token: string): boolean {
  return timingSafeEqual(hash("sha256", given, "buffer"), hash("sha256", token, "buffer"));
}
