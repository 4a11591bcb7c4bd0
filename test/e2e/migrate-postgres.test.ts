import { mkdtempSync, readdirSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { EXIT } from "../../sidecar/cli/command.ts";
import { migrate as command } from "../../sidecar/cli/commands/migrate.ts";
import { fingerprintOf } from "../../sidecar/config/fingerprint.ts";
import { digestOf, filesIn } from "../../sidecar/config/migrate/files.ts";
import { openOldDatabase } from "../../sidecar/config/old/open.ts";
import { ConfigStore } from "../../sidecar/config/store/store.ts";
import { makePostgres, POSTGRES_TABLES, ROWS } from "../support/old-tables.ts";
import {
  type PostgresDatabase,
  type PostgresServer,
  postgresAvailable,
  startPostgres,
} from "../support/postgres.ts";
import { run } from "../unit/cli/fakes.ts";

const Last = z.looseObject({ result: z.string(), problems: z.array(z.string()).default([]) });

describe.runIf(postgresAvailable())("hivegate migrate --from postgres://", () => {
  let server: PostgresServer;
  let database: PostgresDatabase;
  let home: string;

  beforeAll(async () => {
    server = await startPostgres();
  });
  afterAll(() => server.stop());
  beforeEach(async () => {
    home = mkdtempSync(join(tmpdir(), "hivegate-migrate-"));
    database = await server.database();
    await makePostgres(database.sql, POSTGRES_TABLES + ROWS);
  });
  afterEach(() => rmSync(home, { recursive: true, force: true }));

  async function hivegate(...options: string[]) {
    const argv = ["migrate", "--from", database.url, "--state-dir", join(home, "state"), ...options];
    const { code, out, err } = await run({ migrate: command }, argv, {
      env: { HOME: "/home/somebody" },
    });
    return { code, out, err, last: Last.parse(JSON.parse(out.trim().split("\n").at(-1) ?? "{}")) };
  }

  /** Every byte of what a backup of it holds now. */
  async function contents(): Promise<Record<string, string>> {
    const directory = mkdtempSync(join(home, "contents-"));
    const opened = await openOldDatabase(database.url, { readOnly: true });
    await opened.backUp(directory);
    await opened.close();
    return Object.fromEntries(
      filesIn(directory).map((file) => [file, digestOf(join(directory, file)).sha256]),
    );
  }

  it("C4 takes every row over, tells no password, and puts every byte back", async () => {
    const opened = await openOldDatabase(database.url, { readOnly: true });
    const entries = await opened.list();
    await opened.close();
    const before = await contents();
    const { code, out, last } = await hivegate();
    expect(code).toBe(EXIT.done);
    expect(last).toMatchObject({
      ...{ result: "done", added: 3, from_kind: "postgres" },
      fingerprint: fingerprintOf(entries),
      times: [{ operation: "list" }, { operation: "get" }, { operation: "of_agent" }],
    });
    const password = new URL(database.url).password;
    expect(password.length).toBeGreaterThan(3);
    expect(out).not.toContain(password);
    const store = new ConfigStore(join(home, "state", "configs.db"));
    expect(store.fingerprint()).toEqual(fingerprintOf(entries));
    store.close();
    expect(await contents()).toEqual(before);

    // Run-time memory alone: no configuration is lost, and every byte comes back.
    await database.sql`UPDATE mcp_servers SET status = 'running', error_count = 9`;
    expect((await hivegate("--mode", "rollback")).last).toMatchObject({
      result: "restored",
      source_restored: true,
    });
    expect(await contents()).toEqual(before);
    expect(readdirSync(join(home, "state"))).not.toContain("configs.db");
  });

  it("C4 waits for a word before it loses what was changed there since", async () => {
    const before = await contents();
    await hivegate();
    await database.sql`UPDATE mcp_servers SET description = 'later' WHERE name = 'files'`;
    await database.sql`DELETE FROM mcp_servers WHERE name = 'bare'`;
    const changed = await contents();
    const refused = await hivegate("--mode", "rollback");
    expect(refused).toMatchObject({ code: EXIT.failed, last: { problems: ["bare", "files"] } });
    expect(await contents()).toEqual(changed);
    const { last } = await hivegate("--mode", "rollback", "--discard-later-changes");
    expect(last).toMatchObject({ result: "restored" });
    expect(await contents()).toEqual(before);
  });

  it("C4 keeps what other tables say of servers, and their triggers", async () => {
    await database.sql.unsafe(`
      CREATE TABLE calls (id serial, server_id int REFERENCES mcp_servers (id) ON DELETE CASCADE);
      INSERT INTO calls (server_id) SELECT id FROM mcp_servers;
      CREATE TABLE notes (assignment_id int REFERENCES agent_mcp_servers (id) DEFERRABLE INITIALLY DEFERRED);
      INSERT INTO notes SELECT id FROM agent_mcp_servers;
      ALTER TABLE mcp_servers ENABLE ALWAYS TRIGGER touched;
      ALTER TABLE agent_mcp_servers DISABLE TRIGGER touched`);
    const before = await contents();
    const rows = (query: string) => database.sql.unsafe(query);
    const around = async () => [
      ...(await rows("SELECT * FROM calls ORDER BY id")),
      ...(await rows("SELECT * FROM notes ORDER BY 1")),
      ...(await rows("SELECT tgrelid, tgname, tgenabled FROM pg_trigger ORDER BY 1, 2")),
    ];
    const others = await around();
    await hivegate();
    await rows("UPDATE mcp_servers SET status = 'running'");
    await rows("UPDATE agent_mcp_servers SET updated_at = now()");
    expect(await hivegate("--mode", "rollback")).toMatchObject({ code: EXIT.done });
    expect(await contents()).toEqual(before);
    expect(await around()).toEqual(others);

    // Two that have each other's name now.
    await hivegate();
    await rows("UPDATE mcp_servers SET name = 'was-files' WHERE name = 'files'");
    await rows("UPDATE mcp_servers SET name = 'files' WHERE name = 'web'");
    await rows("UPDATE mcp_servers SET name = 'web' WHERE name = 'was-files'");
    const back = ["--mode", "rollback", "--discard-later-changes"];
    expect(await hivegate(...back)).toMatchObject({ code: EXIT.done });
    expect(await contents()).toEqual(before);
    expect(await around()).toEqual(others);
  });

  it("C4 takes no row away that another table refers to, but is refused", async () => {
    await database.sql`CREATE TABLE calls (server_id int REFERENCES mcp_servers (id) ON DELETE CASCADE)`;
    await hivegate();
    await database.sql`INSERT INTO mcp_servers (name, server_type, command) VALUES ('later', 'stdio', '["x"]')`;
    await database.sql`INSERT INTO calls SELECT id FROM mcp_servers WHERE name = 'later'`;
    const changed = await contents();
    const { code, last } = await hivegate("--mode", "rollback", "--discard-later-changes");
    expect({ code, last }).toMatchObject({
      code: EXIT.failed,
      last: { result: "refused", reason: expect.stringContaining("calls refers to rows of mcp_servers") },
    });
    expect(await contents()).toEqual(changed);
    expect([...(await database.sql`SELECT server_id FROM calls`)]).toHaveLength(1);
    expect(readdirSync(join(home, "state"))).toContain("configs.db");
    expect(readdirSync(join(home, "state", "backups"))).toHaveLength(1);
  });

  it("C4 knows the database by its schema, not by how its host is written", async () => {
    const { url } = database;
    await database.sql.unsafe(`CREATE SCHEMA b; SET search_path = b; ${POSTGRES_TABLES}; RESET search_path`);
    await hivegate();
    const other = await hivegate("--mode", "rollback", "--from", `${url}?search_path=b`);
    expect(other.last.reason).toContain("this is another one");
    const renamed = new URL(url);
    renamed.hostname = renamed.hostname === "localhost" ? "127.0.0.1" : "localhost";
    expect(await hivegate("--mode", "rollback", "--from", renamed.href)).toMatchObject({ code: EXIT.done });
  });

  it("C4 refuses rows that it cannot keep, and changes nothing", async () => {
    await database.sql`ALTER TABLE mcp_servers ADD COLUMN region TEXT`;
    const rows = () => database.sql`SELECT * FROM mcp_servers ORDER BY id`;
    const before = [...(await rows())];
    const { code, last } = await hivegate();
    expect(code).toBe(EXIT.failed);
    expect(last.problems.join()).toContain("region");
    expect([...(await rows())]).toEqual(before);
    expect(readdirSync(home)).not.toContain("state");
  });
});
