/** Finds out what a place holds. */
import { closeSync, openSync, readSync } from "node:fs";
import { checkPlace, isPostgres, isSqliteAddress, openOldDatabase } from "../old/open.ts";
import { databaseSource } from "./database-source.ts";
import { fileSource } from "./file-source.ts";
import { MigrationRefused, reasonOf } from "./refused.ts";
import type { Source } from "./source.ts";

/** `place`: a SQLite file, `postgres://…`, or a file of MCP servers. @throws MigrationRefused */
export async function openSource(place: string, options: { readOnly: boolean }): Promise<Source> {
  try {
    checkPlace(place);
    if (!isDatabase(place)) return fileSource(place);
    return await databaseSource(place, options, openOldDatabase);
  } catch (cause) {
    throw cause instanceof MigrationRefused ? cause : new MigrationRefused(reasonOf(cause), [], { cause });
  }
}

const isDatabase = (place: string): boolean => isPostgres(place) || isSqliteAddress(place) || isSqlite(place);

const SQLITE_HEAD = "SQLite format 3\0";

/** @throws MigrationRefused when it cannot be read */
function isSqlite(file: string): boolean {
  try {
    const descriptor = openSync(file, "r");
    try {
      const head = Buffer.alloc(SQLITE_HEAD.length);
      return readSync(descriptor, head) === head.length && head.toString("latin1") === SQLITE_HEAD;
    } finally {
      closeSync(descriptor);
    }
  } catch (cause) {
    throw new MigrationRefused(`${file} cannot be read: ${reasonOf(cause)}`, [], { cause });
  }
}
