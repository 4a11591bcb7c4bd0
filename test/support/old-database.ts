/** A database of the older system in SQLite, as large as a test needs it. */
import { DatabaseSync } from "node:sqlite";

const TABLES = `
  CREATE TABLE agents (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
  CREATE TABLE mcp_servers (
    id TEXT PRIMARY KEY,
    name TEXT NOT NULL,
    server_type TEXT NOT NULL,
    description TEXT,
    command TEXT,
    env TEXT,
    http_url TEXT,
    auto_start INTEGER NOT NULL DEFAULT 1,
    max_retries INTEGER NOT NULL DEFAULT 3,
    timeout_seconds INTEGER NOT NULL DEFAULT 30,
    tags TEXT,
    priority INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'stopped',
    enabled INTEGER NOT NULL DEFAULT 1,
    started_at TEXT,
    last_error TEXT,
    error_count INTEGER NOT NULL DEFAULT 0,
    connection_attempts INTEGER NOT NULL DEFAULT 0,
    last_ping TEXT,
    tools_discovered TEXT,
    resources_discovered TEXT,
    created_at TEXT NOT NULL DEFAULT '2025-06-01 10:00:00',
    updated_at TEXT NOT NULL DEFAULT '2025-06-01 10:00:00',
    last_started TEXT,
    last_stopped TEXT
  );
  CREATE INDEX mcp_servers_by_name ON mcp_servers (name);
  CREATE TABLE agent_mcp_servers (
    id INTEGER PRIMARY KEY,
    agent_id INTEGER NOT NULL REFERENCES agents (id),
    mcp_server_id TEXT NOT NULL REFERENCES mcp_servers (id),
    created_at TEXT NOT NULL DEFAULT '2025-06-01 10:00:00',
    updated_at TEXT NOT NULL DEFAULT '2025-06-01 10:00:00'
  );
  CREATE INDEX assignments_by_agent ON agent_mcp_servers (agent_id);
  CREATE INDEX assignments_by_server ON agent_mcp_servers (mcp_server_id);
`;

export type OldDatabaseSize = {
  servers: number;
  agents: number;
  /** Different agents of each server; at most as many as there are. */
  agentsPerServer: number;
  /** The first so many are enabled; all. */
  enabled?: number;
};

/** Every second server is reached over HTTP. What its tables hold beside configuration is not empty either. */
export function makeOldDatabase(
  file: string,
  { servers, agents, agentsPerServer, enabled = servers }: OldDatabaseSize,
): void {
  const db = new DatabaseSync(file);
  db.exec(`${TABLES} BEGIN`);
  const agent = db.prepare("INSERT INTO agents (id, name) VALUES (?, ?)");
  for (let id = 1; id <= agents; id++) agent.run(id, `agent-${id}`);
  const server = db.prepare(
    `INSERT INTO mcp_servers (id, name, server_type, description, command, env, http_url, tags, enabled, tools_discovered)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  );
  const assignment = db.prepare("INSERT INTO agent_mcp_servers (agent_id, mcp_server_id) VALUES (?, ?)");
  for (let index = 0; index < servers; index++) {
    const isHttp = index % 2 === 1;
    const command = isHttp ? null : JSON.stringify(["npx", "-y", `server-${index}`, "--größe", `${index}`]);
    server.run(
      ...[`id-${index}`, `server-${index}`, isHttp ? "http" : "stdio", `The ${index}th`, command],
      ...[JSON.stringify(isHttp ? {} : { TOKEN: `secret-${index}` })],
      ...[isHttp ? `http://127.0.0.1:9/${index}` : null, '["a","b"]', index < enabled ? 1 : 0, '["tool"]'],
    );
    for (let nth = 0; nth < agentsPerServer; nth++)
      assignment.run(1 + ((index * 13 + nth) % agents), `id-${index}`);
  }
  db.exec("COMMIT");
  db.close();
}
