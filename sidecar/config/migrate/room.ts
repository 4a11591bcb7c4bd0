/** Whether the disks have room for a migration. */
import { existsSync, statSync } from "node:fs";
import { dirname, resolve } from "node:path";
import type { ConfigEntry } from "../entry.ts";
import { freeBytes } from "./files.ts";
import { type Ground, sizeOf } from "./ground.ts";
import { MigrationRefused } from "./refused.ts";
import type { Source } from "./source.ts";

/** In the state directory, of source and store each: what is written, what is timed, and a backup that is opened. */
const COPIES = 3;
/** SQLite's logs while operations are timed: they are worked in at 4 MiB each. */
const LOGS_BYTES = 16 * 1024 * 1024;

/** The directories need not be there yet. @throws MigrationRefused */
export function checkRoom(
  ground: Ground,
  source: Source,
  entries: readonly ConfigEntry[],
  backupDir: string,
): void {
  const copy = (source.bytes ?? JSON.stringify(entries).length) + sizeOf(ground.store);
  const [state, backups] = [existing(ground.stateDir), existing(backupDir)];
  const needed = new Map([[state, COPIES * copy + LOGS_BYTES]]);
  const disk = statSync(state).dev === statSync(backups).dev ? state : backups;
  needed.set(disk, (needed.get(disk) ?? 0) + copy);
  for (const [directory, bytes] of needed) {
    const free = freeBytes(directory);
    if (free < bytes)
      throw new MigrationRefused(
        `there is not enough room in ${directory}: ${mebibytes(bytes)} MiB are needed, ${mebibytes(free)} MiB are free`,
      );
  }
}

const existing = (directory: string): string =>
  existsSync(directory) ? directory : existing(dirname(resolve(directory)));

const mebibytes = (bytes: number): number => Math.ceil(bytes / 1024 / 1024);
