/** Connects to PostgreSQL, and says what is the matter with it. */
import postgres from "postgres";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { refusal } from "./refusal.ts";

export type Sql = postgres.Sql;
/** Within a transaction. */
export type Transaction = postgres.TransactionSql;

/** As what it says in JSON, and what a copy holds, has to be the same whoever asks. */
const SESSION = {
  application_name: "hivegate",
  TimeZone: "UTC",
  DateStyle: "ISO, YMD",
  IntervalStyle: "postgres",
  bytea_output: "hex",
  extra_float_digits: 1,
  lock_timeout: LIMITS.oldDatabaseLockMs,
};

/** Connects when it is first used. A `search_path` in the address's query says where its tables are. */
export function connect(address: string, { readOnly }: { readOnly: boolean }): Sql {
  return postgres(address.replace(/^postgres(ql)?(\+\w+)?:/i, "postgres:"), {
    max: CONNECTIONS,
    idle_timeout: 30,
    connect_timeout: LIMITS.oldDatabaseConnectMs / 1000,
    connection: { ...SESSION, ...(readOnly && { default_transaction_read_only: true }) },
    onnotice: () => {},
    // JSON columns take the text as it is.
    types: { json: { to: 114, from: [114, 3802], serialize: String, parse: String } },
  });
}

const CONNECTIONS = 2;

/** Where it is, for people: without user, password or query. */
export function placeIn(address: string): string {
  try {
    const { host, pathname } = new URL(address);
    return `postgres://${host}${pathname}`;
  } catch {
    return "postgres://…";
  }
}

const CAUSES: ReadonlyMap<string, string> = new Map([
  ["ECONNREFUSED", "nobody answers there"],
  ["ENOTFOUND", "there is no such host"],
  ["EAI_AGAIN", "its host's name cannot be looked up now"],
  ["ENOENT", "nobody answers there"],
  ["ERR_INVALID_URL", "this is no address"],
  ["CONNECT_TIMEOUT", "nobody answers there"],
  ["CONNECTION_CLOSED", "the connection was lost"],
  ["CONNECTION_ENDED", "the connection was lost"],
  ["CONNECTION_DESTROYED", "the connection was lost"],
  ["ECONNRESET", "the connection was lost"],
  ["08006", "the connection was lost"],
  ["57P01", "the connection was lost"],
  ["57P03", "it is starting or stopping"],
  ["28000", "it refuses this user"],
  ["28P01", "it refuses this user or password"],
  ["3D000", "there is no such database"],
  ["42P01", "a table is missing"],
  ["42703", "a column is missing"],
  ["42501", "this user may not do that"],
  ["25006", "it can only be read"],
  ["53100", "there is no room on its disk"],
  ["53300", "it has too many connections"],
  ["55P03", "its tables are locked by somebody else"],
]);

/** What the driver or the database says, in words that fit behind its place; null for what has none. */
export function causeOf(thrown: unknown): string | null {
  const code = thrown instanceof Error && "code" in thrown ? String(thrown.code) : "";
  const known = CAUSES.get(code);
  if (known !== undefined) return known;
  return /^[0-9A-Z]{5}$/.test(code) ? `it refuses that (${code})` : null;
}

/** Whether it is about the values that were to be written: too long, out of range, or against a constraint. */
export const isAboutValues = (thrown: unknown): boolean =>
  thrown instanceof postgres.PostgresError && /^2[23]/.test(thrown.code);

/** Gives what goes wrong words for whoever has to do something about it. */
export async function named<T>(place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (thrown) {
    if (thrown instanceof HivegateError) throw thrown;
    if (isAboutValues(thrown)) throw refusal(thrown);
    const cause = causeOf(thrown);
    throw cause === null ? thrown : new Error(`${place}: ${cause}`, { cause: thrown });
  }
}
