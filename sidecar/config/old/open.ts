import type { OldDatabase, OpenOldDatabase } from "./database.ts";
import { OldPostgres } from "./postgres.ts";
import { OldSqlite } from "./sqlite.ts";

/** `place`: a SQLite file's path, or `postgres://…`. */
export const openOldDatabase: OpenOldDatabase = async (place, options): Promise<OldDatabase> => {
  checkPlace(place);
  return isPostgres(place) ? await OldPostgres.open(place, options) : new OldSqlite(pathIn(place), options);
};

/** What is another address is not shown, as if it were a file's name: there may be a password in it. @throws Error */
export function checkPlace(place: string): void {
  if (!isPostgres(place) && !isSqliteAddress(place) && /^[a-z][a-z0-9+.-]+:.*(@|\/\/)/is.test(place))
    throw new Error("this is neither a file nor postgres://user:password@host/database");
}

export const isSqliteAddress = (place: string): boolean => /^sqlite(\+\w+)?:/i.test(place);

export const isPostgres = (place: string): boolean => /^postgres(ql)?(\+\w+)?:\/\//i.test(place);

/** The older system itself writes `sqlite:///path`, with one slash more where the path is absolute. */
const pathIn = (place: string): string => place.replace(/^sqlite(\+\w+)?:(\/\/\/)?/i, "");
