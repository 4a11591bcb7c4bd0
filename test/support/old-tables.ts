/** The older system's tables as it makes them itself, and rows for them. */
import { DatabaseSync } from "node:sqlite";
import type postgres from "postgres";

export const SQLITE_TABLES = `
  CREATE TABLE agents (
    id INTEGER PRIMARY KEY AUTOINCREMENT, name TEXT NOT NULL UNIQUE, type TEXT NOT NULL, model TEXT NOT NULL,
    run_id INTEGER DEFAULT 0
  );
  CREATE TABLE mcp_servers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL UNIQUE,
    server_type TEXT NOT NULL CHECK (server_type IN ('stdio', 'http')),
    description TEXT,
    command TEXT,
    env TEXT DEFAULT '{}',
    http_url TEXT,
    auto_start INTEGER NOT NULL DEFAULT 1,
    max_retries INTEGER NOT NULL DEFAULT 3,
    timeout_seconds INTEGER NOT NULL DEFAULT 30,
    tags TEXT DEFAULT '[]',
    priority INTEGER NOT NULL DEFAULT 0,
    status TEXT NOT NULL DEFAULT 'stopped',
    enabled INTEGER NOT NULL DEFAULT 1,
    started_at TEXT,
    last_error TEXT,
    error_count INTEGER NOT NULL DEFAULT 0,
    connection_attempts INTEGER NOT NULL DEFAULT 0,
    last_ping TEXT,
    tools_discovered TEXT DEFAULT '[]',
    resources_discovered TEXT DEFAULT '[]',
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    updated_at TEXT NOT NULL DEFAULT (datetime('now')),
    last_started TEXT,
    last_stopped TEXT
  );
  CREATE TABLE agent_mcp_servers (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    agent_id INTEGER NOT NULL,
    mcp_server_id INTEGER NOT NULL,
    created_at TEXT NOT NULL DEFAULT (datetime('now')),
    updated_at TEXT NOT NULL DEFAULT (datetime('now')),
    FOREIGN KEY (agent_id) REFERENCES agents(id) ON DELETE CASCADE,
    FOREIGN KEY (mcp_server_id) REFERENCES mcp_servers(id) ON DELETE CASCADE,
    UNIQUE (agent_id, mcp_server_id)
  );
  CREATE INDEX by_server ON agent_mcp_servers (mcp_server_id);`;

export const POSTGRES_TABLES = `
  CREATE TABLE agents (
    id SERIAL PRIMARY KEY, name VARCHAR(255) NOT NULL UNIQUE, type TEXT NOT NULL, model TEXT NOT NULL,
    run_id INTEGER DEFAULT 0
  );
  CREATE TABLE mcp_servers (
    id SERIAL PRIMARY KEY,
    name VARCHAR(255) NOT NULL UNIQUE,
    server_type VARCHAR(20) NOT NULL CHECK (server_type IN ('stdio', 'http')),
    description TEXT,
    command JSONB,
    env JSONB DEFAULT '{}',
    http_url VARCHAR(500),
    auto_start BOOLEAN NOT NULL DEFAULT TRUE,
    max_retries INTEGER NOT NULL DEFAULT 3,
    timeout_seconds INTEGER NOT NULL DEFAULT 30,
    tags JSONB DEFAULT '[]',
    priority INTEGER NOT NULL DEFAULT 0,
    status VARCHAR(20) NOT NULL DEFAULT 'stopped',
    enabled BOOLEAN NOT NULL DEFAULT TRUE,
    started_at TIMESTAMP,
    last_error TEXT,
    error_count INTEGER NOT NULL DEFAULT 0,
    connection_attempts INTEGER NOT NULL DEFAULT 0,
    last_ping TIMESTAMP,
    tools_discovered JSONB DEFAULT '[]',
    resources_discovered JSONB DEFAULT '[]',
    created_at TIMESTAMP NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMP NOT NULL DEFAULT NOW(),
    last_started TIMESTAMP,
    last_stopped TIMESTAMP,
    CHECK (server_type <> 'stdio' OR command IS NOT NULL),
    CHECK (server_type <> 'http' OR http_url IS NOT NULL)
  );
  CREATE TABLE agent_mcp_servers (
    id SERIAL PRIMARY KEY,
    agent_id INTEGER NOT NULL REFERENCES agents (id) ON DELETE CASCADE,
    mcp_server_id INTEGER NOT NULL REFERENCES mcp_servers (id) ON DELETE CASCADE,
    created_at TIMESTAMP NOT NULL DEFAULT NOW(),
    updated_at TIMESTAMP NOT NULL DEFAULT NOW(),
    UNIQUE (agent_id, mcp_server_id)
  );
  CREATE INDEX ON agent_mcp_servers (mcp_server_id);
  CREATE FUNCTION touched() RETURNS TRIGGER AS $$ BEGIN NEW.updated_at = NOW(); RETURN NEW; END; $$ LANGUAGE plpgsql;
  CREATE TRIGGER touched BEFORE UPDATE ON mcp_servers FOR EACH ROW EXECUTE FUNCTION touched();
  CREATE TRIGGER touched BEFORE UPDATE ON agent_mcp_servers FOR EACH ROW EXECUTE FUNCTION touched();`;

/** Three servers of two agents, with what the older system wraps and remembers; the same in both databases. */
export const ROWS = `
  INSERT INTO agents (name, type, model) VALUES ('simple', 'x', 'm'), ('discord', 'x', 'm'), ('idle', 'x', 'm');
  INSERT INTO mcp_servers (name, server_type, description, command, env, tags, priority, max_retries, status, last_error)
    VALUES ('files', 'stdio', 'Files of ''home''', '["/usr/bin/bash", "-c", "npx -y server-filesystem \${HOME}"]',
      '{"TOKEN": "s3cret", "B": "$\${x}"}', '["a", "b"]', 7, 5, 'error', 'it broke');
  INSERT INTO mcp_servers (name, server_type, http_url, enabled, auto_start, timeout_seconds)
    VALUES ('web', 'http', 'https://example.com/mcp', FALSE, FALSE, 60);
  INSERT INTO mcp_servers (name, server_type, command, env, tags) VALUES ('bare', 'stdio', '["server"]', NULL, NULL);
  INSERT INTO agent_mcp_servers (agent_id, mcp_server_id) VALUES (1, 1), (2, 1), (2, 2);`;

export function makeSqlite(path: string, sql: string = SQLITE_TABLES + ROWS): void {
  const db = new DatabaseSync(path);
  // As the older system opens it.
  db.exec("PRAGMA journal_mode = WAL");
  db.exec(sql);
  db.close();
}

export async function makePostgres(
  sql: postgres.Sql,
  statements: string = POSTGRES_TABLES + ROWS,
): Promise<void> {
  await sql.unsafe(statements).simple();
}
