import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { expect, it, onTestFinished } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import type { Author, ConfigEdit } from "../../../sidecar/config/entry.ts";
import { checkPlan } from "../../../sidecar/config/migrate/check.ts";
import { MigrationRefused } from "../../../sidecar/config/migrate/refused.ts";
import { MIGRATIONS } from "../../../sidecar/config/store/schema.ts";
import { ConfigStore, type StoreOptions } from "../../../sidecar/config/store/store.ts";
import { configEntry } from "../../support/config-entry.ts";
import { FakeFile, liveConfigs, serve, value } from "./live-configs-parts.ts";

const API: Author = { by: "ada", source: "api" };

function open(limits: StoreOptions["limits"] = {}) {
  const directory = mkdtempSync(join(tmpdir(), "store-bytes-"));
  const store = new ConfigStore(join(directory, "configs.db"), { limits });
  onTestFinished(() => {
    store.close();
    rmSync(directory, { recursive: true, force: true });
  });
  const write = (...edits: ConfigEdit[]) => store.write(edits, API, { nowMs: 1 });
  const other = new DatabaseSync(store.file);
  onTestFinished(() => other.close());
  return { store, write, other };
}

/** With about so many bytes. */
const set = (name: string, bytes: number, letter = "x"): ConfigEdit => ({
  name,
  entry: { ...configEntry(name, 1), config: { command: letter.repeat(bytes) } },
});
const remove = (name: string): ConfigEdit => ({ name, entry: null });

it("C3 one server has a limit in bytes, and may be changed otherwise where it has more already", () => {
  const { store, write, other } = open({ configBytes: 1_000 });
  expect(() => write(set("one", 10), set("two", 1_000))).toThrow("two: expected at most 1000 bytes as JSON");
  expect(() => write(set("two", 400, "\u20ac"))).toThrow("two: expected");
  expect(store.entries.size).toBe(0);
  write(set("one", 10));
  other.prepare("UPDATE mcp_configs SET config = ?").run(JSON.stringify({ command: "y".repeat(2_000) }));
  write({ name: "one", entry: { ...configEntry("one", 1), config: { command: "z".repeat(1_900) } } });
  expect(() => write(set("one", 1_901))).toThrow("one: expected");
});

it("C3 all servers together have one, and what gets less is taken", () => {
  const { store, write } = open({ configsBytes: 2_000 });
  write(set("one", 900), set("two", 900));
  expect(() => write(set("three", 200))).toThrow("all servers together may have at most 2000 bytes as JSON");
  expect(() => write(set("one", 1_100))).toThrow("all servers together");
  write(set("three", 200), remove("one"));
  expect([...store.entries.keys()]).toEqual(["two", "three"]);
});

it("C3 the history has one: the oldest versions go, and none that is in force", () => {
  const { store, write } = open({ configHistoryBytes: 20_000 });
  write(set("old", 1_000));
  for (let n = 0; n < 100; n++) write(set("busy", 1_000, String(n % 10)));
  const revisions = store.history(null, null, 1_000).map(({ revision }) => revision);
  expect(revisions.length).toBeGreaterThan(15);
  expect(revisions.length).toBeLessThan(20);
  expect(revisions).toEqual([...Array.from({ length: revisions.length - 1 }, (_, n) => 101 - n), 1]);
});

it("C3 what is counted is what is there, whatever is done, also by others", () => {
  const edits = fc.array(
    fc.record({
      name: fc.constantFrom("a", "b", "c"),
      bytes: fc.integer({ min: 0, max: 300 }),
      kind: fc.constantFrom("set", "remove", "sql", "drop"),
    }),
    { maxLength: 30 },
  );
  fc.assert(
    fc.property(edits, (steps) => {
      const { store, write, other } = open({
        configVersions: 3,
        removedConfigs: 1,
        configHistoryBytes: 2_000,
      });
      for (const { name, bytes, kind } of steps) {
        if (kind === "set") write(set(name, bytes + 1, "\u00e9"));
        if (kind === "remove") write(remove(name));
        const config = JSON.stringify({ command: "s".repeat(bytes) });
        if (kind === "sql") other.prepare("UPDATE mcp_configs SET config = ?").run(config);
        if (kind === "drop") other.prepare("DELETE FROM mcp_configs WHERE name = ?").run(name);
      }
      const counted = store.db.prepare("SELECT of, bytes FROM mcp_config_bytes ORDER BY of").all();
      const there = store.db
        .prepare(
          `SELECT 'configs' AS of, coalesce(sum(octet_length(config) + octet_length(agent_names) + octet_length(allowed_tools)), 0) AS bytes
           FROM mcp_configs UNION ALL SELECT 'history', coalesce(sum(octet_length(value)), 0) FROM mcp_config_history`,
        )
        .all();
      expect(counted).toEqual(there);
    }),
    { numRuns: 60 },
  );
});

it("C3 what was there before it was counted counts too", () => {
  const db = new DatabaseSync(":memory:");
  onTestFinished(() => db.close());
  const [counting, ...before] = MIGRATIONS.toReversed();
  for (const step of before.reverse()) db.exec(step);
  db.exec(
    `INSERT INTO mcp_configs (name, config, created_at, updated_at, revision) VALUES ('a', '{"a":1}', 1, 1, 1)`,
  );
  db.exec(counting ?? "");
  expect(db.prepare("SELECT bytes FROM mcp_config_bytes WHERE of = 'configs'").get()).toEqual({
    bytes: '{"a":1}[]["*"]'.length,
  });
});

it("C1 C3 a file with too long an entry is refused where it is, and so is a change through the API", async () => {
  const file = new FakeFile();
  file.edit({ one: serve(1) });
  const { configs } = await liveConfigs({ file, commands: ["serve"] });
  const long = { ...serve(2), description: "x".repeat(LIMITS.configBytes) };
  file.edit({ one: serve(1), two: long });
  await expect(configs.reload("anna")).rejects.toThrow(
    /^line 1, column \d+: two: expected at most 65536 bytes/,
  );
  const put = configs.put("three", { ...value(1), config: long }, "none", API);
  await expect(put).rejects.toMatchObject({ code: "config_invalid" });
  expect(configs.status).toMatchObject({ servers: 1, file: { state: "refused" } });
});

it("C4 a migration of too much is refused before anything changes, by the server's name", () => {
  const entry = { ...configEntry("two", 1), config: { command: "x".repeat(LIMITS.configBytes) } };
  const check = () => checkPlan([configEntry("one", 1), entry], [], {});
  expect(check).toThrow(MigrationRefused);
  expect(check).toThrow("that is too much: expected at most 65536 bytes as JSON");
});
