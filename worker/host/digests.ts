/** What the audit log is chained and sealed with. Both hosts have Node's functions, which give their result at once. */
import { createHash, createHmac } from "node:crypto";
import type { Hmac, Sha256Hex } from "../../shared/audit/chain.ts";

export const sha256Hex: Sha256Hex = (text) => createHash("sha256").update(text).digest("hex");
export const hmac: Hmac = (key, text) => createHmac("sha256", key).update(text).digest();
