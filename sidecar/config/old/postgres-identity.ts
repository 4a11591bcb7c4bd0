import { z } from "zod";
import { SERVERS } from "./columns.ts";
import type { Sql } from "./postgres-open.ts";

const Here = z.object({ database: z.string(), schema: z.string().nullable(), isNamed: z.boolean() });

/**
 * The cluster by its own number, whatever its host is called; the database; and the schema that the tables are found in. Who may
 * not ask for the number is left with the host in `place`.
 */
export async function identityOf(sql: Sql, place: string): Promise<string> {
  const [found] = await sql`SELECT current_database()::text AS database,
    has_function_privilege('pg_catalog.pg_control_system()', 'EXECUTE') AS "isNamed",
    coalesce((SELECT relnamespace::regnamespace::text FROM pg_class WHERE oid = to_regclass(${SERVERS})),
      current_schema()::text) AS schema`;
  const { database, schema, isNamed } = Here.parse(found);
  return `postgres:${JSON.stringify([isNamed ? await clusterOf(sql) : place, database, schema])}`;
}

async function clusterOf(sql: Sql): Promise<string> {
  const [found] = await sql`SELECT system_identifier::text AS cluster FROM pg_control_system()`;
  return z.object({ cluster: z.string() }).parse(found).cluster;
}
