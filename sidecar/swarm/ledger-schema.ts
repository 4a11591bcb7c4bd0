/** The ledger's tables. A change of shape is a new entry in MIGRATIONS; entries that were released stay as they are. */
import { join } from "node:path";
import type { DatabaseSync } from "node:sqlite";
import { openDatabaseFile } from "../sqlite/open.ts";
import { isLocked } from "../sqlite/transaction.ts";

export const MIGRATIONS: readonly string[] = [
  `
  CREATE TABLE tasks (
    task_id TEXT PRIMARY KEY,
    task TEXT NOT NULL,
    priority TEXT NOT NULL,
    verbose INTEGER NOT NULL,
    method TEXT NOT NULL,
    state TEXT NOT NULL,
    swarm_id TEXT,
    created_at INTEGER NOT NULL,
    started_at INTEGER,
    ended_at INTEGER,
    exit_code INTEGER,
    error_code TEXT,
    error_message TEXT,
    handle TEXT,
    stop_asked INTEGER NOT NULL DEFAULT 0
  ) STRICT;
  CREATE INDEX tasks_by_age ON tasks (created_at);
  CREATE INDEX tasks_by_end ON tasks (ended_at);

  CREATE TABLE events (
    task_id TEXT NOT NULL REFERENCES tasks ON DELETE CASCADE,
    seq INTEGER NOT NULL,
    timestamp INTEGER NOT NULL,
    kind TEXT NOT NULL,
    stream TEXT,
    text TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (task_id, seq)
  ) STRICT, WITHOUT ROWID;
  `,
  "ALTER TABLE tasks ADD COLUMN never_ran INTEGER NOT NULL DEFAULT 0",
  "CREATE TABLE remembered (task_id TEXT PRIMARY KEY, fingerprint TEXT NOT NULL) STRICT",
  "CREATE TABLE breakers (name TEXT PRIMARY KEY, state TEXT NOT NULL) STRICT",
  // Tasks that wait for their turn, time limits, and lines as events. What was written as it came stays as it is: it
  // is shown right as partial lines.
  `
  ALTER TABLE tasks ADD COLUMN timeout_ms INTEGER NOT NULL DEFAULT 86400000;
  ALTER TABLE tasks ADD COLUMN client TEXT NOT NULL DEFAULT '';
  ALTER TABLE tasks ADD COLUMN spawning_at INTEGER;
  ALTER TABLE tasks ADD COLUMN paused_at INTEGER;
  ALTER TABLE tasks ADD COLUMN output_bytes INTEGER NOT NULL DEFAULT 0;
  ALTER TABLE events ADD COLUMN partial INTEGER NOT NULL DEFAULT 0;
  UPDATE events SET partial = 1 WHERE kind = 'output';
  UPDATE events SET text = json_set(text,
    '$.state', CASE text ->> '$.state' WHEN 'starting' THEN 'spawning' WHEN 'unknown' THEN 'lost'
      ELSE text ->> '$.state' END,
    '$.spawningAt', text -> '$.createdAt', '$.pausedAt', NULL, '$.timeoutMs', 86400000) WHERE kind = 'state';
  UPDATE tasks SET spawning_at = created_at,
    state = CASE state WHEN 'starting' THEN 'spawning' WHEN 'unknown' THEN 'lost' ELSE state END,
    output_bytes = (SELECT coalesce(sum(bytes), 0) FROM events WHERE events.task_id = tasks.task_id);
  CREATE INDEX state_events ON events (task_id, seq) WHERE kind = 'state';

  CREATE TABLE open_lines (
    task_id TEXT NOT NULL REFERENCES tasks ON DELETE CASCADE,
    stream TEXT NOT NULL,
    text TEXT NOT NULL,
    PRIMARY KEY (task_id, stream)
  ) STRICT, WITHOUT ROWID;
  `,
  "ALTER TABLE tasks ADD COLUMN note TEXT",
  `
  CREATE TABLE kept_bytes (
    task_id TEXT NOT NULL REFERENCES tasks ON DELETE CASCADE,
    stream TEXT NOT NULL,
    bytes INTEGER NOT NULL,
    PRIMARY KEY (task_id, stream)
  ) STRICT, WITHOUT ROWID;
  `,
];

/**
 * The ledger's database in `directory`, which is made if need be, for this user alone. One process holds it
 * at a time: two sidecars on one ledger would watch every task twice.
 * @throws Error with one line that is fit for a terminal
 */
export function openDatabase(directory: string): DatabaseSync {
  try {
    return openDatabaseFile(join(directory, "ledger.db"), {
      what: "the ledger",
      migrations: MIGRATIONS,
      // With NORMAL what was written survives the death of this process, which is what tasks outlive.
      pragmas: "PRAGMA locking_mode = EXCLUSIVE; PRAGMA synchronous = NORMAL",
    });
  } catch (cause) {
    throw isLocked(cause)
      ? new Error("another sidecar uses this state directory: stop it, or set SIDECAR_STATE_DIR", { cause })
      : cause;
  }
}
