/**
 * HTTP Message Signatures (RFC 9421) as the worker makes and the sidecar checks them: `hmac-sha256` over
 * method, path, query, hive and Content-Digest (RFC 9530), with `created`, `expires`, a `nonce` and a
 * `keyid`. One fixed list of components: a signature that covers anything else is refused.
 *
 * The primitives are a port, so that each platform uses its native ones with the key imported once.
 */
import { LIMITS } from "../limits.ts";
import { HIVE_HEADER } from "../protocol/sidecar.ts";

export type MaybePromise<T> = T | Promise<T>;

/** HMAC-SHA-256 with one imported key. */
export type MacKey = { kid: string; mac(text: string): MaybePromise<Uint8Array> };
export type Sha256 = (bytes: Uint8Array) => MaybePromise<Uint8Array>;

/** What is signed of a request but its body. `url` may be absolute or a path with a query. */
export type SignedHead = { method: string; url: string; hive: string };
export type SignedParts = SignedHead & { body: Uint8Array };

export type SignatureHeaders = {
  "content-digest": string;
  "signature-input": string;
  signature: string;
  [HIVE_HEADER]: string;
};

export type SignatureRefusal =
  | "missing"
  | "malformed"
  | "unknown_key"
  | "expired"
  | "not_yet_valid"
  | "before_start"
  | "lives_too_long"
  | "wrong_signature";

/** `digest` is what the body has to have: see `hasDigest`. */
export type Verified = { ok: true; kid: string; nonce: string; expiresMs: number; digest: string };
export type Refused = { ok: false; reason: SignatureRefusal };

const COMPONENTS = `("@method" "@path" "@query" "${HIVE_HEADER}" "content-digest")`;
const LABEL = "hivegate";
const INPUT =
  /^hivegate=(\("@method" "@path" "@query" "hivegate-hive" "content-digest"\);created=(\d{1,12});expires=(\d{1,12});nonce="([\w-]{16,64})";keyid="([\w.-]{1,64})";alg="hmac-sha256")$/;

/** Headers to send with a request. `nonce` must never be used twice: 16 to 64 characters of A–Z a–z 0–9 _ -. */
export async function signRequest(
  parts: SignedParts,
  options: { key: MacKey; sha256: Sha256; nowMs: number; lifeMs: number; nonce: string },
): Promise<SignatureHeaders> {
  const digest = contentDigest(await options.sha256(parts.body));
  const created = Math.floor(options.nowMs / 1000);
  const expires = Math.ceil((options.nowMs + options.lifeMs) / 1000);
  const params = `${COMPONENTS};created=${created};expires=${expires};nonce="${options.nonce}";keyid="${options.key.kid}";alg="hmac-sha256"`;
  const mac = await options.key.mac(signatureBase(parts, digest, params));
  return {
    "content-digest": digest,
    "signature-input": `${LABEL}=${params}`,
    signature: `${LABEL}=:${toBase64(mac)}:`,
    [HIVE_HEADER]: parts.hive,
  };
}

/**
 * Whether a request was made by somebody who holds one of `keys`, and is fresh. It needs no more than the head,
 * so that nobody else can make us read a body. The caller still has to see that the nonce is new, and that the
 * body is the one that was signed (`hasDigest`).
 */
export async function verifyHead(
  head: SignedHead,
  headers: (name: string) => string | null | undefined,
  options: {
    keys: ReadonlyMap<string, MacKey>;
    nowMs: number;
    /** Since when nonces are remembered: what was signed before that may be a replay. */
    sinceMs: number;
  },
): Promise<Verified | Refused> {
  const input = headers("signature-input");
  const signature = headers("signature");
  const digest = headers("content-digest");
  if (!input || !signature || !digest) return refuse("missing");

  const match = INPUT.exec(input);
  if (!match) return refuse("malformed");
  const [, params = "", created = "", expires = "", nonce = "", kid = ""] = match;
  const createdMs = Number(created) * 1000;
  const expiresMs = Number(expires) * 1000;
  if (expiresMs - createdMs > LIMITS.signatureLifeMs) return refuse("lives_too_long");
  if (options.nowMs > expiresMs) return refuse("expired");
  if (options.nowMs < createdMs - LIMITS.clockSkewMs) return refuse("not_yet_valid");

  const key = options.keys.get(kid);
  if (!key) return refuse("unknown_key");
  const mac = await key.mac(signatureBase(head, digest, params));
  if (!sameText(signature, `${LABEL}=:${toBase64(mac)}:`)) return refuse("wrong_signature");
  // Last, for who signed it is told so. `created` has no fractions of a second.
  if (createdMs + 1000 <= options.sinceMs) return refuse("before_start");
  return { ok: true, kid, nonce, expiresMs, digest };
}

/** Whether this is the body that was signed. */
export const hasDigest = async (body: Uint8Array, digest: string, sha256: Sha256): Promise<boolean> =>
  sameText(digest, contentDigest(await sha256(body)));

function signatureBase(head: SignedHead, digest: string, params: string): string {
  const url = new URL(head.url, "http://sidecar");
  return [
    `"@method": ${head.method.toUpperCase()}`,
    `"@path": ${url.pathname}`,
    `"@query": ${url.search || "?"}`,
    `"${HIVE_HEADER}": ${head.hive}`,
    `"content-digest": ${digest}`,
    `"@signature-params": ${params}`,
  ].join("\n");
}

const contentDigest = (sha256: Uint8Array): string => `sha-256=:${toBase64(sha256)}:`;
const toBase64 = (bytes: Uint8Array): string => btoa(String.fromCharCode(...bytes));
const refuse = (reason: SignatureRefusal): Refused => ({ ok: false, reason });

/** Equality in a time that depends on the length alone. */
function sameText(a: string, b: string): boolean {
  if (a.length !== b.length) return false;
  let difference = 0;
  for (let i = 0; i < a.length; i++) difference |= a.charCodeAt(i) ^ b.charCodeAt(i);
  return difference === 0;
}
