/** What the audit log is chained and sealed with, as in production. */
import { sealOf, sha256Hex } from "../../worker/host/digests.ts";

export { sha256Hex };
export const aSeal = (kid = "key", fill = 7) => sealOf({ kid, key: new Uint8Array(32).fill(fill) });
