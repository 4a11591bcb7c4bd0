import { DatabaseSync } from "node:sqlite";
import { pathToFileURL } from "node:url";
import { type ComparedRow, changedServers } from "./changes.ts";
import { ASSIGNMENTS, isMemory, SERVERS, type Table } from "./columns.ts";

const SIDES = ["before", "now"] as const;
type Side = (typeof SIDES)[number];

/**
 * What would be lost by putting the file `before` in the place of `now`: servers, and whatever else the older system keeps there.
 * Both are copies in which all is in the file itself.
 */
export function changesInFile(before: string, now: string): string[] {
  const db = new DatabaseSync(":memory:");
  try {
    attach(db, "before", before);
    attach(db, "now", now);
    const rows = (side: Side) => [...rowsOf(db, side, SERVERS), ...rowsOf(db, side, ASSIGNMENTS)];
    const others = tablesOf(db).filter((table) => differs(db, table));
    return [
      ...changedServers(rows("before"), rows("now")),
      ...changedSchema(db),
      ...others.map((table) => `table ${table}`),
    ];
  } finally {
    db.close();
  }
}

function attach(db: DatabaseSync, side: Side, file: string): void {
  const url = pathToFileURL(file);
  // Nobody writes to a copy, and nothing is to be made beside it.
  url.searchParams.set("immutable", "1");
  db.prepare(`ATTACH ? AS ${side}`).run(url.href);
}

function changedSchema(db: DatabaseSync): string[] {
  const made = (side: Side) => `SELECT type, name, tbl_name, sql FROM ${side}.sqlite_schema`;
  return texts(db, `SELECT type || ' ' || name FROM (${eitherAlone(made)}) GROUP BY 1 ORDER BY 1`);
}

/** Those that are in both, and hold what nobody made up from the rest; of the older system's two, rows are compared one by one. */
const tablesOf = (db: DatabaseSync): string[] =>
  texts(
    db,
    `SELECT b.name FROM before.sqlite_schema b JOIN now.sqlite_schema n USING (type, name, sql)
     WHERE b.type = 'table' AND b.sql NOT LIKE 'CREATE VIRTUAL%' AND b.name NOT LIKE 'sqlite\\_stat%' ESCAPE '\\'
       AND b.name NOT IN ('${SERVERS}', '${ASSIGNMENTS}') ORDER BY 1`,
  );

function differs(db: DatabaseSync, table: string): boolean {
  // A column may take texts for the same that are not.
  const columns = columnsOf(db, "now", table).map((name) => `${quoted(name)} COLLATE BINARY`);
  const all = columns.join(", ");
  const rows = (side: Side) => `SELECT ${all}, count(*) FROM ${side}.${quoted(table)} GROUP BY ${all}`;
  return db.prepare(`${eitherAlone(rows)} LIMIT 1`).get() !== undefined;
}

const eitherAlone = (select: (side: Side) => string): string =>
  [SIDES, SIDES.toReversed()]
    .map(([one = "now", other = "now"]) => `SELECT * FROM (${select(one)} EXCEPT ${select(other)})`)
    .join(" UNION ALL ");

/** None: there is no such table. */
function rowsOf(db: DatabaseSync, side: Side, table: Table): ComparedRow[] {
  const columns = columnsOf(db, side, table).filter((name) => !isMemory(table, name));
  if (columns.length === 0) return [];
  const text = columns.map((name) => `quote(${quoted(name)})`).join(" || ',' || ");
  const which = table === SERVERS ? "CAST(id AS TEXT), name" : "CAST(mcp_server_id AS TEXT), NULL";
  const rows = db.prepare(`SELECT ${which}, ${text} FROM ${side}.${table}`);
  rows.setReturnArrays(true);
  return rows.all().map((row) => {
    const [server, name, values] = Object.values(row);
    return {
      server: String(server),
      name: name === null ? null : String(name),
      text: `${table} ${values}`,
    };
  });
}

const columnsOf = (db: DatabaseSync, side: Side, table: string): string[] =>
  texts(db, "SELECT name FROM pragma_table_info(?, ?)", table, side);

const texts = (db: DatabaseSync, sql: string, ...parameters: string[]): string[] =>
  db
    .prepare(sql)
    .all(...parameters)
    .map((row) => String(Object.values(row)[0]));

const quoted = (name: string): string => `"${name.replaceAll('"', '""')}"`;
