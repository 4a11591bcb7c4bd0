import type { OldDatabase, OpenOldDatabase } from "./database.ts";
import { OldPostgres } from "./postgres.ts";
import { OldSqlite } from "./sqlite.ts";

/** `place`: a SQLite file's path, or `postgres://…`. */
export const openOldDatabase: OpenOldDatabase = async (place, options): Promise<OldDatabase> =>
  isPostgres(place) ? await OldPostgres.open(place, options) : new OldSqlite(pathIn(place), options);

export const isPostgres = (place: string): boolean => /^postgres(ql)?(\+\w+)?:\/\//i.test(place);

/** The older system itself writes `sqlite:///path`, with one slash more where the path is absolute. */
const pathIn = (place: string): string => place.replace(/^sqlite(\+\w+)?:(\/\/\/)?/i, "");
