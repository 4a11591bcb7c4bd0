/** What a migration and its way back stand on: the files of a state directory, held, and a place for what is half-made. */
import { existsSync, mkdirSync, rmSync, statSync } from "node:fs";
import { basename, join } from "node:path";
import { backup, DatabaseSync } from "node:sqlite";
import { storeFile } from "../store/store.ts";
import { flush, moveFlushed, ownAs } from "./files.ts";
import { holdStateDirectory } from "./lock.ts";
import { MigrationRefused, reasonOf } from "./refused.ts";

export class Ground {
  readonly stateDir: string;
  readonly store: string;
  /** In the same file system as the store, so that what is ready is put in force by its name alone. */
  readonly scratch: string;

  constructor(stateDir: string) {
    this.stateDir = stateDir;
    this.store = storeFile(stateDir);
    this.scratch = join(stateDir, "migrating");
  }

  get hasStore(): boolean {
    return existsSync(this.store);
  }

  /**
   * Holds the directory, and clears away what a migration that was killed left behind. The answer undoes both.
   * @throws MigrationRefused
   */
  hold(): () => void {
    try {
      mkdirSync(this.stateDir, { recursive: true, mode: 0o700 });
    } catch (cause) {
      throw new MigrationRefused(`the state directory cannot be made: ${reasonOf(cause)}`, [], { cause });
    }
    const release = holdStateDirectory(this.stateDir);
    const letGo = () => {
      try {
        this.#clear();
      } catch {
        // What came of it is decided already; the next one clears it away.
      } finally {
        release();
      }
    };
    try {
      this.#clear();
      mkdirSync(this.scratch, { mode: 0o700 });
    } catch (cause) {
      letGo();
      throw new MigrationRefused(`the state directory cannot be written to: ${reasonOf(cause)}`, [], {
        cause,
      });
    }
    return letGo;
  }

  /** A copy of the store as it is now, whoever uses it, for `to`. False: there is none. */
  async copyStore(to: string): Promise<boolean> {
    if (!this.hasStore) return false;
    const db = new DatabaseSync(this.store, { readOnly: true });
    try {
      await backup(db, to);
    } catch (cause) {
      throw new MigrationRefused(`configs.db cannot be read: ${reasonOf(cause)}`, [], { cause });
    } finally {
      db.close();
    }
    return true;
  }

  /** @throws MigrationRefused when another program has it open */
  settle(): void {
    if (this.hasStore) settle(this.store);
  }

  /** From here on `ready` is the store; null: there is none, as before the first one. */
  putInForce(ready: string | null): void {
    this.settle();
    if (ready !== null) {
      // Its name alone moves: what somebody who looks into it has kept in its log would stay behind.
      settle(ready);
      ownAs(this.stateDir, ready);
      moveFlushed(ready, this.store);
    } else if (this.hasStore) {
      rmSync(this.store);
      flush(this.stateDir);
    }
  }

  #clear(): void {
    rmSync(this.scratch, { recursive: true, force: true });
  }
}

/**
 * All of a store in its one file, so that the name of that file decides: what stood in its log is where it belongs.
 * @throws MigrationRefused when another program has it open
 */
export function settle(file: string): void {
  const open = new MigrationRefused(`another program has ${basename(file)} open: end it first`);
  const db = new DatabaseSync(file, { timeout: 0 });
  try {
    if (db.prepare("PRAGMA wal_checkpoint(TRUNCATE)").get()?.busy !== 0) throw open;
  } finally {
    db.close();
  }
  if (existsSync(`${file}-wal`)) throw open;
  flush(file);
}

export const sizeOf = (file: string): number => (existsSync(file) ? statSync(file).size : 0);
