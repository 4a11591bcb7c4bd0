/** The older system's database as what is migrated. It is read only. */
import { cpSync, mkdirSync } from "node:fs";
import { join, resolve } from "node:path";
import type { Fingerprint } from "../backend.ts";
import type { OldDatabase, OldProblem, OpenOldDatabase } from "../old/database.ts";
import { changesInTables } from "../old/postgres-changes.ts";
import { RestoreRefused } from "../old/restore-refused.ts";
import { COPY } from "../old/sqlite-backup.ts";
import { changesInFile } from "../old/sqlite-changes.ts";
import { digestOf, filesIn } from "./files.ts";
import { sizeOf } from "./ground.ts";
import { MigrationRefused } from "./refused.ts";
import type { Source } from "./source.ts";

/** `place`: a SQLite file, or `postgres://…`. @throws Error with one line for a terminal */
export async function databaseSource(
  place: string,
  options: { readOnly: boolean },
  open: OpenOldDatabase,
): Promise<Source> {
  const database = await open(place, options);
  const copies = database.type === "sqlite" ? sqliteCopies(open) : postgresCopies(database);
  return {
    kind: database.type,
    place: database.type === "sqlite" ? resolve(database.place) : database.place,
    identity: database.identity,
    bytes: database.type === "sqlite" ? sizeOf(database.place) + sizeOf(`${database.place}-wal`) : null,
    problems: async () => (await database.problems()).map(inWords),
    entries: () => database.list(),
    fingerprint: () => database.fingerprint(),
    async backUp(directory) {
      mkdirSync(directory, { recursive: true, mode: 0o700 });
      await database.backUp(directory);
    },
    ...copies,
    async restore(directory) {
      try {
        await database.restore(directory);
      } catch (cause) {
        throw cause instanceof RestoreRefused ? new MigrationRefused(cause.message, [], { cause }) : cause;
      }
    },
    close: () => database.close(),
  };
}

type Copies = Pick<Source, "changes" | "checkBackup" | "openToTime">;

/** A backup's copy is a database of its own, to be read and written without harm. */
function sqliteCopies(open: OpenOldDatabase): Copies {
  const openCopy = (directory: string, scratch: string): Promise<OldDatabase> => {
    const copy = join(scratch, "source");
    cpSync(directory, copy, { recursive: true });
    return open(join(copy, COPY), { readOnly: false });
  };
  return {
    changes: async (before, now) => changesInFile(join(before, COPY), join(now, COPY)),
    async checkBackup(directory, fingerprint, scratch) {
      const database = await openCopy(directory, scratch);
      try {
        expectSame(directory, await database.fingerprint(), fingerprint);
      } finally {
        await database.close();
      }
    },
    async openToTime(directory, scratch) {
      const backend = await openCopy(directory, scratch);
      return { backend, isCopy: true, close: () => backend.close() };
    },
  };
}

/** A dump is no database that could be opened: it is what a second one gives, file by file. */
const postgresCopies = (database: OldDatabase): Copies => ({
  changes: changesInTables,
  async checkBackup(directory, fingerprint, scratch) {
    expectSame(directory, await database.fingerprint(), fingerprint);
    const again = join(scratch, "source");
    mkdirSync(again);
    await database.backUp(again);
    for (const file of filesIn(again))
      if (digestOf(join(again, file)).sha256 !== digestOf(join(directory, file)).sha256)
        throw new MigrationRefused(
          `${join(directory, file)} is not what ${database.place} holds: it was changed meanwhile, or the backup is corrupted`,
        );
  },
  openToTime: async () => ({ backend: database, isCopy: false, close: async () => {} }),
});

function expectSame(directory: string, found: Fingerprint, expected: Fingerprint): void {
  if (found.sha256 !== expected.sha256)
    throw new MigrationRefused(`the backup is corrupted: ${directory} does not hold what the source held`);
}

const inWords = ({ table, id, message }: OldProblem): string =>
  `${table}${id === null ? "" : `, id ${id}`}: ${message}`;
