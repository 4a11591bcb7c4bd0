/** wrangler bundles HTML files as text. */
declare module "*.html" {
  const text: string;
  export default text;
}

/** What the host on Cloudflare uses of Node's zlib, which the runtime brings. */
declare module "node:zlib" {
  export function deflateSync(text: string): Uint8Array;
}
