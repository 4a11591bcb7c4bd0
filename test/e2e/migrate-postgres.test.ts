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
