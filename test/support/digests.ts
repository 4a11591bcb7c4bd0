/** What the audit log is chained and sealed with, as in production. */
import { sealWith } from "../../shared/audit/chain.ts";
import { hmac, sha256Hex } from "../../worker/host/digests.ts";

export { hmac, sha256Hex };
export const aSeal = (kid = "key", fill = 7) => sealWith(hmac, { kid, key: new Uint8Array(32).fill(fill) });
