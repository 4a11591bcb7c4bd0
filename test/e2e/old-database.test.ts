/** The older system's database, in a SQLite file and in a real PostgreSQL server. */
import { execFileSync } from "node:child_process";
import { createHash } from "node:crypto";
import {
  chmodSync,
  copyFileSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { tmpdir } from "node:os";
import { basename, dirname, join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import type { ConfigEntry } from "../../sidecar/config/entry.ts";
import { fingerprintOf } from "../../sidecar/config/fingerprint.ts";
import type { OldDatabase } from "../../sidecar/config/old/database.ts";
import { openOldDatabase } from "../../sidecar/config/old/open.ts";
import { makePostgres, makeSqlite, POSTGRES_TABLES, ROWS, SQLITE_TABLES } from "../support/old-tables.ts";
import { type PostgresServer, postgresAvailable, startPostgres } from "../support/postgres.ts";
import { canMount, smallDisk } from "../support/small-disk.ts";

const dir = mkdtempSync(join(tmpdir(), "hivegate-old-"));
afterAll(() => rmSync(dir, { recursive: true, force: true }));
let made = 0;
const newDirectory = () => mkdtempSync(join(dir, `${++made}-`));

/** One that a test has for itself: where it is, and how to do something to it behind Hivegate's back. */
type Place = { place: string; run(sql: string): Promise<Record<string, unknown>[]> };
type Kind = { make(tables?: string, rows?: string): Promise<Place> };

const sqlite: Kind = {
  async make(tables = SQLITE_TABLES, rows = ROWS) {
    const place = join(newDirectory(), "automagik.db");
    makeSqlite(place, tables + rows);
    const run = async (sql: string) => {
      const db = new DatabaseSync(place, { timeout: 5_000 });
      try {
        return db.prepare(sql).all();
      } finally {
        db.close();
      }
    };
    return { place, run };
  },
};

let server: PostgresServer | undefined;
const postgres: Kind = {
  async make(tables = POSTGRES_TABLES, rows = ROWS) {
    if (!server) throw new Error("PostgreSQL was not started");
    const { url, sql } = await server.database();
    await makePostgres(sql, tables + rows);
    return { place: url, run: async (statement) => [...(await sql.unsafe(statement))] };
  },
};

const hasPostgres = postgresAvailable();
beforeAll(async () => {
  if (hasPostgres) server = await startPostgres();
});
afterAll(() => server?.stop());

const opened = async (place: string, use: (db: OldDatabase) => Promise<void>, readOnly = false) => {
  const db = await openOldDatabase(place, { readOnly });
  try {
    await use(db);
  } finally {
    await db.close();
  }
};

const FILES: ConfigEntry = {
  name: "files",
  config: {
    command: "/usr/bin/bash",
    args: ["-c", "npx -y server-filesystem $${HOME}"],
    env: { TOKEN: "s3cret", B: `$$$\{x}` },
    description: "Files of 'home'",
    tags: ["a", "b"],
    priority: 7,
    maxRetries: 5,
  },
  agent_names: ["discord", "simple"],
  allowed_tools: ["*"],
  enabled: true,
};
const WEB: ConfigEntry = {
  name: "web",
  config: { url: "https://example.com/mcp", timeoutSeconds: 60, autoStart: false },
  agent_names: ["discord"],
  allowed_tools: ["*"],
  enabled: false,
};
const BARE: ConfigEntry = {
  name: "bare",
  config: { command: "server" },
  agent_names: [],
  allowed_tools: ["*"],
  enabled: true,
};

const kinds: [string, Kind][] = [
  ["sqlite", sqlite],
  ...(hasPostgres ? [["postgres", postgres] as [string, Kind]] : []),
];

describe.each(kinds)("the older database in %s", (type, kind) => {
  it("C4 gives its servers as entries, all, one, and an agent's", async () => {
    const { place } = await kind.make();
    await opened(
      place,
      async (db) => {
        expect(db.type).toBe(type);
        expect(db.place).not.toContain("horse");
        expect(await db.problems()).toEqual([]);
        expect(await db.list()).toEqual([BARE, FILES, WEB]);
        expect(await db.get("files")).toEqual(FILES);
        expect(await db.get("nobody")).toBeNull();
        expect(await db.ofAgent("discord")).toEqual([FILES, WEB]);
        expect(await db.ofAgent("idle")).toEqual([]);
        expect(await db.fingerprint()).toEqual(fingerprintOf([BARE, FILES, WEB]));
        expect(await db.fingerprint()).toMatchObject({ servers: 3, assignments: 3 });
        const { servers, assignments, agents } = await db.dump();
        expect([servers.length, assignments.length, agents.length]).toEqual([3, 3, 3]);
      },
      true,
    );
  });

  it("C4 takes changes of both tables at once, and leaves the columns alone whose meaning stays", async () => {
    const { place, run } = await kind.make();
    const memory = "SELECT id, status, last_error, error_count FROM mcp_servers WHERE name = 'files'";
    const before = await run(memory);
    await opened(place, async (db) => {
      const files = { ...FILES, agent_names: ["idle", "simple"], config: { ...FILES.config, priority: 8 } };
      const fresh: ConfigEntry = {
        ...BARE,
        name: "new",
        config: { url: "http://h/mcp" },
        agent_names: ["idle"],
      };
      await db.write([
        { name: "files", entry: files },
        { name: "new", entry: fresh },
        { name: "bare", entry: null },
        { name: "nobody", entry: null },
        { name: "web", entry: WEB },
      ]);
      expect(await db.list()).toEqual([files, fresh, WEB]);
      expect(await db.problems()).toEqual([]);
    });
    expect(await run(memory)).toEqual(before);
    expect(await run("SELECT id FROM agent_mcp_servers WHERE agent_id = 1")).toEqual([{ id: 1 }]);
    const [web] = await run("SELECT created_at = updated_at AS same FROM mcp_servers WHERE name = 'web'");
    expect(Boolean(web?.same)).toBe(true);
  });

  it("C4 refuses all of a change that it cannot hold one part of", async () => {
    const { place } = await kind.make();
    await opened(place, async (db) => {
      const before = await db.fingerprint();
      const refused = [
        { ...BARE, name: "tcp", config: { host: "h", port: 1 } },
        { ...BARE, name: "who", agent_names: ["nobody"] },
        { ...BARE, name: "tools", allowed_tools: ["read"] },
      ];
      for (const entry of refused) {
        const edits = [
          { name: "files", entry: null },
          { name: entry.name, entry },
        ];
        await expect(db.write(edits)).rejects.toMatchObject({
          code: "config_invalid",
          message: expect.stringContaining("MCP_MIGRATION_MODE=full"),
        });
      }
      expect(db.canHold(FILES)).toBeNull();
      expect(await db.fingerprint()).toEqual(before);
    });
  });

  it("C4 is copied as of one moment, and put back so that another copy has the same bytes", async () => {
    const { place, run } = await kind.make();
    const [first, second] = [newDirectory(), newDirectory()];
    await opened(place, async (db) => {
      const before = await db.fingerprint();
      const names = await db.backUp(first);
      expect(readdirSync(first).sort()).toEqual([...names].sort());
      for (const name of names) expect(statSync(join(first, name)).mode & 0o077).toBe(0);
      await db.write([
        { name: "files", entry: { ...FILES, config: { command: "other" }, agent_names: [] } },
        { name: "web", entry: null },
        { name: "new", entry: { ...BARE, name: "new", agent_names: ["idle"] } },
      ]);
      await run(
        "UPDATE mcp_servers SET status = 'running', error_count = 9 WHERE name = 'bare' RETURNING id",
      );
      await db.restore(first);
      expect(await db.fingerprint()).toEqual(before);
      expect(await db.backUp(second)).toEqual(names);
      expect(hashes(second)).toEqual(hashes(first));
      // It works on, with the next ids that it would have had.
      await db.write([{ name: "later", entry: { ...BARE, name: "later" } }]);
    });
    expect(await run("SELECT id FROM mcp_servers WHERE name = 'later'")).toEqual([{ id: 4 }]);
  });

  it("C4 stays as it is when nothing has to be put back", async () => {
    const { place } = await kind.make();
    const directory = newDirectory();
    await opened(place, async (db) => {
      await db.backUp(directory);
      const before = type === "sqlite" ? statSync(place).ino : 0;
      await db.restore(directory);
      if (type === "sqlite") expect(statSync(place).ino).toBe(before);
      expect(await db.list()).toEqual([BARE, FILES, WEB]);
    });
  });

  it("C4 tells what is wrong with its shape before it looks at rows", async () => {
    const { place, run } = await kind.make();
    await run("ALTER TABLE mcp_servers ADD COLUMN owner TEXT");
    await run("ALTER TABLE agent_mcp_servers RENAME TO renamed");
    await opened(place, async (db) => {
      expect(await db.problems()).toEqual([
        { table: "mcp_servers", id: null, message: expect.stringContaining("owner") },
        { table: "agent_mcp_servers", id: null, message: "there is no such table" },
      ]);
    });
  });

  it("C4 does not change a database that is only read", async () => {
    const { place, run } = await kind.make();
    await opened(
      place,
      async (db) => {
        await expect(db.write([{ name: "files", entry: null }])).rejects.toThrow(
          /cannot be written|only be read/,
        );
        await expect(db.write([{ name: "files", entry: null }])).rejects.not.toThrow(/horse/);
      },
      true,
    );
    expect(await run("SELECT count(*) AS n FROM mcp_servers WHERE name = 'files'").then(numberIn)).toBe(1);
  });
});

const numberIn = ([row]: Record<string, unknown>[]) => Number(row?.n);

const hashes = (directory: string) =>
  readdirSync(directory)
    .sort()
    .map((name) => [
      name,
      createHash("sha256")
        .update(readFileSync(join(directory, name)))
        .digest("hex"),
    ]);

describe("a SQLite file of the older system", () => {
  it("C4 is copied with what its log alone holds, and stays untouched itself", async () => {
    const { place } = await sqlite.make();
    const user = new DatabaseSync(place);
    user.exec("PRAGMA wal_autocheckpoint = 0; UPDATE mcp_servers SET priority = 99 WHERE name = 'bare'");
    const files = () => [readFileSync(place), readFileSync(`${place}-wal`)];
    const before = files();
    const directory = newDirectory();
    await opened(
      place,
      async (db) => {
        expect(await db.backUp(directory)).toEqual(["old.db"]);
        await opened(join(directory, "old.db"), async (copy) => {
          expect(await copy.get("bare")).toMatchObject({ config: { priority: 99 } });
          expect(await copy.fingerprint()).toEqual(await db.fingerprint());
        });
      },
      true,
    );
    expect(files()).toEqual(before);
    user.close();
    // What its last user makes of it is what was copied.
    expect(readFileSync(place).equals(readFileSync(join(directory, "old.db")))).toBe(true);
  });

  it("C4 has nothing beside it that was not there before it was read", async () => {
    const { place } = await sqlite.make();
    await opened(
      place,
      async (db) => {
        await db.list();
        await db.backUp(newDirectory());
        await expect(db.write([{ name: "files", entry: null }])).rejects.toThrow("cannot be written");
      },
      true,
    );
    expect(readdirSync(dirname(place))).toEqual([basename(place)]);
  });

  it.runIf(process.getuid?.() === 0)(
    "C4 is not read by somebody whose files would be in its owner's way",
    async () => {
      const { place } = await sqlite.make();
      for (const directory of [dir, dirname(place)]) chmodSync(directory, 0o777);
      chmodSync(place, 0o644);
      const open = new URL("../../sidecar/config/old/open.ts", import.meta.url).href;
      const script = `const { openOldDatabase } = await import(process.argv[1]);
      const db = await openOldDatabase(process.argv[2], { readOnly: true });
      console.log((await db.list()).length); await db.close();`;
      const asNobody = () =>
        execFileSync(process.execPath, ["--input-type=module", "-e", script, open, place], {
          ...{ uid: 65_534, gid: 65_534, encoding: "utf8", stdio: "pipe" },
        });
      expect(asNobody).toThrow("run this as its owner");
      expect(readdirSync(dirname(place))).toEqual([basename(place)]);
      // While its owner has it open, everything that is needed is there.
      await opened(place, async (db) => {
        await db.list();
        expect(asNobody().trim()).toBe("3");
      });
      expect(readdirSync(dirname(place))).toEqual([basename(place)]);
    },
  );

  it("C4 is not put back under the hands of a program that uses it", async () => {
    const { place, run } = await sqlite.make();
    const directory = newDirectory();
    await opened(place, async (db) => {
      await db.backUp(directory);
      await db.write([{ name: "web", entry: null }]);
      const user = new DatabaseSync(place);
      user.prepare("SELECT count(*) FROM mcp_servers").get();
      await expect(db.restore(directory)).rejects.toThrow("locked by another program");
      user.close();
      expect(await db.get("web")).toBeNull();
      await db.restore(directory);
      expect(await db.get("web")).toEqual(WEB);
    });
    expect(await run("SELECT count(*) AS n FROM mcp_servers").then(numberIn)).toBe(3);
  });

  it("C4 that was damaged is put back as well", async () => {
    const { place } = await sqlite.make();
    const directory = newDirectory();
    const whole = readFileSync(place);
    const db = await openOldDatabase(place, { readOnly: false });
    await db.backUp(directory);
    await db.close();
    writeFileSync(place, Buffer.concat([whole.subarray(0, 8_192), Buffer.alloc(whole.length - 8_192, 0xff)]));
    const again = await openOldDatabase(place, { readOnly: false });
    await expect(again.list()).rejects.toThrow(`${place}: is damaged`);
    await again.restore(directory);
    expect(await again.list()).toHaveLength(3);
    await again.close();
    expect(readFileSync(place).equals(whole)).toBe(true);
  });

  it.skipIf(!canMount())(
    "C4 is read from a disk that cannot be written, and says when there is no room",
    async () => {
      const { place } = await sqlite.make();
      const directory = newDirectory();
      const disk = smallDisk(256);
      try {
        const there = join(disk.dir, "automagik.db");
        copyFileSync(place, there);
        disk.fill();
        await expect(openOldDatabase(there, { readOnly: true })).rejects.toThrow(
          "there is no room on the disk",
        );
        await opened(
          place,
          async (db) => {
            await expect(db.backUp(disk.dir)).rejects.toThrow(/no (space left|room) on (the )?(device|disk)/);
          },
          true,
        );
        disk.empty();
        execFileSync("mount", ["-o", "remount,ro", disk.dir]);
        await opened(
          there,
          async (db) => {
            expect(await db.list()).toEqual([BARE, FILES, WEB]);
            expect(await db.problems()).toEqual([]);
            await db.backUp(directory);
          },
          true,
        );
        expect(readFileSync(join(directory, "old.db")).equals(readFileSync(there))).toBe(true);
        await opened(
          there,
          async (db) => {
            await expect(db.write([{ name: "web", entry: null }])).rejects.toThrow(
              `${there}: cannot be written`,
            );
          },
          true,
        );
      } finally {
        disk.remove();
      }
    },
  );

  it("C4 has ids and times as its tables have them", async () => {
    const tables = SQLITE_TABLES.replaceAll("id INTEGER PRIMARY KEY AUTOINCREMENT", "id TEXT PRIMARY KEY")
      .replaceAll(/(agent|mcp_server)_id INTEGER/g, "$1_id TEXT")
      .replaceAll("TEXT NOT NULL DEFAULT (datetime('now'))", "INTEGER NOT NULL");
    const rows = `INSERT INTO agents VALUES ('0b61cd8e-3c50-4bd5-8b1c-4a8d3f3a2d11', 'simple', 'x', 'm', 0);
      INSERT INTO mcp_servers (id, name, server_type, command, created_at, updated_at)
        VALUES ('9b3f4d60-0d3c-4f43-9c1e-2a4c5d6e7f80', 'one', 'stdio', '["a"]', 1750000000000, 1750000000000);`;
    const { place, run } = await sqlite.make(tables, rows);
    await opened(place, async (db) => {
      expect(await db.problems()).toEqual([]);
      await db.write([{ name: "two", entry: { ...BARE, name: "two", agent_names: ["simple"] } }]);
      expect(await db.ofAgent("simple")).toMatchObject([{ name: "two" }]);
    });
    const [two] = await run("SELECT id, created_at FROM mcp_servers WHERE name = 'two'");
    expect(two?.id).toMatch(/^[0-9a-f-]{36}$/);
    expect(Number(two?.created_at)).toBeGreaterThan(1_750_000_000_000);
  });

  it("C4 that cannot be opened says why in one line", async () => {
    const none = join(newDirectory(), "none.db");
    const other = join(newDirectory(), "other.db");
    writeFileSync(other, "this is no database, whatever it is called ".repeat(50));
    const open = (place: string) => openOldDatabase(place, { readOnly: true });
    await expect(open(none)).rejects.toThrow(`${none}: there is no such file`);
    await expect(open(`sqlite:///${none}`)).rejects.toThrow(`${none}: there is no such file`);
    await expect(open(other)).rejects.toThrow(`${other}: is no SQLite database`);
  });

  it("C4 waits for another program's lock for a while, without holding up everything else", async () => {
    const { place } = await sqlite.make();
    const other = new DatabaseSync(place);
    other.exec("BEGIN IMMEDIATE");
    await opened(place, async (db) => {
      const writing = db.write([{ name: "web", entry: null }]);
      const first = await Promise.race([writing.then(() => "written"), nextTurns(5)]);
      expect(first).toBe("free");
      other.exec("COMMIT");
      await writing;
      expect(await db.get("web")).toBeNull();
    });
    other.close();
  });
});

const nextTurns = async (turns: number): Promise<string> => {
  for (let turn = 0; turn < turns; turn++) await new Promise((resolve) => setTimeout(resolve, 5));
  return "free";
};

describe.skipIf(!hasPostgres)("an older database in PostgreSQL", () => {
  it("C4 may be in a schema of its own", async () => {
    const { place, run } = await postgres.make('CREATE SCHEMA older; CREATE SCHEMA "Other One";', "");
    await run(`SET search_path TO older; ${POSTGRES_TABLES} ${ROWS}; RESET search_path`);
    for (const query of ["search_path=older", `options=${encodeURIComponent("-c search_path=older")}`]) {
      await opened(`${place}?${query}`, async (db) => {
        expect(await db.problems()).toEqual([]);
        const [first, second] = [newDirectory(), newDirectory()];
        await db.backUp(first);
        await db.write([{ name: "web", entry: null }]);
        await db.restore(first);
        await db.backUp(second);
        expect(hashes(second)).toEqual(hashes(first));
      });
    }
    await opened(place, async (db) => {
      expect(await db.problems()).toHaveLength(3);
    });
  });

  it("C4 has JSON, ids and times as its tables have them", async () => {
    const tables = POSTGRES_TABLES.replaceAll("JSONB", "JSON")
      .replaceAll("id SERIAL PRIMARY KEY", "id UUID PRIMARY KEY")
      .replaceAll(/(agent|mcp_server)_id INTEGER/g, "$1_id UUID")
      .replaceAll("TIMESTAMP NOT NULL DEFAULT NOW()", "TIMESTAMPTZ NOT NULL");
    const rows = `INSERT INTO agents VALUES ('0b61cd8e-3c50-4bd5-8b1c-4a8d3f3a2d11', 'simple', 'x', 'm', 0);
      INSERT INTO mcp_servers (id, name, server_type, command, env, created_at, updated_at)
        VALUES ('9b3f4d60-0d3c-4f43-9c1e-2a4c5d6e7f80', 'one', 'stdio', '["a",  "b"]', '{"B": "1",  "A": "2"}', now(), now());`;
    const { place, run } = await postgres.make(tables, rows);
    await opened(place, async (db) => {
      expect(await db.problems()).toEqual([]);
      const directory = newDirectory();
      await db.backUp(directory);
      await db.write([{ name: "two", entry: { ...BARE, name: "two", agent_names: ["simple"] } }]);
      expect(await db.ofAgent("simple")).toMatchObject([{ name: "two" }]);
      await db.write([{ name: "one", entry: { ...BARE, name: "one", config: { command: "x" } } }]);
      await db.restore(directory);
      expect(await run("SELECT name, command::text, env::text FROM mcp_servers")).toEqual([
        { name: "one", command: '["a",  "b"]', env: '{"B": "1",  "A": "2"}' },
      ]);
    });
  });

  it("C4 refuses to bring back assignments of agents that are gone, or into tables that were changed", async () => {
    const { place, run } = await postgres.make();
    const directory = newDirectory();
    await opened(place, async (db) => {
      await db.backUp(directory);
      await run("DELETE FROM agents WHERE name = 'discord'");
      await expect(db.restore(directory)).rejects.toThrow(/^agents: one that a server was assigned to/);
      await run("ALTER TABLE mcp_servers ALTER COLUMN name TYPE VARCHAR(300)");
      await expect(db.restore(directory)).rejects.toThrow(/^mcp_servers: its columns were changed/);
      expect(await db.ofAgent("simple")).toHaveLength(1);
    });
  });

  it("C4 tells a value that its columns refuse from a database that is out of order", async () => {
    const { place, run } = await postgres.make();
    await run("ALTER TABLE mcp_servers ADD CONSTRAINT few CHECK (priority < 10)");
    await opened(place, async (db) => {
      const entry = { ...BARE, config: { command: "a", priority: 11 } };
      await expect(db.write([{ name: "bare", entry }])).rejects.toMatchObject({ code: "config_invalid" });
      await run("DROP TABLE agent_mcp_servers");
      await expect(db.list()).rejects.toThrow(
        /^postgres:\/\/127\.0\.0\.1:\d+\/older_\d+: a table is missing$/,
      );
    });
  });

  it("C4 that cannot be reached says why in one line, without the password", async () => {
    const { place } = await postgres.make("", "");
    const open = (url: string) => openOldDatabase(url, { readOnly: true }).then(() => "opened", String);
    expect(await open(place.replace("horse", "donkey"))).toMatch(/it refuses this user or password$/);
    expect(await open(place.replace(/older_\d+$/, "nothing"))).toMatch(
      /\/nothing: there is no such database$/,
    );
    expect(await open(place.replace(/:\d+\//, ":1/"))).toMatch(/:1\/older_\d+: nobody answers there$/);
    expect(await open("postgres://[")).toMatch(/this is no address$/);
  });
});
