/** A file of SQLite as it is at one moment, and its way back. */
import { execFile } from "node:child_process";
import {
  chmodSync,
  chownSync,
  closeSync,
  existsSync,
  fsyncSync,
  openSync,
  realpathSync,
  renameSync,
  rmSync,
  statSync,
} from "node:fs";
import { dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { promisify } from "node:util";
import { openOldFile } from "./sqlite-open.ts";
import { whenFree } from "./when-free.ts";

const run = promisify(execFile);
export const COPY = "old.db";
const LOG = "-wal";

/**
 * Copies the file with what its write-ahead log adds to it: byte for byte what it is once that log is worked in, as it is
 * whenever its last user closes it. The file itself stays as it is, and may be used meanwhile.
 */
export async function backUpFile(path: string, directory: string): Promise<string[]> {
  const file = realpathSync(path);
  const copy = join(directory, COPY);
  const db = openOldFile(path, { readOnly: true });
  try {
    await whenFree(() => {
      db.exec("BEGIN");
      // Only a first read makes it a moment: from here on nothing is taken out of the log, nor written over in the file.
      db.prepare("SELECT count(*) FROM sqlite_schema").get();
    });
    await copyFile(file, copy);
    // After the file: what was worked into it meanwhile is in the log as well.
    if (existsSync(file + LOG)) await copyFile(file + LOG, copy + LOG);
  } finally {
    db.close();
  }
  chmodSync(copy, 0o600);
  workInLog(copy);
  sync(copy);
  sync(directory);
  return [COPY];
}

/**
 * Puts the copy in the file's place in one step, if they differ.
 * @throws Error when other programs use the file; as `node:fs` does when it cannot be written
 */
export async function restoreFile(path: string, directory: string): Promise<void> {
  const file = realpathSync(path);
  const copy = join(directory, COPY);
  leaveAlone(file);
  if (await areSame(copy, file)) return;
  const beside = `${file}.restored`;
  try {
    await copyFile(copy, beside);
    const { mode, uid, gid } = statSync(file);
    chmodSync(beside, mode & 0o777);
    if (process.getuid?.() === 0) chownSync(beside, uid, gid);
    sync(beside);
    // They belong to the file that goes: left over, they would be worked into the one that comes.
    for (const suffix of [LOG, "-shm", "-journal"]) rmSync(file + suffix, { force: true });
    renameSync(beside, file);
    sync(dirname(file));
  } finally {
    rmSync(beside, { force: true });
  }
}

/** Works in the log of a file that nobody else uses, so that there is none beside it. One that is damaged has none that counts. */
function leaveAlone(file: string): void {
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE; COMMIT");
  } catch (thrown) {
    if (!isDamaged(thrown)) throw thrown;
  } finally {
    db.close();
  }
}

const isDamaged = (thrown: unknown): boolean =>
  thrown instanceof Error && "errcode" in thrown && (thrown.errcode === 11 || thrown.errcode === 26);

function workInLog(copy: string): void {
  const db = new DatabaseSync(copy);
  try {
    db.exec("PRAGMA wal_checkpoint(TRUNCATE)");
  } finally {
    db.close();
  }
}

/**
 * In a process of its own: when this one closes a file that SQLite has open as well, the system takes SQLite's locks on it
 * away.
 */
async function copyFile(from: string, to: string): Promise<void> {
  await inOwnProcess("fs.copyFileSync(from, to)", from, to);
}

async function areSame(one: string, other: string): Promise<boolean> {
  if (statSync(one).size !== statSync(other).size) return false;
  return (await inOwnProcess(COMPARE, one, other)) === "same";
}

const COMPARE = `
  const open = (file) => fs.openSync(file, "r");
  const [one, other, a, b] = [open(from), open(to), Buffer.alloc(1 << 20), Buffer.alloc(1 << 20)];
  let read, same = true;
  while (same && (read = fs.readSync(one, a)) > 0) {
    let filled = 0;
    for (let got = 1; filled < read && got > 0; filled += got) got = fs.readSync(other, b, filled, read - filled);
    same = a.subarray(0, read).equals(b.subarray(0, filled));
  }
  process.stdout.write(same ? "same" : "different");`;

/** What goes wrong there is thrown here, with its code. */
async function inOwnProcess(work: string, from: string, to: string): Promise<string> {
  const script = `const fs = require("node:fs"); const [, from, to] = process.argv;
    try { ${work} } catch (error) { process.stderr.write(error.message); process.exitCode = 1; }`;
  try {
    return (await run(process.execPath, ["-e", script, from, to])).stdout;
  } catch (thrown) {
    const said = thrown instanceof Error && "stderr" in thrown ? String(thrown.stderr).trim() : "";
    throw new Error(said.split("\n")[0] || "cannot be copied", { cause: thrown });
  }
}

function sync(path: string): void {
  const descriptor = openSync(path, "r");
  try {
    fsyncSync(descriptor);
  } finally {
    closeSync(descriptor);
  }
}
