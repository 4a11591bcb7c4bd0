import { execFileSync } from "node:child_process";
import {
  appendFileSync,
  chownSync,
  closeSync,
  existsSync,
  lstatSync,
  mkdtempSync,
  openSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  writeFileSync,
  writeSync,
} from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import { DatabaseSync } from "node:sqlite";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { z } from "zod";
import { platformClock } from "../../shared/clock.ts";
import { type AlertKind, Alerts } from "../../sidecar/alerts.ts";
import { EXIT } from "../../sidecar/cli/command.ts";
import { migrate as command } from "../../sidecar/cli/commands/migrate.ts";
import type { ConfigBackend } from "../../sidecar/config/backend.ts";
import type { ConfigEntry } from "../../sidecar/config/entry.ts";
import { fingerprintOf } from "../../sidecar/config/fingerprint.ts";
import { digestOf, filesIn } from "../../sidecar/config/migrate/files.ts";
import { holdStateDirectory } from "../../sidecar/config/migrate/lock.ts";
import { migrate } from "../../sidecar/config/migrate/migrate.ts";
import { openSource } from "../../sidecar/config/migrate/open-source.ts";
import type { MigrationOptions, MigrationPorts } from "../../sidecar/config/migrate/ports.ts";
import { MigrationRefused } from "../../sidecar/config/migrate/refused.ts";
import { openTarget, type Target } from "../../sidecar/config/migrate/target.ts";
import { openOldDatabase } from "../../sidecar/config/old/open.ts";
import { ConfigStore } from "../../sidecar/config/store/store.ts";
import { runMigrate } from "../support/migrate-cli.ts";
import { makeOldDatabase } from "../support/old-database.ts";
import { startSidecar } from "../support/sidecar.ts";
import { canMount, type SmallDisk, smallDisk } from "../support/small-disk.ts";
import { run } from "../unit/cli/fakes.ts";

const SIZE = { servers: 40, agents: 8, agentsPerServer: 3, enabled: 20 };

let home: string;
let old: string;
let state: string;
let store: string;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "hivegate-migrate-"));
  old = join(home, "old.db");
  state = join(home, "state");
  store = join(state, "configs.db");
  makeOldDatabase(old, SIZE);
});
afterEach(() => rmSync(home, { recursive: true, force: true }));

const entry = (name: string, env: Record<string, string> = {}): ConfigEntry => ({
  name,
  config: { command: "node", args: [name], env },
  agent_names: ["someone"],
  allowed_tools: ["*"],
  enabled: true,
});

/** Writes it as the API does. */
function putInStore(...entries: ConfigEntry[]): void {
  const opened = new ConfigStore(store);
  opened.write(
    entries.map((one) => ({ name: one.name, entry: one })),
    { by: "alice", source: "api" },
    { nowMs: 1 },
  );
  opened.close();
}

function inStore(file = store): ConfigEntry[] {
  const opened = new ConfigStore(file);
  const found = opened.list();
  opened.close();
  return found;
}

function changeOld(sql: string): void {
  const db = new DatabaseSync(old);
  db.exec(`PRAGMA foreign_keys = OFF; ${sql}`);
  db.close();
}

/** Every byte of everything, but for what only says that somebody is there. */
const bytes = (): Record<string, string> =>
  Object.fromEntries(
    filesIn(home)
      .filter((file) => !/ledger\.db|-shm$|-wal$/.test(file))
      .map((file) => [file, digestOf(join(home, file)).sha256]),
  );

const Last = z.looseObject({
  result: z.string(),
  reason: z.string().default(""),
  problems: z.array(z.string()).default([]),
});

async function hivegate(options: string[] = [], env: Record<string, string> = {}) {
  const { code, out, err } = await run(
    { migrate: command },
    ["migrate", "--from", old, "--state-dir", state, ...options],
    { env },
  );
  const last = Last.parse(JSON.parse(out.trim().split("\n").at(-1) ?? "{}"));
  return { code, out, err, last };
}

const options = (): MigrationOptions => ({
  ...{ stateDir: state, backupDir: join(state, "backups"), mode: "safe" },
  ...{ validateBackup: true, autoRollback: true },
});

let nextId = 1;

type Raised = { kind: AlertKind; message: string };

function ports(changes: Partial<MigrationPorts> = {}): MigrationPorts & { raised: Raised[] } {
  const raised: Raised[] = [];
  return {
    openSource: (how) => openSource(old, how),
    ...{ openTarget, env: {}, progress: async () => {}, now: Date.now, version: "1.2.3" },
    alert: async ({ kind, message }) => void raised.push({ kind, message }),
    elapsedMs: () => performance.now(),
    id: () => `${nextId++}`,
    ...{ raised, ...changes },
  };
}

/** Does something at one moment of a migration. */
const at =
  (step: string, done: number, what: () => void): MigrationPorts["progress"] =>
  async (now, count) => {
    if (now === step && count === done) what();
  };

const backups = (): string[] =>
  existsSync(join(state, "backups")) ? readdirSync(join(state, "backups")) : [];

function flipBit(file: string): void {
  const content = readFileSync(file);
  const place = content.length >> 1;
  const descriptor = openSync(file, "r+");
  writeSync(descriptor, Buffer.from([(content[place] ?? 0) ^ 1]), 0, 1, place);
  closeSync(descriptor);
}

describe("hivegate migrate", () => {
  it("C4 takes over every row, beside what was there, and says how many they are and how quick", async () => {
    putInStore(entry("other"));
    const source = await openSource(old, { readOnly: true });
    const entries = await source.entries();
    await source.close();
    const { code, last } = await hivegate();
    expect(code).toBe(EXIT.done);
    expect(last).toMatchObject({
      ...{ result: "done", added: 40, equal: 0, kept: 1 },
      fingerprint: { servers: 40, assignments: 120, sha256: fingerprintOf(entries).sha256 },
      times: [{ operation: "list" }, { operation: "get" }, { operation: "of_agent" }, { operation: "write" }],
    });
    const names = new Set(entries.map(({ name }) => name));
    expect(fingerprintOf(inStore().filter(({ name }) => names.has(name)))).toEqual(fingerprintOf(entries));
    expect(inStore().map(({ name }) => name)).toContain("other");
    const opened = new ConfigStore(store);
    expect(opened.history("server-7", null, 10)).toMatchObject([{ by: "migration", source: "migration" }]);
    opened.close();
  });

  it("C4 does it once: the second time everything is there, and nothing changes", async () => {
    await hivegate();
    const before = bytes();
    const { code, last } = await hivegate();
    expect({ code, last }).toMatchObject({
      code: 0,
      last: { result: "done", added: 0, equal: 40, backup: null },
    });
    expect(bytes()).toEqual(before);
  });

  it("C4 says in a dry run what it would do, and changes nothing, not even while a sidecar runs", async () => {
    putInStore(entry("other"));
    const before = bytes();
    const release = holdStateDirectory(state);
    const { code, last } = await hivegate(["--dry-run"]);
    release();
    expect(code).toBe(EXIT.done);
    expect(last).toMatchObject({ result: "planned", added: 40, kept: 1 });
    expect(bytes()).toEqual(before);
    rmSync(state, { recursive: true });
    await hivegate(["--dry-run"]);
    expect(existsSync(state)).toBe(false);
  });

  it("C4 takes over ids of any size", async () => {
    changeOld("UPDATE agents SET id = 9007199254740993 WHERE id = 1");
    changeOld("UPDATE agent_mcp_servers SET agent_id = 9007199254740993 WHERE agent_id = 1");
    changeOld("UPDATE agent_mcp_servers SET id = 9007199254740995 WHERE id = 1");
    expect(await hivegate()).toMatchObject({ code: EXIT.done, last: { fingerprint: { assignments: 120 } } });
    const [written] = inStore();
    const opened = await openOldDatabase(old, { readOnly: false });
    if (written)
      await opened.write([{ name: "new", entry: { ...written, name: "new", agent_names: ["agent-1"] } }]);
    expect(await opened.get("new")).toMatchObject({ agent_names: ["agent-1"] });
    await opened.close();
  });

  it("C4 goes on to its end when its reader leaves, and exits with what came of it", async () => {
    const first = { onLine: (_index: number, _kill: () => void, leave: () => void) => leave() };
    expect((await runMigrate(["--from", old, "--state-dir", state], first)).exitCode).toBe(EXIT.done);
    expect(inStore()).toHaveLength(40);
    changeOld("UPDATE mcp_servers SET status = 'running'");
    const back = ["--from", old, "--state-dir", state, "--mode", "rollback"];
    expect((await runMigrate(back, first)).exitCode).toBe(EXIT.done);
    expect(existsSync(store)).toBe(false);
    expect((await runMigrate(back, first)).exitCode).toBe(EXIT.failed);
  });

  it("C4 takes what is not said from the environment", async () => {
    const env = { MCP_OLD_DATABASE: old, SIDECAR_STATE_DIR: state };
    expect(await run({ migrate: command }, ["migrate"], { env })).toMatchObject({ code: EXIT.done });
    const back = await run({ migrate: command }, ["migrate"], {
      env: { ...env, MCP_MIGRATION_MODE: "rollback" },
    });
    expect(back).toMatchObject({ code: EXIT.done, out: expect.stringContaining('"result":"restored"') });
    expect(await run({ migrate: command }, ["migrate"], {})).toMatchObject({ code: EXIT.usage });
    expect(
      await run({ migrate: command }, ["migrate"], { env: { ...env, MCP_MIGRATION_MODE: "fast" } }),
    ).toMatchObject({ code: EXIT.usage, err: expect.stringContaining("MCP_MIGRATION_MODE") });
  });

  it("C4 draws a bar on a terminal, as wide as it is, and says in words what it came to", async () => {
    const { out } = await run({ migrate: command }, ["migrate", "--from", old, "--state-dir", state], {
      ...{ columns: 50, env: { NO_COLOR: "1" } },
    });
    expect(out).toContain("backup   100 % [################");
    expect(out).toContain("40 servers with 120 assignments: 40 new");
    expect(out).toContain("MCP_MIGRATION_MODE=safe");
    // biome-ignore lint/suspicious/noControlCharactersInRegex: that is what is looked for.
    const drawn = out.split(/\r\u001b\[K|\n/).filter((line) => line.includes("["));
    expect(drawn.length).toBeGreaterThan(7);
    for (const line of drawn) expect(line.length).toBeLessThan(50);
    expect(out).not.toContain("\u001b[3");
  });
});

describe("what cannot be migrated is refused, and every byte stays as it is", () => {
  const broken: [string, string, RegExp][] = [
    ["JSON that cannot be read", `UPDATE mcp_servers SET env = '{"a":' WHERE id = 'id-4'`, /id-4.*env/],
    [
      "equal names",
      "UPDATE mcp_servers SET name = 'server-3' WHERE id = 'id-4'",
      /id-4.*the same as that of id-3/,
    ],
    ["an unknown column", "ALTER TABLE mcp_servers ADD COLUMN region TEXT", /region/],
    ["a missing table", "DROP TABLE agent_mcp_servers", /agent_mcp_servers/],
    [
      "a server without a command",
      "UPDATE mcp_servers SET command = NULL WHERE id = 'id-4'",
      /id-4.*command/,
    ],
    [
      "an assignment to nobody",
      "UPDATE agent_mcp_servers SET agent_id = 999 WHERE id = 5",
      /id 5.*no such row in agents/,
    ],
  ];

  it.each(broken)("C4 %s", async (_what, sql, reason) => {
    putInStore(entry("other"));
    changeOld(sql);
    const before = bytes();
    const { code, last } = await hivegate();
    expect(code).toBe(EXIT.failed);
    expect(last.result).toBe("refused");
    expect(last.problems.join("\n")).toMatch(reason);
    expect(bytes()).toEqual(before);
    expect(await hivegate(["--dry-run"])).toMatchObject({
      code: EXIT.failed,
      last: { problems: last.problems },
    });
  });

  async function expectRefused(reason: RegExp, options: string[] = []): Promise<void> {
    const before = bytes();
    const { code, last } = await hivegate(options);
    expect(last).toMatchObject({ result: "refused", reason: expect.stringMatching(reason) });
    expect(code).toBe(EXIT.failed);
    expect(bytes()).toEqual(before);
  }

  it("C4 a store that says otherwise of the same name; one that says the same is no hindrance", async () => {
    putInStore(entry("server-3"));
    const before = bytes();
    expect((await hivegate()).last).toMatchObject({ result: "refused", problems: ["server-3"] });
    expect(bytes()).toEqual(before);
  });

  it("C4 more enabled servers than a sidecar may have", async () => {
    rmSync(old);
    makeOldDatabase(old, { ...SIZE, servers: 1_001, enabled: 1_001 });
    await expectRefused(/1001 enabled servers, and 1000 is the most/);
  });

  it("C4 a store of a newer version", async () => {
    putInStore(entry("other"));
    const db = new DatabaseSync(store);
    db.exec("PRAGMA user_version = 999");
    db.close();
    await expectRefused(/newer version: update Hivegate/);
  });

  it("C4 a database that another program has locked", async () => {
    const db = new DatabaseSync(old);
    db.exec("BEGIN EXCLUSIVE");
    await expectRefused(/locked by another program/);
    db.close();
  });

  it("C4 what is no such database, or is not there", async () => {
    writeFileSync(old, "hello");
    await expectRefused(/./);
    rmSync(old);
    await expectRefused(/old\.db cannot be read/);
  });

  it("C4 an address that is none, without telling the password in it", async () => {
    for (const place of [
      "postgres:/u:s3cret@h/db",
      "postgresq://u:s3cret@h/db",
      "jdbc:postgresql://u:s3cret@h/d",
    ]) {
      const { code, out, err } = await hivegate(["--from", place]);
      expect(code).toBe(EXIT.failed);
      expect(out).toContain("postgres://user:password@host/database");
      expect(out + err).not.toContain("s3cret");
    }
  });

  it("C4 two at once: the second one, until the first ends", async () => {
    putInStore(entry("other"));
    const release = holdStateDirectory(state);
    await expectRefused(/in use/);
    release();
    expect(await hivegate()).toMatchObject({ code: EXIT.done });
  });

  it("C4 a state directory that a sidecar uses, and no sidecar starts while it goes on", async () => {
    const env = { SIDECAR_STATE_DIR: state, SWARM_EXECUTOR: "process", MCP_SERVERS: "[]" };
    const sidecar = await startSidecar({ env });
    await expectRefused(/stop the sidecar first/);
    await sidecar.stop();
    let started: unknown = null;
    const result = migrate(options(), {
      ...ports(),
      async progress(step, done) {
        if (step === "write" && done === 0) started = await startSidecar({ env }).catch((thrown) => thrown);
      },
    });
    expect(await result).toMatchObject({ result: "done" });
    expect(String(started)).toContain("another sidecar uses this state directory");
  });

  it("C4 a store that another program has open, when it comes to it", async () => {
    putInStore(entry("other"));
    const opened = new ConfigStore(store, { readOnly: true });
    opened.list();
    await expectRefused(/another program has configs\.db open/);
    opened.close();
  });

  it("C4 its half-made store that another program looks into: that would keep what was written in its log", async () => {
    putInStore(entry("other"));
    const before = digestOf(store);
    let looking: DatabaseSync | undefined;
    const look = () => {
      looking = new DatabaseSync(join(state, "migrating", "configs.db"), { readOnly: true });
      looking.prepare("SELECT count(*) FROM sqlite_schema").get();
    };
    for (const [step, done] of [
      ["write", 0],
      ["switch", 1],
    ] as const) {
      const refused = migrate(options(), ports({ progress: at(step, done, look) }));
      await expect(refused).rejects.toThrow("another program has configs.db open");
      looking?.close();
      expect(digestOf(store)).toEqual(before);
    }
    expect(inStore()).toMatchObject([{ name: "other" }]);
  });

  it("C4 a backup of the store that holds something else than the store did", async () => {
    putInStore(entry("other"));
    const makeEmpty = () => {
      const directory = join(state, "backups", backups()[0] ?? "");
      rmSync(join(directory, "store", "configs.db"));
      new ConfigStore(join(directory, "store", "configs.db")).close();
      const manifest = z
        .looseObject({ files: z.record(z.string(), z.unknown()) })
        .parse(JSON.parse(readFileSync(join(directory, "manifest.json"), "utf8")));
      manifest.files["store/configs.db"] = digestOf(join(directory, "store", "configs.db"));
      writeFileSync(join(directory, "manifest.json"), JSON.stringify(manifest));
    };
    await expect(migrate(options(), ports({ progress: at("backup", 1, makeEmpty) }))).rejects.toThrow(
      "is not what it was",
    );
  });

  it.runIf(process.getuid?.() === 0)(
    "C4 leaves what root makes to whom the state directory belongs",
    async () => {
      putInStore(entry("other"));
      chownSync(state, 65_534, 65_534);
      expect(await hivegate()).toMatchObject({ code: EXIT.done });
      for (const file of ["configs.db", "ledger.db"]) expect(statSync(join(state, file)).uid).toBe(65_534);
    },
  );

  it.runIf(canMount())(
    "C4 a disk without room, before and in the middle, and one that cannot be written",
    async () => {
      const disk: SmallDisk = smallDisk(32 * 1024);
      try {
        state = join(disk.dir, "state");
        store = join(state, "configs.db");
        putInStore(entry("other"));
        const before = digestOf(store);
        appendFileSync(join(disk.dir, "some"), Buffer.alloc(31 * 1024 * 1024));
        await expectRefused(/not enough room.*MiB are needed/);
        await expectRefused(/not enough room.*MiB are needed/, ["--dry-run"]);
        rmSync(join(disk.dir, "some"));
        for (const [step, done] of [
          ["backup", 0],
          ["backup", 1],
          ["write", 0],
          ["verify", 1],
        ] as const) {
          const given = ports({ progress: at(step, done, () => disk.fill()) });
          await expect(migrate({ ...options(), backupDir: join(state, "backups") }, given)).rejects.toThrow(
            MigrationRefused,
          );
          disk.empty();
          expect(digestOf(store)).toEqual(before);
          expect(backups().filter((name) => name.endsWith(".partial"))).toEqual([]);
          expect(readdirSync(state)).not.toContain("migrating");
        }
        execFileSync("mount", ["-o", "remount,ro", disk.dir]);
        await expectRefused(/cannot be written to/);
        execFileSync("mount", ["-o", "remount,rw", disk.dir]);
        expect(await hivegate()).toMatchObject({ last: { result: "done" } });
      } finally {
        disk.remove();
      }
    },
  );

  it("C4 a backup in which a bit has flipped, whichever file it is in, by that file's name", async () => {
    putInStore(entry("other"));
    const before = digestOf(store);
    for (const file of ["source/old.db", "store/configs.db", "entries.json"]) {
      const flip = () => flipBit(join(state, "backups", backups()[0] ?? "", file));
      await expect(migrate(options(), ports({ progress: at("backup", 1, flip) }))).rejects.toThrow(file);
      expect(digestOf(store)).toEqual(before);
      rmSync(join(state, "backups"), { recursive: true });
    }
  });
});

describe("a migration that makes something worse", () => {
  /** The store as it is, but for this. */
  const altered =
    (change: (target: Target, file: string) => Partial<Target>): MigrationPorts["openTarget"] =>
    (file) => {
      const target = openTarget(file);
      return { ...target, ...change(target, file) };
    };
  const slow = altered(({ backend }, file) => ({
    backend: {
      ...backend,
      async get(name): ReturnType<ConfigBackend["get"]> {
        if (file.endsWith(".timed")) await new Promise((resolve) => setTimeout(resolve, 2));
        return backend.get(name);
      },
    },
  }));

  it("C5 goes back by itself when an operation is more than 20 % slower, and the webhook hears of it", async () => {
    putInStore(entry("other"));
    const before = digestOf(store);
    const bodies: unknown[] = [];
    const server = createServer(async (request, response) => {
      bodies.push(JSON.parse((await request.toArray()).join("")));
      response.end();
    });
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    const address = server.address();
    const alerts = new Alerts({
      ...{ hive: "h", clock: platformClock, log: { error: () => {}, warn: () => {} } },
      webhookUrl: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`,
    });
    const result = await migrate(
      options(),
      ports({
        openTarget: slow,
        async alert(alert) {
          alerts.raise(alert);
          await alerts.settled();
        },
      }),
    );
    alerts.close();
    server.close();
    expect(result).toMatchObject({
      result: "rolled_back",
      reason: expect.stringMatching(/slower.*get took/),
    });
    expect(bodies).toMatchObject([{ kind: "migration_rolled_back", hive: "h" }]);
    expect(digestOf(store)).toEqual(before);
  });

  it("C5 stands, and alerts, when it should not go back by itself", async () => {
    const given = ports({ openTarget: slow });
    const result = await migrate({ ...options(), autoRollback: false }, given);
    expect(result).toMatchObject({ result: "slower", added: 40 });
    expect(given.raised).toMatchObject([{ kind: "migration_in_doubt" }]);
    expect(inStore()).toHaveLength(40);
  });

  const loses = altered((target) => ({ take: (entries, record) => target.take(entries.slice(1), record) }));
  const alters = altered((target) => ({
    take: (entries, record) =>
      target.take(
        entries.map((one) => (one.name === "server-9" ? { ...one, enabled: false } : one)),
        record,
      ),
  }));
  it.each([
    ["a row is lost", loses, /39 servers and 117 assignments instead of 40 and 120/],
    ["a row is altered", alters, /contents/],
  ])("C5 goes back when %s, whatever MCP_ENABLE_AUTO_ROLLBACK says", async (_what, openAltered, reason) => {
    for (const autoRollback of [true, false]) {
      const given = ports({ openTarget: openAltered });
      const result = await migrate({ ...options(), autoRollback }, given);
      expect(result).toMatchObject({ result: "rolled_back", reason: expect.stringMatching(reason) });
      expect(given.raised).toMatchObject([{ kind: "migration_rolled_back" }]);
      expect(existsSync(store)).toBe(false);
    }
  });

  it("C5 goes back when somebody writes to the source meanwhile", async () => {
    const write = () => changeOld("UPDATE mcp_servers SET description = 'new' WHERE id = 'id-4'");
    const result = await migrate(options(), ports({ progress: at("compare", 4, write) }));
    expect(result).toMatchObject({
      result: "rolled_back",
      reason: expect.stringContaining("changed meanwhile"),
    });
    expect(existsSync(store)).toBe(false);
  });
});

describe("hivegate migrate --mode rollback", () => {
  const back = (...more: string[]) => hivegate(["--mode", "rollback", ...more]);

  it("C4 puts back every byte of store and source", async () => {
    putInStore(entry("other"));
    const [storeBytes, oldBytes] = [readFileSync(store), readFileSync(old)];
    await hivegate();
    // What the older system remembers of its own running is no configuration, and comes back all the same.
    changeOld("UPDATE mcp_servers SET status = 'running'");
    const { code, last } = await back();
    expect(last).toMatchObject({ result: "restored", source_restored: true });
    expect(code).toBe(EXIT.done);
    expect(readFileSync(store).equals(storeBytes)).toBe(true);
    expect(readFileSync(old).equals(oldBytes)).toBe(true);
    expect(await back()).toMatchObject({
      code: EXIT.failed,
      last: { reason: expect.stringContaining("nothing") },
    });
  });

  it("C4 leaves no store where there was none", async () => {
    await hivegate();
    expect(await back()).toMatchObject({ code: EXIT.done });
    expect(existsSync(store)).toBe(false);
  });

  it("C4 names what would be lost and waits for a word; then it keeps a copy of it", async () => {
    putInStore(entry("other"));
    const storeBytes = readFileSync(store);
    const oldBytes = readFileSync(old);
    await hivegate();
    putInStore(entry("later"));
    changeOld("UPDATE mcp_servers SET description = 'new' WHERE id = 'id-4'");
    const before = bytes();
    const refused = await back();
    expect(refused).toMatchObject({ code: EXIT.failed, last: { problems: ["later", "server-4"] } });
    expect(bytes()).toEqual(before);
    const { last } = await back("--discard-later-changes");
    expect(last).toMatchObject({ result: "restored", source_restored: true });
    expect(readFileSync(store).equals(storeBytes)).toBe(true);
    expect(readFileSync(old).equals(oldBytes)).toBe(true);
    const replaced = z.object({ replaced: z.string() }).parse(last).replaced;
    expect(inStore(join(replaced, "store", "configs.db")).map(({ name }) => name)).toContain("later");
    const kept = new DatabaseSync(join(replaced, "source", "old.db"), { readOnly: true });
    expect(kept.prepare("SELECT description FROM mcp_servers WHERE id = 'id-4'").get()).toEqual({
      description: "new",
    });
    kept.close();
  });

  it("C4 waits for a word before it loses what else the older system keeps in its file", async () => {
    changeOld("CREATE TABLE messages (text TEXT COLLATE NOCASE); INSERT INTO messages VALUES ('a'), ('a')");
    const oldBytes = readFileSync(old);
    await hivegate();
    const changes: [string, string[]][] = [
      ["INSERT INTO messages VALUES ('a')", ["table messages"]],
      ["UPDATE messages SET text = 'A'", ["table messages"]],
      ["INSERT INTO agents (name) VALUES ('new')", ["table agents"]],
      ["CREATE TABLE notes (text TEXT)", ["table notes"]],
      ["DROP TABLE messages", ["table messages"]],
      ["UPDATE mcp_servers SET env = '' WHERE id = 'id-1'", ["server-1"]],
      ["DELETE FROM agent_mcp_servers WHERE mcp_server_id = 'id-2'", ["server-2"]],
      // One that cannot be read is one as well.
      ["UPDATE mcp_servers SET env = '{' WHERE id = 'id-3'", ["server-3"]],
    ];
    for (const [sql, problems] of changes) {
      changeOld(sql);
      const changed = readFileSync(old);
      expect(await back()).toMatchObject({ code: EXIT.failed, last: { result: "refused", problems } });
      expect(readFileSync(old).equals(changed)).toBe(true);
      writeFileSync(old, oldBytes);
    }
    changeOld(changes.map(([sql]) => sql).join(";"));
    expect(await back("--discard-later-changes")).toMatchObject({ code: EXIT.done });
    expect(readFileSync(old).equals(oldBytes)).toBe(true);
  });

  it("C4 knows the source by what it is, not by how it was written", async () => {
    await hivegate(["--from", `sqlite:///${old}`]);
    const link = join(home, "link.db");
    symlinkSync(old, link);
    expect(await back("--from", relative(process.cwd(), link))).toMatchObject({ code: EXIT.done });
  });

  it("C4 takes back the last migration of all, whatever the clock said then", async () => {
    const first = join(home, "first.json");
    writeFileSync(first, '{"mcpServers":{"first":{"command":"node"}}}');
    const from = (path: string, now: number) =>
      ports({ openSource: (how) => openSource(path, how), now: () => now });
    await migrate(options(), from(first, 2_000_000));
    await migrate(options(), from(old, 1_000_000));
    expect(await back()).toMatchObject({ code: EXIT.done });
    expect(inStore()).toMatchObject([{ name: "first" }]);
  });

  it("C4 says where to look when the backup is not where it looks", async () => {
    await hivegate(["--backup-dir", join(home, "elsewhere")]);
    expect((await back()).last.reason).toContain("--backup-dir");
  });

  it("C4 refuses a backup that has changed since, also where backups are not validated", async () => {
    const env = { MCP_BACKUP_VALIDATION: "false" };
    expect((await hivegate([], env)).last.result).toBe("done");
    flipBit(join(state, "backups", backups()[0] ?? "", "source", "old.db"));
    const before = bytes();
    const { code, last } = await hivegate(["--mode", "rollback"], env);
    expect({ code, reason: last.reason }).toEqual({
      code: EXIT.failed,
      reason: expect.stringContaining("old.db has changed"),
    });
    expect(bytes()).toEqual(before);
  });

  it("C4 refuses another source than the one it was, and a state directory in use", async () => {
    await hivegate();
    const copy = join(home, "copy.db");
    writeFileSync(copy, readFileSync(old));
    expect((await back("--from", copy)).last.reason).toContain(`the migration was from ${old}`);
    const release = holdStateDirectory(state);
    expect((await back()).last.reason).toContain("in use");
    release();
  });
});

const VARIABLE = `\${NOT_THERE}`;

describe("hivegate migrate --from .mcp.json", () => {
  const servers = {
    one: { command: "node", agentNames: ["a"] },
    two: { url: "https://example.org/mcp", disabled: true },
  };

  it("C4 takes its servers over, leaves the file as it is, and goes back", async () => {
    old = join(home, ".mcp.json");
    writeFileSync(old, `// mine\n${JSON.stringify({ mcpServers: servers })}`);
    const before = readFileSync(old);
    const { code, last } = await hivegate();
    expect({ code, last }).toMatchObject({ code: 0, last: { added: 2, from_kind: "file", times: [] } });
    expect(inStore()).toMatchObject([
      { name: "one", agent_names: ["a"], enabled: true },
      { name: "two", enabled: false },
    ]);
    writeFileSync(old, JSON.stringify({ mcpServers: { one: servers.one } }));
    expect((await hivegate(["--mode", "rollback"])).last.problems).toEqual([`file ${old}`, "two"]);
    writeFileSync(old, `${before} // Why there are two.`);
    expect((await hivegate(["--mode", "rollback"])).last.problems).toEqual([`file ${old}`]);
    const { last: restored } = await hivegate(["--mode", "rollback", "--discard-later-changes"]);
    expect(restored).toMatchObject({ result: "restored", source_restored: true });
    expect(readFileSync(old).equals(before)).toBe(true);
    expect(existsSync(store)).toBe(false);
  });

  it("C4 leaves its link, mode and owner as they are", async () => {
    const file = join(home, "shared.json");
    old = join(home, ".mcp.json");
    writeFileSync(file, JSON.stringify({ mcpServers: servers }), { mode: 0o640 });
    const before = readFileSync(file);
    symlinkSync(file, old);
    await hivegate();
    writeFileSync(old, "{}");
    await hivegate(["--mode", "rollback", "--discard-later-changes"]);
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(lstatSync(old).isSymbolicLink()).toBe(true);
    expect(statSync(file).mode & 0o777).toBe(0o640);
  });

  it("C4 asks for the variables that its servers need: without them a sidecar would refuse them all", async () => {
    old = join(home, ".mcp.json");
    writeFileSync(old, JSON.stringify({ mcpServers: { one: { command: "node", env: { A: VARIABLE } } } }));
    expect((await hivegate()).last.problems).toMatchObject([
      expect.stringMatching(/^one: env: A: .*NOT_THERE/),
    ]);
    expect(existsSync(store)).toBe(false);
    expect(await hivegate([], { NOT_THERE: "x" })).toMatchObject({ code: EXIT.done });
    expect(inStore()).toMatchObject([{ config: { env: { A: VARIABLE } } }]);
  });

  it("C4 says where in the file something is wrong", async () => {
    old = join(home, ".mcp.json");
    writeFileSync(old, '{"mcpServers": {\n  "one": {"command": 5}}}');
    const { code, last } = await hivegate();
    expect(code).toBe(EXIT.failed);
    expect(last.problems[0]).toContain(".mcp.json:2:22: ");
  });
});
