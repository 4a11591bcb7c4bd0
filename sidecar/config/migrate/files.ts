/** Files that have to be on the disk, whole, before anything else is done. */
import { createHash } from "node:crypto";
import {
  chmodSync,
  chownSync,
  closeSync,
  copyFileSync,
  fsyncSync,
  openSync,
  readdirSync,
  readSync,
  renameSync,
  statfsSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";

const OWNER_ONLY = 0o600;
const CHUNK_BYTES = 1024 * 1024;

/** Waits until a file, or the names in a directory, would survive a loss of power. */
export function flush(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}

export function copyFlushed(from: string, to: string): void {
  copyFileSync(from, to);
  chmodSync(to, OWNER_ONLY);
  flush(to);
}

export function writeFlushed(path: string, text: string): void {
  writeFileSync(path, text, { mode: OWNER_ONLY });
  flush(path);
}

/** One moment decides: before it `to` is what it was, after it what `from` was. Both are in one file system. */
export function moveFlushed(from: string, to: string): void {
  renameSync(from, to);
  flush(dirname(to));
}

/** Root works for whoever owns the directory: what it makes there has to be theirs, or they could not use it. */
export function ownAs(directory: string, path: string): void {
  if (process.getuid?.() !== 0) return;
  const { uid, gid } = statSync(directory);
  chownSync(path, uid, gid);
}

/** Every file below `directory`, as paths from there, in the order of their names. */
export const filesIn = (directory: string): string[] =>
  readdirSync(directory, { recursive: true, withFileTypes: true })
    .filter((found) => found.isFile())
    .map((found) => join(found.parentPath, found.name).slice(directory.length + 1))
    .sort();

export type Digest = { bytes: number; sha256: string };

/** Piece by piece: a backup may be larger than the memory. */
export function digestOf(path: string): Digest {
  const hash = createHash("sha256");
  const chunk = Buffer.allocUnsafe(CHUNK_BYTES);
  const descriptor = openSync(path, "r");
  try {
    for (let bytes = 0; ; ) {
      const read = readSync(descriptor, chunk);
      if (read === 0) return { bytes, sha256: hash.digest("hex") };
      hash.update(chunk.subarray(0, read));
      bytes += read;
    }
  } finally {
    closeSync(descriptor);
  }
}

export function freeBytes(directory: string): number {
  const { bavail, bsize } = statfsSync(directory);
  return bavail * bsize;
}
