/** wrangler bundles HTML files as text. */
declare module "*.html" {
  const text: string;
  export default text;
}

/** What the host on Cloudflare uses of Node's zlib, which the runtime brings. */
declare module "node:zlib" {
  export function deflateSync(text: string): Uint8Array;
}

/** What the host on Cloudflare uses of Node's crypto, likewise. */
declare module "node:crypto" {
  interface Digest {
    update(text: string): Digest;
    digest(): Uint8Array;
    digest(encoding: "hex"): string;
  }
  export function createHash(algorithm: "sha256"): Digest;
  export function createHmac(algorithm: "sha256", key: Uint8Array): Digest;
}
