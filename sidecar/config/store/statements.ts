/** Every statement of the store, prepared once. */
import type { DatabaseSync } from "node:sqlite";

export type Statements = ReturnType<typeof prepareStatements>;

export const prepareStatements = (db: DatabaseSync) => ({
  revisions: db.prepare("SELECT name, revision, limited FROM mcp_configs ORDER BY id"),
  get: db.prepare("SELECT * FROM mcp_configs WHERE name = ?"),
  ofAgent: db.prepare(
    `SELECT mcp_configs.* FROM mcp_config_agents JOIN mcp_configs ON id = config_id WHERE agent = ? ORDER BY name`,
  ),
  isLimited: db.prepare("SELECT limited FROM mcp_configs WHERE name = ?"),
  insert: db.prepare(
    `INSERT INTO mcp_configs (config, agent_names, allowed_tools, enabled, name, revision, created_at, updated_at, limited)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  update: db.prepare(
    `UPDATE mcp_configs SET config = ?, agent_names = ?, allowed_tools = ?, enabled = ?, revision = ?, updated_at = ?, limited = ?
     WHERE name = ?`,
  ),
  free: db.prepare("UPDATE mcp_configs SET limited = 0 WHERE name = ? AND limited = 1"),
  delete: db.prepare("DELETE FROM mcp_configs WHERE name = ?"),

  revision: db.prepare(
    "SELECT revision FROM mcp_config_history WHERE lost = 0 ORDER BY revision DESC LIMIT 1",
  ),
  // Changes with every transaction of another connection.
  dataVersion: db.prepare("PRAGMA data_version"),
  append: db.prepare(
    "INSERT INTO mcp_config_history (name, value, at, by, source, lost) VALUES (?, ?, ?, ?, ?, ?)",
  ),
  last: db.prepare("SELECT * FROM mcp_config_history WHERE lost = 0 ORDER BY revision DESC LIMIT 1"),
  version: db.prepare("SELECT * FROM mcp_config_history WHERE name = ? AND revision = ?"),
  history: db.prepare("SELECT * FROM mcp_config_history WHERE revision < ? ORDER BY revision DESC LIMIT ?"),
  historyOf: db.prepare(
    "SELECT * FROM mcp_config_history WHERE revision < ? AND name = ? ORDER BY revision DESC LIMIT ?",
  ),
  forgetVersions: db.prepare(
    `DELETE FROM mcp_config_history WHERE name = $name AND revision <= (
       SELECT revision FROM mcp_config_history WHERE name = $name ORDER BY revision DESC LIMIT 1 OFFSET $kept)`,
  ),
  // Of servers that are gone, all but those that went last.
  forgetRemoved: db.prepare(
    `DELETE FROM mcp_config_history WHERE name IN (
       SELECT name FROM mcp_config_history AS gone
       WHERE value IS NULL AND NOT EXISTS (SELECT 1 FROM mcp_configs WHERE mcp_configs.name = gone.name)
       GROUP BY name ORDER BY max(revision) DESC LIMIT -1 OFFSET ?)`,
  ),
  bytes: db.prepare("SELECT bytes FROM mcp_config_bytes WHERE of = ?"),
  // What is in force is kept: it is limited by itself.
  oldestVersions: db.prepare(
    `SELECT revision, length(CAST(value AS BLOB)) AS bytes FROM mcp_config_history
     WHERE revision NOT IN (SELECT revision FROM mcp_configs) ORDER BY revision`,
  ),
  forgetOldest: db.prepare(
    "DELETE FROM mcp_config_history WHERE revision <= ? AND revision NOT IN (SELECT revision FROM mcp_configs)",
  ),

  seed: db.prepare("SELECT source, entries, read_at FROM mcp_config_seed"),
  keepSeed: db.prepare(
    "INSERT OR REPLACE INTO mcp_config_seed (id, source, entries, read_at) VALUES (1, ?, ?, ?)",
  ),
});
