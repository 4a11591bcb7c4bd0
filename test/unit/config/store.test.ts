import { mkdtempSync, rmSync, statSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { DatabaseSync } from "node:sqlite";
import fc from "fast-check";
import { afterEach, describe, expect, it } from "vitest";
import type { Author, ConfigEntry } from "../../../sidecar/config/entry.ts";
import { fingerprintOf } from "../../../sidecar/config/fingerprint.ts";
import { ConfigStore, type StoreOptions } from "../../../sidecar/config/store/store.ts";
import { configEntry, removeConfig, setConfig } from "../../support/config-entry.ts";

const directory = mkdtempSync(join(tmpdir(), "config-store-"));
const API: Author = { by: "ada", source: "api" };
const FILE: Author = { by: ".mcp.json", source: "file" };
const at = (nowMs: number) => ({ nowMs });

let count = 0;
const opened: ConfigStore[] = [];
function open(file = join(directory, `${count++}.db`), options?: StoreOptions) {
  const store = new ConfigStore(file, options);
  opened.push(store);
  return store;
}

afterEach(() => {
  for (const store of opened.splice(0)) store.close();
});
process.once("exit", () => rmSync(directory, { recursive: true, force: true }));

describe("C3 the table mcp_configs", () => {
  it("C3 has what was removed and came again at the end, also where nobody looked meanwhile", () => {
    const store = open();
    store.write([setConfig("one"), setConfig("two")], API, at(1));
    expect([...store.entries.keys()]).toEqual(["one", "two"]);
    store.write([removeConfig("one")], API, at(2));
    store.write([setConfig("one")], API, at(3));
    expect([...store.entries.keys()]).toEqual(["two", "one"]);
  });

  it("C3 has what was written, with its revision and times, also after it was opened again", () => {
    const store = open();
    const entry = configEntry("one", 1, {
      agent_names: ["x", "y"],
      allowed_tools: ["read_*"],
      enabled: false,
    });
    expect(store.write([{ name: "one", entry }, setConfig("two")], API, at(5))).toMatchObject({
      revision: 2,
    });
    store.write([setConfig("two", 2)], FILE, at(9));
    const again = open(store.file);
    expect(again.get("one")).toEqual({ ...entry, revision: 1, created_at: 5, updated_at: 5 });
    expect(again.list()).toEqual([
      again.get("one"),
      { ...configEntry("two", 2), revision: 3, created_at: 5, updated_at: 9 },
    ]);
    expect(again.get("three")).toBeNull();
    expect(again.revision).toBe(3);
    expect(statSync(store.file).mode & 0o777).toBe(0o600);
  });

  it("C3 keeps every version, whose it was, and what took no effect", () => {
    const store = open();
    store.write([setConfig("one")], FILE, at(1));
    const lost = { edits: [setConfig("one", 3)], author: API };
    const written = store.write([setConfig("one", 2)], FILE, { ...at(2), lost });
    expect(written).toEqual({ revision: 3, made: new Map([["one", 3]]), lost: new Map([["one", 2]]) });
    store.write([removeConfig("one")], API, at(3));
    const { name: _name, ...value } = configEntry("one", 3);
    expect(store.history("one", null, 10)).toMatchObject([
      { revision: 4, value: null, at: 3, by: "ada", source: "api", lost: false },
      { revision: 3, source: "file", lost: false },
      { revision: 2, value, by: "ada", source: "api", lost: true },
      { revision: 1, by: ".mcp.json", source: "file", lost: false },
    ]);
    expect(store.history(null, 3, 1)).toMatchObject([{ revision: 2 }]);
    expect(store.last()).toMatchObject({ revision: 4 });
    expect(store.version("one", 2)).toMatchObject({ lost: true });
    expect(store.version("two", 2)).toBeNull();
  });

  it("C3 makes no version of what is so already, in whatever order agents are named", () => {
    const store = open();
    store.write([setConfig("one", 1, { agent_names: ["x", "y"] })], FILE, at(1));
    store.write([setConfig("one", 1, { agent_names: ["y", "x"] }), removeConfig("two")], API, at(2));
    expect(store.revision).toBe(1);
    expect(store.get("one")).toMatchObject({ updated_at: 1 });
  });

  it("C3 writes nothing when one of the servers is not at the version that is meant", () => {
    const store = open();
    store.write([setConfig("one"), setConfig("two")], API, at(1));
    const expected = new Map([
      ["one", 1],
      ["two", 1],
    ]);
    const edits = [setConfig("one", 2), setConfig("two", 2)];
    expect(() => store.write(edits, API, { ...at(2), expected })).toThrow(
      expect.objectContaining({ code: "precondition_failed" }),
    );
    expect(() => store.write(edits, API, { ...at(2), expected: new Map([["one", null]]) })).toThrow(
      expect.objectContaining({ code: "precondition_failed" }),
    );
    expect(store.revision).toBe(2);
  });

  it("C3 knows those that name an agent, through changes and removals", () => {
    const store = open();
    const names = (agent: string) => store.ofAgent(agent).map(({ name }) => name);
    store.write(
      [setConfig("b", 1, { agent_names: ["x", "x"] }), setConfig("a", 1, { agent_names: ["x", "y"] })],
      API,
      at(1),
    );
    expect([names("x"), names("y"), names("z")]).toEqual([["a", "b"], ["a"], []]);
    store.write([setConfig("a", 1, { agent_names: ["z"] })], API, at(2));
    expect([names("x"), names("y"), names("z")]).toEqual([["b"], [], ["a"]]);
    store.write([removeConfig("b")], API, at(3));
    expect(names("x")).toEqual([]);
    expect(store.db.prepare("SELECT count(*) AS n FROM mcp_config_agents").get()).toEqual({ n: 1 });
  });

  it("C3 keeps a limited number of versions, and of servers that are gone", () => {
    const store = open(undefined, { limits: { configVersions: 4, removedConfigs: 2 } });
    for (let n = 1; n <= 6; n++) store.write([setConfig("one", n)], API, at(n));
    expect(store.history("one", null, 10).map(({ revision }) => revision)).toEqual([6, 5, 4, 3]);
    const gone = ["a", "b", "c"];
    store.write(
      gone.map((name) => setConfig(name)),
      API,
      at(1),
    );
    for (const name of gone) store.write([removeConfig(name)], API, at(2));
    expect(gone.map((name) => store.history(name, null, 10).length)).toEqual([0, 2, 2]);
    expect(store.history("one", null, 10)).toHaveLength(4);
  });

  it("C3 never gives a revision twice, also when its version is not kept any more", () => {
    const store = open();
    store.write([setConfig("one"), setConfig("two")], API, at(1));
    store.db.exec("DELETE FROM mcp_config_history");
    store.write([setConfig("one", 2)], API, at(2));
    expect(store.get("one")).toMatchObject({ revision: 3 });
  });

  it("C3 remembers what a file said, in its order", () => {
    const store = open();
    expect(store.seed()).toBeNull();
    const entries = new Map(["b", "a"].map((name) => [name, configEntry(name)]));
    const seed = { source: "file" as const, entries, beside: new Set(["a"]) };
    store.write([setConfig("b"), setConfig("a")], FILE, { ...at(7), seed });
    expect(store.seed()).toEqual({ ...seed, readAtMs: 7 });
    expect([...(store.seed()?.entries.keys() ?? [])]).toEqual(["b", "a"]);
    expect([...store.entries.keys()]).toEqual(["b", "a"]);
  });

  it("C3 undoes all of a write that fails on its way", () => {
    const store = open();
    store.write([setConfig("one")], FILE, at(1));
    const also = () => {
      throw new Error("on the way");
    };
    expect(() => store.write([setConfig("one", 2), setConfig("two")], API, { ...at(2), also })).toThrow(
      "on the way",
    );
    expect(store.list()).toMatchObject([{ name: "one", revision: 1 }]);
    expect(store.history(null, null, 10)).toHaveLength(1);
  });

  it("C3 which entries the API made is kept; what a file says as well is the file's", () => {
    const store = open();
    store.write([setConfig("one"), setConfig("two")], API, { ...at(1), limited: new Set(["one", "two"]) });
    store.write([setConfig("one")], FILE, at(2));
    expect(store.limited).toEqual(new Set(["two"]));
    expect(store.revision).toBe(2);
    // A migration between two databases is nobody's word for it.
    store.write([setConfig("two", 2)], { by: "migration", source: "migration" }, at(3));
    expect(store.limited).toEqual(new Set(["two"]));
  });
});

describe("C3 the table mcp_configs, used by two processes", () => {
  it("C3 what the other one wrote is there at once, and is noticed", () => {
    const store = open();
    const mark = store.mark;
    expect(store.mark).toBe(mark);
    open(store.file).write([setConfig("one")], API, at(1));
    expect(store.mark).not.toBe(mark);
    expect(store.list()).toMatchObject([{ name: "one" }]);
  });

  it("C3 a write says so when the other one keeps it locked for too long", () => {
    const store = open(undefined, { lockWaitMs: 20 });
    const other = new DatabaseSync(store.file);
    other.exec("BEGIN IMMEDIATE");
    expect(() => store.write([setConfig("one")], API, at(1))).toThrow(
      expect.objectContaining({ code: "overloaded" }),
    );
    other.exec("ROLLBACK");
    other.close();
    expect(store.write([setConfig("one")], API, at(1))).toMatchObject({ revision: 1 });
  });

  it("C3 a write says so when the disk is full, and nothing of it is there", () => {
    const store = open();
    store.write([setConfig("one")], API, at(1));
    store.db.exec("PRAGMA max_page_count = 1");
    const large = Array.from({ length: 200 }, (_, n) =>
      setConfig(`s${n}`, n, { agent_names: ["x".repeat(200)] }),
    );
    expect(() => store.write(large, API, at(2))).toThrow(
      expect.objectContaining({ code: "overloaded", message: expect.stringContaining("free space") }),
    );
    store.db.exec("PRAGMA max_page_count = 1000000");
    expect(store.list()).toMatchObject([{ name: "one" }]);
    expect(store.write([setConfig("two")], API, at(3))).toMatchObject({ revision: 2 });
    expect(store.list()).toHaveLength(2);
  });

  it("C3 one of a newer version is refused", () => {
    const store = open();
    store.db.exec("PRAGMA user_version = 99");
    expect(() => new ConfigStore(store.file)).toThrow("written by a newer version: update Hivegate");
    expect(() => new ConfigStore(store.file, { readOnly: true })).toThrow("written by a newer version");
  });

  it("C3 one that is only read stays as it is", () => {
    const store = open();
    store.write([setConfig("one")], API, at(1));
    const reader = open(store.file, { readOnly: true });
    expect(reader.list()).toHaveLength(1);
    expect(() => reader.write([setConfig("two")], API, at(1))).toThrow(/^The sidecar cannot write/);
  });
});

describe("C4 the hash of all configurations", () => {
  const entries = fc.uniqueArray(
    fc.record<ConfigEntry>({
      name: fc.string({ minLength: 1 }),
      // Neither the file nor the API has a field of that name.
      config: fc.dictionary(
        fc.string().filter((field) => field !== "__proto__"),
        fc.jsonValue({ maxDepth: 2 }),
      ),
      agent_names: fc.uniqueArray(fc.string({ minLength: 1 })),
      allowed_tools: fc.array(fc.string({ minLength: 1 })),
      enabled: fc.boolean(),
    }),
    { selector: ({ name }) => name, maxLength: 6 },
  );

  it("C4 is that of what was written, whatever it is and whatever order it came in", () => {
    const store = open();
    fc.assert(
      fc.property(entries, (written) => {
        store.write(
          store.list().map(({ name }) => removeConfig(name)),
          API,
          at(1),
        );
        store.write(
          written.map((entry) => ({ name: entry.name, entry })),
          API,
          at(2),
        );
        const turned = written
          .toReversed()
          .map((entry) => ({ ...entry, agent_names: entry.agent_names.toReversed() }));
        expect(store.fingerprint()).toEqual(fingerprintOf(turned));
        expect(store.fingerprint().assignments).toBe(
          written.flatMap(({ agent_names }) => agent_names).length,
        );
      }),
      { numRuns: 60 },
    );
  });

  it("C4 is another one for every other content", () => {
    const one = configEntry("one", 1, { agent_names: ["x"] });
    const others: ConfigEntry[] = [
      { ...one, name: "two" },
      { ...one, config: {} },
      { ...one, agent_names: ["x", "y"] },
      { ...one, agent_names: [] },
      { ...one, allowed_tools: [] },
      { ...one, enabled: false },
    ];
    const hashes = [one, ...others].map((entry) => fingerprintOf([entry]).sha256);
    expect(new Set([...hashes, fingerprintOf([]).sha256]).size).toBe(hashes.length + 1);
  });
});
