/** Why a database of the older system cannot be migrated as it is. Nothing of a value is in any message but names. */
import type { z } from "zod";
import { McpServerConfig } from "../../mcp/server-config.ts";
import { AGENTS, ASSIGNMENTS, COLUMNS, SERVERS, type Shape, TABLES, unknownColumns } from "./columns.ts";
import type { OldDump, OldProblem, OldRow } from "./database.ts";
import { OldServer, type OldValues } from "./row.ts";
import { entryOf, valuesOf } from "./rows.ts";

/** More are counted, not shown. */
const SHOWN = 20;

/** Missing tables, missing columns, and columns whose content would be lost. */
export function shapeProblems(shape: Shape): OldProblem[] {
  return TABLES.flatMap((table) => {
    const columns = shape[table];
    const told = (message: string): OldProblem => ({ table, id: null, message });
    if (columns === null) return [told("there is no such table")];
    const missing = COLUMNS[table].filter((column) => !columns.includes(column));
    return [
      ...missing.map((column) => told(`there is no column ${column}`)),
      ...unknownColumns(table, columns).map((column) =>
        told(
          `the column ${column} is not known, and what it holds would be lost: take it away, or rename it`,
        ),
      ),
    ];
  });
}

/** All that is wrong with the rows of tables that have the right shape. */
export function rowProblems({ servers, assignments, agents }: OldDump): OldProblem[] {
  const taken = new Set(servers.map(({ name }) => String(name)));
  return [
    ...servers.flatMap((row) => serverProblems(row, taken)),
    ...equals(SERVERS, servers, "name", "name"),
    ...referenceProblems(servers, assignments, agents),
    ...agentProblems(assignments, agents),
  ];
}

/** The first of them, and how many there are beside. */
export function firstProblems(problems: readonly OldProblem[]): OldProblem[] {
  const more = problems.length - SHOWN;
  if (more <= 0) return [...problems];
  const rest = { table: "", id: null, message: `and ${more} more problem${more === 1 ? "" : "s"}` };
  return [...problems.slice(0, SHOWN), rest];
}

const idOf = (row: OldRow): string => String(row.id);

function serverProblems(row: OldRow, taken: Set<string>): OldProblem[] {
  const told = (message: string): OldProblem => ({ table: SERVERS, id: idOf(row), message });
  const read = OldServer.safeParse(row);
  if (!read.success) return read.error.issues.map((issue) => told(inWords(issue)));
  const { server_type, command, http_url } = read.data;
  if (server_type === "stdio" && command.length === 0) return [told("command: expected one, as it is stdio")];
  if (server_type === "http" && http_url === null) return [told("http_url: expected one, as it is http")];
  return configProblems(read.data, taken).map(told);
}

const inWords = ({ path, message }: z.core.$ZodIssue): string => `${String(path[0])}: ${message}`;

/** What the sidecar would say of it, in the words of the older columns. */
function configProblems(values: OldValues, taken: Set<string>): string[] {
  const {
    name,
    server_type: type,
    command: [command, ...args],
    env,
    http_url: url,
  } = values;
  const config = type === "stdio" ? { command, args, env } : { url };
  const checked = McpServerConfig.safeParse({ name, type, ...config });
  if (!checked.success) {
    const columns = checked.error.issues.map(({ path: [field, part], message }) => {
      if (field === "name") return renaming(message, name, taken);
      const column = field === "url" ? "http_url" : field === "args" ? "command" : String(field);
      // What a variable is called is no secret, and there may be many of them.
      return field === "env" ? `env, ${String(part)}: ${message}` : `${column}: ${message}`;
    });
    return [...new Set(columns)];
  }
  const back = valuesOf(entryOf(values, []));
  return "lacks" in back ? [`it could not be written back: there is no place for ${back.lacks}`] : [];
}

function renaming(message: string, name: string, taken: Set<string>): string {
  const base = name
    .replace(/[^\w.-]+/g, "-")
    .replace(/_{2,}/g, "_")
    .replace(/^[^A-Za-z0-9]+|[-_.]+$/g, "")
    .slice(0, 60);
  const first = base || "server";
  const candidates = [first, ...Array.from({ length: 100 }, (_, i) => `${first}${i + 2}`)];
  const free = candidates.find(
    (one) => !taken.has(one) && McpServerConfig.safeParse({ ...ANY, name: one }).success,
  );
  if (free !== undefined) taken.add(free);
  return `name: ${message}${free === undefined ? ": rename it" : `: rename it, to ${free} for example`}`;
}

const ANY = { type: "tcp", host: "localhost", port: 1 };

function equals(table: string, rows: readonly OldRow[], column: string, what: string): OldProblem[] {
  const groups = Map.groupBy(rows, (row) => row[column]);
  return [...groups.values()].flatMap(([first, ...others]) =>
    others.map((row) => ({
      table,
      id: idOf(row),
      message: `${what}: the same as that of ${first ? idOf(first) : "another"}`,
    })),
  );
}

function referenceProblems(
  servers: readonly OldRow[],
  assignments: readonly OldRow[],
  agents: readonly OldRow[],
): OldProblem[] {
  const known = { agent_id: new Set(agents.map(idOf)), mcp_server_id: new Set(servers.map(idOf)) };
  const lost = assignments.flatMap((row) =>
    (["agent_id", "mcp_server_id"] as const)
      .filter((column) => !known[column].has(String(row[column])))
      .map((column) => {
        const table = column === "agent_id" ? AGENTS : SERVERS;
        return { table: ASSIGNMENTS, id: idOf(row), message: `${column}: there is no such row in ${table}` };
      }),
  );
  const pairs = assignments.map((row) => ({
    id: row.id ?? null,
    pair: `${row.agent_id} ${row.mcp_server_id}`,
  }));
  return [...lost, ...equals(ASSIGNMENTS, pairs, "pair", "the agent and its server")];
}

/** Of agents only those matter that a server is assigned to: they are told apart by their names from now on. */
function agentProblems(assignments: readonly OldRow[], agents: readonly OldRow[]): OldProblem[] {
  const assigned = new Set(assignments.map((row) => String(row.agent_id)));
  const named = agents.filter((row) => assigned.has(idOf(row)));
  const isName = ({ name }: OldRow) => typeof name === "string" && name !== "" && name.length <= 255;
  const names = new Set(named.map(({ name }) => name));
  return [
    ...named
      .filter((row) => !isName(row))
      .map((row) => ({ table: AGENTS, id: idOf(row), message: "name: expected one of 1 to 255 characters" })),
    ...equals(
      AGENTS,
      agents.filter((row) => isName(row) && names.has(row.name)),
      "name",
      "name",
    ),
  ];
}
