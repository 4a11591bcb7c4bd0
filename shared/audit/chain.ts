/**
 * The audit log's chain: each entry's hash covers its number, its canonical text and the hash before it, so that none
 * can be altered, removed, inserted or moved without all later hashes changing. The last one is sealed with a key that
 * whoever can write the log's database need not have: see `AuditHead`.
 */
import { z } from "zod";

/** Hexadecimal SHA-256 of a text, and HMAC-SHA-256: both at once, so that nothing gets between two entries. */
export type Sha256Hex = (text: string) => string;
export type Hmac = (key: Uint8Array, text: string) => Uint8Array;
/** `mac` gives hexadecimal digits. */
export type Seal = { kid: string; mac: (text: string) => string };

const Hash = z.string().regex(/^[0-9a-f]{64}$/);

/** What the first entry of all follows on. */
export const NOTHING_BEFORE = "0".repeat(64);

/** What an entry is depends on its `kind`; whoever verifies a chain need only know checkpoints. */
export const AuditEntry = z.object({ kind: z.string(), atMs: z.number() }).loose();
export type AuditEntry = z.infer<typeof AuditEntry>;

/** The entries up to number `through`, the last of which had this hash, were dropped for want of room. */
export const Checkpoint = z.object({ kind: z.literal("checkpoint"), through: z.number(), hash: Hash });

/** When the log was opened, its end was not as it had been left; it went on all the same. */
export const Doubt = z.object({ kind: z.literal("doubt"), reason: z.string() });

/** One line of an export. */
export const AuditLine = z.object({
  seq: z.number().int().positive(),
  prev: Hash,
  hash: Hash,
  entry: AuditEntry,
});
export type AuditLine = z.infer<typeof AuditLine>;

/** The log's end. `mac` is by a key derived from the one that signs requests to the hive's sidecar, named `kid`. */
export const AuditHead = z.object({
  hive: z.string(),
  seq: z.number().int().nonnegative(),
  hash: Hash,
  kid: z.string().max(200),
  mac: Hash,
});
export type AuditHead = z.infer<typeof AuditHead>;

/** The last line of an export. */
export const HeadLine = z.object({ head: AuditHead });

/** The seal's key is made from the one that signs requests to the hive's sidecar: neither can stand for the other. */
export function sealWith(hmac: Hmac, { kid, key }: { kid: string; key: Uint8Array }): Seal {
  const sealKey = hmac(key, "hivegate audit seal");
  return { kid, mac: (text) => hex(hmac(sealKey, text)) };
}

const hex = (bytes: Uint8Array): string =>
  Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");

/** `text` is canonical JSON. */
export const entryHash = (sha256: Sha256Hex, seq: number, prev: string, text: string): string =>
  sha256(`${seq}\n${prev}\n${text}`);

export const headOf = (by: Seal, end: Omit<AuditHead, "kid" | "mac">): AuditHead => ({
  ...end,
  ...{ kid: by.kid, mac: by.mac(headText(end)) },
});

export const isSealedBy = (by: Seal, head: AuditHead): boolean => by.mac(headText(head)) === head.mac;

const headText = ({ hive, seq, hash }: Pick<AuditHead, "hive" | "seq" | "hash">): string =>
  `${hive}\n${seq}\n${hash}`;
