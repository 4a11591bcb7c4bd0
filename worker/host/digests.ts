/** What the audit log is chained and sealed with. Both hosts have Node's functions, which give their result at once. */
import { createHash, createHmac } from "node:crypto";
import { SEAL_KEY_INFO, type Seal, type Sha256Hex } from "../../shared/audit/chain.ts";

export const sha256Hex: Sha256Hex = (text) => createHash("sha256").update(text).digest("hex");

/** With a key of its own, made from the one that signs requests to the hive's sidecar. */
export function sealOf({ kid, key }: { kid: string; key: Uint8Array }): Seal {
  const sealKey = createHmac("sha256", key).update(SEAL_KEY_INFO).digest();
  return { kid, mac: (text) => createHmac("sha256", sealKey).update(text).digest("hex") };
}
