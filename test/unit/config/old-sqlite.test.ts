import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { describe, expect, it, onTestFinished } from "vitest";
import { OldSqlite } from "../../../sidecar/config/old/sqlite.ts";
import { SQLITE_TABLES } from "../../support/old-tables.ts";
import { stdio } from "./rollout/rig.ts";

/** An older database with its tables made by `sql`, and the server `first` in it. */
function oldDatabase(sql: string) {
  const directory = mkdtempSync(join(tmpdir(), "old-sqlite-"));
  const file = join(directory, "old.db");
  const db = new DatabaseSync(file);
  db.exec(sql);
  db.exec(
    `INSERT INTO mcp_servers (id, name, server_type, command, status) VALUES (7, 'first', 'stdio', '["node"]', 'running')`,
  );
  const old = new OldSqlite(file, { readOnly: false });
  onTestFinished(async () => {
    await old.close();
    db.close();
    rmSync(directory, { recursive: true, force: true });
  });
  return { db, old, put: (name: string) => old.write([{ name, entry: stdio(name) }]) };
}

function replaced(text: string, by: string): string {
  expect(SQLITE_TABLES).toContain(text);
  return SQLITE_TABLES.replaceAll(text, by);
}

describe("writing an older database in SQLite", () => {
  it("C4 counts ids on where SQLite makes none", async () => {
    const { db, put } = oldDatabase(replaced("INTEGER PRIMARY KEY AUTOINCREMENT", "BIGINT PRIMARY KEY"));
    await put("second");
    expect(
      db
        .prepare("SELECT id FROM mcp_servers ORDER BY id")
        .all()
        .map(({ id }) => id),
    ).toEqual([7, 8]);
  });

  it("C4 fills what the older system fills in its own code", async () => {
    const { db, put } = oldDatabase(
      replaced("status TEXT NOT NULL DEFAULT 'stopped'", "status TEXT NOT NULL"),
    );
    await put("second");
    expect(db.prepare("SELECT status FROM mcp_servers WHERE name = 'second'").get()?.status).toBe("stopped");
  });

  it("C4 says that it is the change that is refused, where a rule of the database is against it", async () => {
    for (const rule of [
      "CREATE TRIGGER one BEFORE INSERT ON mcp_servers BEGIN SELECT RAISE(ABORT, 'not that one'); END",
      "CREATE UNIQUE INDEX one ON mcp_servers (command)",
    ]) {
      const { db, put } = oldDatabase(SQLITE_TABLES);
      db.exec(rule);
      await expect(put("second")).rejects.toMatchObject({ code: "config_invalid" });
    }
  });

  it("C4 blames nobody who reads for a row that cannot be read, but who wants to change it", async () => {
    const { db, old, put } = oldDatabase(SQLITE_TABLES);
    db.exec("UPDATE mcp_servers SET env = '{'");
    await expect(old.list()).rejects.toMatchObject({ code: "overloaded" });
    await expect(old.get("first")).rejects.toMatchObject({ code: "overloaded" });
    await expect(put("first")).rejects.toMatchObject({ code: "config_invalid" });
    await put("second");
  });
});
