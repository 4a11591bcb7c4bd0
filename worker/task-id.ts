import { webSha256 } from "./web-crypto.ts";

/**
 * The id of the task that this client means by this key: always the same UUID (version 8, from a hash), so
 * that a repeated request names the same task, whichever machine takes it and whatever was lost on the way.
 */
export async function taskIdFor(hive: string, subject: string, idempotencyKey: string): Promise<string> {
  const bytes = await hashed(["hivegate task", hive, subject, idempotencyKey]);
  bytes[6] = ((bytes[6] ?? 0) & 0x0f) | 0x80;
  bytes[8] = ((bytes[8] ?? 0) & 0x3f) | 0x80;
  return hex(bytes).replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, "$1-$2-$3-$4-$5");
}

/** What the sidecar knows a client by: always the same, and nothing that a subject (an address, a name) could be read from. */
export const clientNameOf = async (hive: string, subject: string): Promise<string> =>
  hex(await hashed(["hivegate client", hive, subject]));

/** 16 bytes. */
const hashed = async (parts: string[]): Promise<Uint8Array> =>
  (await webSha256(new TextEncoder().encode(JSON.stringify(parts)))).slice(0, 16);

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
