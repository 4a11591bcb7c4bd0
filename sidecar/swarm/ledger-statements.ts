/** Every statement of the ledger, prepared once. */
import type { DatabaseSync } from "node:sqlite";

export type Statements = ReturnType<typeof prepareStatements>;

export const prepareStatements = (db: DatabaseSync) => ({
  get: db.prepare("SELECT * FROM tasks WHERE task_id = ?"),
  insert: db.prepare(
    `INSERT INTO tasks (task_id, task, priority, verbose, timeout_ms, client, method, state, created_at, spawning_at)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
  ),
  beginAgain: db.prepare(
    `UPDATE tasks SET method = ?, note = NULL, state = ?, spawning_at = ?, ended_at = NULL, error_code = NULL, error_message = NULL,
     handle = NULL, stop_asked = 0, never_ran = 0 WHERE task_id = ?`,
  ),
  update: db.prepare(
    `UPDATE tasks SET method = ?, note = ?, state = ?, swarm_id = ?, spawning_at = ?, started_at = ?, paused_at = ?, ended_at = ?,
     exit_code = ?, error_code = ?, error_message = ?, never_ran = ? WHERE task_id = ?`,
  ),
  remember: db.prepare("UPDATE tasks SET handle = ? WHERE task_id = ?"),
  askStop: db.prepare("UPDATE tasks SET stop_asked = ? WHERE task_id = ?"),
  // `swarms`: a JSON list of ids, or null for all tasks.
  list: db.prepare(
    `WITH asked AS (
       SELECT rowid AS n, * FROM tasks WHERE $swarms IS NULL OR swarm_id IN (SELECT value FROM json_each($swarms))
     ) SELECT * FROM asked WHERE ended_at IS NULL OR n IN (
       SELECT n FROM asked WHERE ended_at IS NOT NULL ORDER BY created_at DESC, n DESC LIMIT $ended
     ) ORDER BY created_at DESC, n DESC`,
  ),
  unfinished: db.prepare("SELECT * FROM tasks WHERE ended_at IS NULL ORDER BY created_at, rowid"),
  keepSize: db.prepare("UPDATE tasks SET output_bytes = ? WHERE task_id = ?"),
  keptBytes: db.prepare("SELECT sum(output_bytes) AS bytes FROM tasks WHERE ended_at IS NOT NULL"),
  endedFirst: db.prepare(
    `SELECT task_id, output_bytes FROM tasks WHERE ended_at IS NOT NULL AND output_bytes > 0
     ORDER BY ended_at, rowid`,
  ),
  overdue: db.prepare(
    "SELECT * FROM tasks WHERE ended_at IS NOT NULL ORDER BY ended_at DESC, rowid DESC LIMIT -1 OFFSET ?",
  ),
  delete: db.prepare("DELETE FROM tasks WHERE task_id = ?"),
  keepFingerprint: db.prepare("INSERT INTO remembered (task_id, fingerprint) VALUES (?, ?)"),
  fingerprint: db.prepare("SELECT fingerprint FROM remembered WHERE task_id = ?"),
  // Row ids only go up, for the highest is never deleted.
  forgetRemembered: db.prepare(
    "DELETE FROM remembered WHERE rowid <= (SELECT max(rowid) FROM remembered) - ?",
  ),
  append: db.prepare(
    "INSERT INTO events (task_id, seq, timestamp, kind, stream, text, partial, bytes) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
  ),
  openLine: db.prepare("INSERT OR REPLACE INTO open_lines (task_id, stream, text) VALUES (?, ?, ?)"),
  line: db.prepare("SELECT text FROM open_lines WHERE task_id = ? AND stream = ?"),
  endLine: db.prepare("DELETE FROM open_lines WHERE task_id = ? AND stream = ?"),
  keepBytes: db.prepare("INSERT OR REPLACE INTO kept_bytes (task_id, stream, bytes) VALUES (?, ?, ?)"),
  bytesKept: db.prepare("SELECT bytes FROM kept_bytes WHERE task_id = ? AND stream = ?"),
  events: db.prepare("SELECT * FROM events WHERE task_id = ? AND seq > ? ORDER BY seq LIMIT ?"),
  stateEvents: db.prepare(
    "SELECT * FROM events WHERE task_id = ? AND seq > ? AND kind = 'state' ORDER BY seq LIMIT ?",
  ),
  head: db.prepare("SELECT max(seq) AS seq, sum(bytes) AS bytes FROM events WHERE task_id = ?"),
  // The event through which the oldest ones come to so many bytes, summed up in SQLite for the sake of speed.
  oldest: db.prepare(
    `SELECT seq, total AS bytes FROM (
       SELECT seq, sum(bytes) OVER (ORDER BY seq) AS total FROM events WHERE task_id = ? AND seq < ?
     ) WHERE total >= ? LIMIT 1`,
  ),
  drop: db.prepare("DELETE FROM events WHERE task_id = ? AND seq <= ?"),
  noEnd: db.prepare(
    `UPDATE events SET kind = 'gap', text = ?
     WHERE task_id = ? AND seq = (SELECT max(seq) FROM events WHERE task_id = ?)`,
  ),
  dropAllButLast: db.prepare(
    "DELETE FROM events WHERE task_id = ? AND seq < (SELECT max(seq) FROM events WHERE task_id = ?)",
  ),
  firstOutput: db.prepare(
    "SELECT text, partial FROM events WHERE task_id = ? AND kind = 'output' AND stream = 'stdout' ORDER BY seq",
  ),
  lastOutput: db.prepare(
    "SELECT text, partial FROM events WHERE task_id = ? AND kind = 'output' AND stream = 'stdout' ORDER BY seq DESC",
  ),
});
