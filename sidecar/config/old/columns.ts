/** The older system's tables, as far as configuration goes. */

export const SERVERS = "mcp_servers";
export const ASSIGNMENTS = "agent_mcp_servers";
export const AGENTS = "agents";

export type Table = typeof SERVERS | typeof ASSIGNMENTS | typeof AGENTS;

/** What configuration is made of. */
export const COLUMNS: Readonly<Record<Table, readonly string[]>> = {
  [SERVERS]: [
    "id",
    "name",
    "server_type",
    "description",
    "command",
    "env",
    "http_url",
    "auto_start",
    "max_retries",
    "timeout_seconds",
    "tags",
    "priority",
    "enabled",
  ],
  [ASSIGNMENTS]: ["id", "agent_id", "mcp_server_id"],
  [AGENTS]: ["id", "name"],
};

/** What the older system remembers of its own running. It is backed up, and is no configuration. */
const MEMORY: Readonly<Record<Table, readonly string[]>> = {
  [SERVERS]: [
    "status",
    "started_at",
    "last_error",
    "error_count",
    "connection_attempts",
    "last_ping",
    "tools_discovered",
    "resources_discovered",
    "created_at",
    "updated_at",
    "last_started",
    "last_stopped",
  ],
  [ASSIGNMENTS]: ["created_at", "updated_at"],
  [AGENTS]: [],
};

export const isMemory = (table: Table, column: string): boolean => MEMORY[table].includes(column);

export const TABLES: readonly Table[] = [SERVERS, ASSIGNMENTS, AGENTS];

/** Null: there is no such table. */
export type Shape = Readonly<Record<Table, readonly string[] | null>>;

/** Of `agents` only what names them is ours to know; of the other two every column is, or else it would be lost. */
export function unknownColumns(table: Table, columns: readonly string[]): string[] {
  if (table === AGENTS) return [];
  return columns.filter((column) => !COLUMNS[table].includes(column) && !MEMORY[table].includes(column));
}
