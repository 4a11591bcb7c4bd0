/** The tables of `configs.db`. A change of shape is a new entry in MIGRATIONS; entries that were released stay as they are. */
export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE mcp_configs (
    id INTEGER PRIMARY KEY,
    name TEXT NOT NULL UNIQUE,
    config TEXT NOT NULL CHECK (json_type(config) = 'object'),
    agent_names TEXT NOT NULL DEFAULT '[]' CHECK (json_type(agent_names) = 'array'),
    allowed_tools TEXT NOT NULL DEFAULT '["*"]' CHECK (json_type(allowed_tools) = 'array'),
    enabled INTEGER NOT NULL DEFAULT 1 CHECK (enabled IN (0, 1)),
    created_at INTEGER NOT NULL,
    updated_at INTEGER NOT NULL,
    revision INTEGER NOT NULL,
    -- 1: what it says came through the API, and may start and read only what MCP_API_COMMANDS and MCP_API_VARIABLES name.
    limited INTEGER NOT NULL DEFAULT 0 CHECK (limited IN (0, 1))
  ) STRICT;

  -- Which configurations name an agent. Kept by the triggers below, whoever writes.
  CREATE TABLE mcp_config_agents (
    agent TEXT NOT NULL,
    config_id INTEGER NOT NULL,
    PRIMARY KEY (agent, config_id)
  ) STRICT, WITHOUT ROWID;
  CREATE INDEX mcp_config_agents_by_config ON mcp_config_agents (config_id);
  CREATE TRIGGER mcp_configs_insert AFTER INSERT ON mcp_configs BEGIN
    INSERT OR IGNORE INTO mcp_config_agents SELECT value, new.id FROM json_each(new.agent_names);
  END;
  CREATE TRIGGER mcp_configs_update AFTER UPDATE OF agent_names ON mcp_configs
  WHEN old.agent_names <> new.agent_names BEGIN
    DELETE FROM mcp_config_agents WHERE config_id = new.id;
    INSERT OR IGNORE INTO mcp_config_agents SELECT value, new.id FROM json_each(new.agent_names);
  END;
  CREATE TRIGGER mcp_configs_delete AFTER DELETE ON mcp_configs BEGIN
    DELETE FROM mcp_config_agents WHERE config_id = old.id;
  END;

  CREATE TABLE mcp_config_history (
    -- AUTOINCREMENT: a revision is never given twice, also where the last version is no longer kept.
    revision INTEGER PRIMARY KEY AUTOINCREMENT,
    name TEXT NOT NULL,
    value TEXT,
    at INTEGER NOT NULL,
    by TEXT NOT NULL,
    source TEXT NOT NULL,
    lost INTEGER NOT NULL
  ) STRICT;
  CREATE INDEX mcp_config_history_by_name ON mcp_config_history (name, revision);
  CREATE INDEX mcp_config_history_removed ON mcp_config_history (revision) WHERE value IS NULL;

  -- What the file, MCP_SERVERS or the default said when it was taken over last: at most one row.
  CREATE TABLE mcp_config_seed (
    id INTEGER PRIMARY KEY CHECK (id = 1),
    source TEXT NOT NULL,
    entries TEXT NOT NULL,
    read_at INTEGER NOT NULL
  ) STRICT;
  `,
  // What `hivegate migrate` did, so that it can be taken back.
  `
  CREATE TABLE mcp_migrations (
    id TEXT PRIMARY KEY,
    at INTEGER NOT NULL,
    "from" TEXT NOT NULL,
    mode TEXT NOT NULL,
    backup TEXT NOT NULL,
    -- The last revision that is its own.
    revision INTEGER NOT NULL
  ) STRICT;
  `,
  // What is remembered of a migration from the older system: see rollout/memory.ts.
  "CREATE TABLE mcp_config_migration (key TEXT PRIMARY KEY, value TEXT NOT NULL) STRICT, WITHOUT ROWID",
  // How many bytes there are of each, since both are limited. Kept by the triggers, whoever writes.
  `
  CREATE TABLE mcp_config_bytes (of TEXT PRIMARY KEY, bytes INTEGER NOT NULL) STRICT, WITHOUT ROWID;
  INSERT INTO mcp_config_bytes SELECT 'configs', coalesce(sum(${rowBytes("mcp_configs")}), 0) FROM mcp_configs;
  INSERT INTO mcp_config_bytes SELECT 'history', coalesce(sum(${versionBytes("mcp_config_history")}), 0) FROM mcp_config_history;
  CREATE TRIGGER mcp_configs_bytes_insert AFTER INSERT ON mcp_configs BEGIN
    UPDATE mcp_config_bytes SET bytes = bytes + ${rowBytes("new")} WHERE of = 'configs';
  END;
  CREATE TRIGGER mcp_configs_bytes_update AFTER UPDATE OF config, agent_names, allowed_tools ON mcp_configs BEGIN
    UPDATE mcp_config_bytes SET bytes = bytes + ${rowBytes("new")} - ${rowBytes("old")} WHERE of = 'configs';
  END;
  CREATE TRIGGER mcp_configs_bytes_delete AFTER DELETE ON mcp_configs BEGIN
    UPDATE mcp_config_bytes SET bytes = bytes - ${rowBytes("old")} WHERE of = 'configs';
  END;
  CREATE TRIGGER mcp_config_history_bytes_insert AFTER INSERT ON mcp_config_history BEGIN
    UPDATE mcp_config_bytes SET bytes = bytes + ${versionBytes("new")} WHERE of = 'history';
  END;
  CREATE TRIGGER mcp_config_history_bytes_delete AFTER DELETE ON mcp_config_history BEGIN
    UPDATE mcp_config_bytes SET bytes = bytes - ${versionBytes("old")} WHERE of = 'history';
  END;
  `,
];

/** As every SQLite of the last years can say it: others that write run the triggers too. */
function bytesOf(column: string): string {
  return `length(CAST(${column} AS BLOB))`;
}
function rowBytes(row: string): string {
  return `(${["config", "agent_names", "allowed_tools"].map((name) => bytesOf(`${row}.${name}`)).join(" + ")})`;
}
function versionBytes(row: string): string {
  return `coalesce(${bytesOf(`${row}.value`)}, 0)`;
}
