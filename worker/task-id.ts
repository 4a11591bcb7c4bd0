import { webSha256 } from "./web-crypto.ts";

/**
 * The id of the task that this client means by this key: always the same UUID (version 8, from a hash), so
 * that a repeated request names the same task, whichever machine takes it and whatever was lost on the way.
 */
export async function taskIdFor(hive: string, subject: string, idempotencyKey: string): Promise<string> {
  const text = JSON.stringify(["hivegate task", hive, subject, idempotencyKey]);
  const bytes = (await webSha256(new TextEncoder().encode(text))).slice(0, 16);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  const hex = Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}
