/** One at a time: a sidecar, or a migration, has a state directory to itself. */
import { closeSync, existsSync, openSync } from "node:fs";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { ownAs } from "./files.ts";
import { MigrationRefused, reasonOf } from "./refused.ts";

/**
 * Holds the state directory until what it returns is called, or until this process ends, however it does: the system lets go of
 * the lock of a process that was killed. It is the lock that a sidecar holds on its ledger for as long as it runs, so that no
 * sidecar starts meanwhile either.
 * @throws MigrationRefused when somebody else holds it, or nothing can be written there
 */
export function holdStateDirectory(directory: string): () => void {
  const file = join(directory, "ledger.db");
  try {
    // Only if need be: to close a file takes away the locks on it that this process holds elsewhere.
    if (!existsSync(file)) {
      closeSync(openSync(file, "a", 0o600));
      ownAs(directory, file);
    }
    const db = new DatabaseSync(file, { timeout: 0 });
    try {
      db.exec("PRAGMA locking_mode = EXCLUSIVE; BEGIN EXCLUSIVE");
    } catch (thrown) {
      db.close();
      throw thrown;
    }
    return () => db.close();
  } catch (cause) {
    throw isLocked(cause)
      ? new MigrationRefused(
          "the state directory is in use: stop the sidecar first (its tasks go on), or wait for the other migration",
          [],
          { cause },
        )
      : new MigrationRefused(`the state directory cannot be written to: ${reasonOf(cause)}`, [], { cause });
  }
}

const SQLITE_BUSY = 5;
const isLocked = (thrown: unknown): boolean =>
  thrown instanceof Error && "errcode" in thrown && thrown.errcode === SQLITE_BUSY;
