/** Opens a file of the older system, and says what is the matter with it. */
import { execFileSync } from "node:child_process";
import { accessSync, constants, existsSync, realpathSync, statSync } from "node:fs";
import { dirname } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";

/**
 * Where only reading is wanted, also what cannot be written, nor the files beside it be made: then nobody else may write to
 * it either.
 * @throws Error with one line for a terminal
 */
export function openOldFile(path: string, { readOnly }: { readOnly: boolean }): DatabaseSync {
  if (!existsSync(path)) throw new Error(`${path}: there is no such file`);
  // SQLite keeps the files that belong to it beside the file itself, not beside what leads to it.
  const file = realpathSync(path);
  if (readOnly && wouldLeaveFiles(file))
    throw new Error(`${path}: only who may write to it can read it now: run this as its owner`);
  try {
    return readOnly && canTidyUp(file) ? onlyRead(opened(file, false)) : opened(file, readOnly);
  } catch (thrown) {
    if (readOnly && !hasLog(file) && !isWritable(dirname(file))) return openedAlone(path, file);
    throw new Error(`${path}: ${causeOf(thrown) ?? "cannot be opened as an SQLite database"}`, {
      cause: thrown,
    });
  }
}

function opened(file: string | URL, readOnly: boolean): DatabaseSync {
  // `whenFree` waits for locks.
  const db = new DatabaseSync(file, { readOnly, timeout: 0 });
  try {
    // The first look at the file: that it is opened says nothing yet.
    db.prepare("SELECT count(*) FROM sqlite_schema").get();
    return db;
  } catch (thrown) {
    db.close();
    throw thrown;
  }
}

/**
 * To read a file that is written with a log, SQLite makes two others beside it. Who may write takes them away again; of anybody
 * else they stay, and are in the owner's way.
 */
const canTidyUp = (file: string): boolean => !hasLog(file) && isWritable(file) && isWritable(dirname(file));

const wouldLeaveFiles = (file: string): boolean =>
  !isWritable(file) && isWritable(dirname(file)) && !existsSync(`${file}-shm`) && isLogged(file);

/** In a process of its own: when this one closes a file that SQLite has open as well, it loses SQLite's locks on it. */
const isLogged = (file: string): boolean => {
  const script = `const fs = require("node:fs"), head = Buffer.alloc(20);
    fs.readSync(fs.openSync(process.argv[1]), head); process.stdout.write(String(head[18]));`;
  return execFileSync(process.execPath, ["-e", script, file], { encoding: "utf8", stdio: "pipe" }) === "2";
};

function onlyRead(db: DatabaseSync): DatabaseSync {
  db.exec("PRAGMA query_only = ON");
  return db;
}

function openedAlone(path: string, file: string): DatabaseSync {
  const url = pathToFileURL(file);
  url.searchParams.set("immutable", "1");
  try {
    return opened(url, true);
  } catch (thrown) {
    throw new Error(`${path}: ${causeOf(thrown) ?? "cannot be opened"}`, { cause: thrown });
  }
}

function isWritable(path: string): boolean {
  try {
    accessSync(path, constants.W_OK);
    return true;
  } catch {
    return false;
  }
}

/** Whether there are changes beside the file that are not in it yet. */
const hasLog = (file: string): boolean =>
  ["-wal", "-journal"].some((suffix) => (statSync(file + suffix, { throwIfNoEntry: false })?.size ?? 0) > 0);

const NEEDS_ITS_OWN = "was not closed as it should be: start and stop the program that it belongs to";

/** SQLite's codes, without what they say more precisely. */
const CAUSES: ReadonlyMap<number, string> = new Map([
  [5, "is locked by another program"],
  [6, "is locked by another program"],
  [8, "cannot be written"],
  [10, "cannot be read or written: the disk says so"],
  [11, "is damaged"],
  [13, "there is no room on the disk"],
  [14, "cannot be opened"],
  [26, "is no SQLite database"],
  // To share a log with others, memory is needed that is a file beside it.
  [4874, "there is no room on the disk"],
  // Changes that were never finished, or that are in its log alone, and that only who may write can take back or work in.
  [264, NEEDS_ITS_OWN],
  [776, NEEDS_ITS_OWN],
]);

/** What SQLite's error means, in words that fit behind a file's name; null for any other. */
export function causeOf(thrown: unknown): string | null {
  if (!(thrown instanceof Error && "errcode" in thrown && typeof thrown.errcode === "number")) return null;
  return CAUSES.get(thrown.errcode) ?? CAUSES.get(thrown.errcode & 0xff) ?? null;
}
