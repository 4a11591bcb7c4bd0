// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables are written here
import { join } from "node:path";
import { describe, expect, it, vi } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import { ConfigStore } from "../../../sidecar/config/store/store.ts";
import { setConfig } from "../../support/config-entry.ts";
import { FakeFile, liveConfigs, running, scratch, serve, value } from "./live-configs-parts.ts";

const API = { by: "ada", source: "api" } as const;
const OLD = { by: "old", source: "old" } as const;
const code = (code: string) => expect.objectContaining({ code });

describe("C2 configurations that are changed through the API", () => {
  it("C2 are checked, stored, applied and told of", async () => {
    const { configs, applied, heard, store } = await liveConfigs({ commands: ["serve"] });
    const item = await configs.put("one", value(1), "none", API);
    expect(item).toMatchObject({ name: "one", revision: 1, ...value(1) });
    expect(running(applied)).toEqual({ one: ["1"] });
    await configs.put("one", value(2), 1, API);
    await configs.put("two", { ...value(1), enabled: false }, "none", API);
    expect(running(applied)).toEqual({ one: ["2"] });
    await configs.remove("one", 2, API);
    expect(running(applied)).toEqual({});
    const none = { added: [], changed: [], removed: [] };
    expect(heard).toMatchObject([
      { ...none, added: ["one"], revision: 1 },
      { ...none, changed: ["one"], revision: 2 },
      { ...none, added: ["two"], revision: 3 },
      { ...none, removed: ["one"], revision: 4 },
    ]);
    expect(configs.status).toMatchObject({
      revision: 4,
      changed_by: "ada",
      source: "api",
      servers: 1,
      file: null,
    });
    expect(store.list()).toHaveLength(1);
  });

  it.each<[string, string, ReturnType<typeof value>, RegExp]>([
    ["a name that cannot be used", "a__b", value(1), /^a__b: .*__/],
    [
      "a command that is not allowed",
      "one",
      value(1, { command: "sh" }),
      /^one\.command: .*MCP_API_COMMANDS/,
    ],
    [
      "a variable that is not allowed",
      "one",
      value(1, { env: { A: "${HOME}" } }),
      /^one\.env\.A: .*HOME.*MCP_API_VARIABLES/,
    ],
    [
      "a variable that is not set",
      "one",
      value(1, { env: { A: "${OPEN}" } }),
      /^one\.env\.A: .*OPEN is not set/,
    ],
    ["a field of the wrong shape", "one", value(1, { args: "-v" }), /^one\.args: /],
  ])("C2 are refused whole for %s, and nothing changes", async (_, name, given, message) => {
    const { configs, applied, heard, store } = await liveConfigs({ commands: ["serve"] });
    const before = applied.length;
    await expect(configs.put(name, given, "none", API)).rejects.toThrow(message);
    await expect(
      configs.change(["fine", name], (_now, one) => (one === name ? given : value(1)), API),
    ).rejects.toEqual(code("config_invalid"));
    expect(store.revision).toBe(0);
    expect([applied.length, heard]).toEqual([before, []]);
  });

  it("C2 are refused when another version is there than was meant", async () => {
    const { configs } = await liveConfigs({ commands: ["serve"] });
    await configs.put("one", value(1), "none", API);
    await configs.put("one", value(2), 1, API);
    await expect(configs.put("one", value(3), 1, API)).rejects.toEqual(code("precondition_failed"));
    await expect(configs.put("one", value(3), "none", API)).rejects.toEqual(code("precondition_failed"));
    await expect(configs.remove("one", 1, API)).rejects.toEqual(code("precondition_failed"));
    await expect(configs.remove("two", 1, API)).rejects.toEqual(code("precondition_failed"));
    await expect(configs.remove("two", "none", API)).rejects.toEqual(code("unknown_config"));
    await expect(configs.get("", "two")).rejects.toEqual(code("unknown_config"));
    expect(configs.status.conflicts).toEqual([]);
    await configs.put("one", value(3), 2, API);
    expect(await configs.get("", "one")).toMatchObject({ revision: 3 });
  });

  it("C2 C3 have a history, and an older version can be made the newest", async () => {
    const { configs, applied } = await liveConfigs({ commands: ["serve"] });
    await configs.put("one", value(1), "none", API);
    await configs.put("one", value(2), 1, API);
    expect(await configs.restore("one", 1, 2, "bob")).toMatchObject({ revision: 3, ...value(1) });
    expect(running(applied)).toEqual({ one: ["1"] });
    await configs.remove("one", 3, API);
    expect(await configs.restore("one", 2, "none", "bob")).toMatchObject({ revision: 5, ...value(2) });
    await expect(configs.restore("one", 4, 5, "bob")).rejects.toEqual(code("config_invalid"));
    await expect(configs.restore("one", 9, 5, "bob")).rejects.toEqual(code("unknown_config"));
    const { versions, more } = await configs.history({ name: "one", before: 5, limit: 2 });
    expect(versions).toMatchObject([
      { revision: 4, value: null, by: "ada", source: "api" },
      { revision: 3, by: "bob", source: "restore" },
    ]);
    expect(more).toBe(true);
    expect(Object.keys(versions[0] ?? {})).not.toContain("limited");
  });

  it("C2 one change after the other: of many that mean one version, one is made", async () => {
    const { configs, store } = await liveConfigs({ commands: ["serve"] });
    await configs.put("one", value(0), "none", API);
    const tries = Array.from({ length: 20 }, (_, n) => configs.put("one", value(n + 1), 1, API));
    const outcomes = await Promise.allSettled(tries);
    expect(outcomes.filter(({ status }) => status === "fulfilled")).toHaveLength(1);
    expect(store.revision).toBe(2);
  });

  it("C2 too many at once are refused", async () => {
    const { configs } = await liveConfigs({ commands: ["serve"] });
    const tries = Array.from({ length: LIMITS.configChanges + 2 }, (_, n) =>
      configs.put(`s${n}`, value(n), "none", API),
    );
    const refused = (await Promise.allSettled(tries)).filter((one) => one.status === "rejected");
    expect(refused.map(({ reason }) => reason)).toEqual([code("overloaded"), code("overloaded")]);
    await configs.put("after", value(1), "none", API);
  });

  it("C6 nothing changes when the older system refuses it", async () => {
    const { configs, store, applied } = await liveConfigs({
      commands: ["serve"],
      router: () => ({
        read: () => Promise.reject(new Error("not asked")),
        write: () => Promise.reject(new HivegateError("config_invalid", "the older system cannot hold it")),
      }),
    });
    const before = applied.length;
    await expect(configs.put("one", value(1), "none", API)).rejects.toThrow("cannot hold it");
    expect([store.revision, applied.length]).toEqual([0, before]);
  });
});

describe("C2 what the API may start", () => {
  it("C2 whoever changes other things leaves a server of the file what it may do", async () => {
    const file = new FakeFile();
    file.edit({ one: { command: "own", env: { A: "${HOME}" } } });
    const { configs, applied } = await liveConfigs({ file, env: { HOME: "/home" } });
    const { config } = await configs.get("", "one");
    const other = { config, agent_names: ["x"], allowed_tools: ["*"], enabled: false };
    expect(await configs.put("one", other, 1, API)).toMatchObject({ enabled: false });
    expect(running(applied)).toEqual({});
    await configs.put("one", { ...other, enabled: true }, 2, API);
    expect(running(applied)).toEqual({ one: [] });
    await expect(
      configs.put("one", { ...other, config: { ...config, args: ["-v"] }, enabled: true }, 3, API),
    ).rejects.toThrow(/MCP_API_VARIABLES/);
    await configs.remove("one", 3, API);
    // The file says it still.
    await configs.restore("one", 1, "none", "ada");
    expect(running(applied)).toEqual({ one: [] });
    file.edit({});
    await configs.reload("operator");
    for (const again of [
      configs.restore("one", 1, "none", "ada"),
      configs.put("one", { ...other, enabled: true }, "none", API),
    ])
      await expect(again).rejects.toThrow(/MCP_API_VARIABLES/);
    expect(running(applied)).toEqual({});
  });

  it("C2 C3 a server that the file says as the API configured it may do what the file's may", async () => {
    const directory = scratch();
    const first = await liveConfigs({ directory, commands: ["serve"] });
    await first.configs.put("one", value(1), "none", API);
    await first.stop();
    const file = new FakeFile();
    file.edit({ one: serve(1) });
    const { applied, configs, store } = await liveConfigs({ directory, file });
    expect(running(applied)).toEqual({ one: ["1"] });
    expect(configs.status).toMatchObject({ last_error: null, conflicts: [] });
    expect(store.revision).toBe(1);
  });

  it("C2 a server that the API configured is left out once its command is not allowed any more", async () => {
    const directory = scratch();
    const first = await liveConfigs({ directory, commands: ["serve"] });
    await first.configs.put("one", value(1), "none", API);
    await first.stop();
    const { configs, applied, store } = await liveConfigs({ directory });
    expect(running(applied)).toEqual({});
    expect(configs.status.last_error).toMatchObject({
      source: "api",
      message: expect.stringMatching(/^one: .*MCP_API_COMMANDS/),
    });
    // What was left out before does not stand in the way of other changes.
    await configs.put("two", { ...value(1), config: { type: "tcp", host: "h", port: 1 } }, "none", API);
    expect(Object.keys(running(applied))).toEqual(["two"]);
    await configs.remove("one", 1, API);
    expect(configs.status.last_error).toBeNull();
    expect(store.revision).toBe(3);
  });
});

describe("C1 C3 configurations that come from a file", () => {
  async function withFile(servers: Record<string, unknown>, given = {}) {
    const file = new FakeFile();
    file.edit(servers);
    return { file, ...(await liveConfigs({ file, commands: ["serve"], ...given })) };
  }

  it("C1 are applied at the start, and at every change that the watcher tells of", async () => {
    const { file, configs, applied, heard } = await withFile({ one: serve(1) });
    file.tell();
    expect(running(applied)).toEqual({ one: ["1"] });
    file.edit({
      one: serve(2),
      two: { ...serve(1), agentNames: ["x"], allowedTools: ["read_*"], disabled: true },
    });
    file.tell();
    await vi.waitFor(() => expect(running(applied)).toEqual({ one: ["2"] }));
    expect(heard.at(-1)).toMatchObject({ added: ["two"], changed: ["one"], removed: [], revision: 3 });
    expect(await configs.get("", "two")).toMatchObject({
      agent_names: ["x"],
      allowed_tools: ["read_*"],
      enabled: false,
    });
    expect(configs.status).toMatchObject({
      source: "file",
      changed_by: ".mcp.json",
      file: { state: "watched" },
    });
  });

  it("C1 an equal text, and one that means the same, make no version", async () => {
    const { file, configs, applied, store } = await withFile({ one: serve(1) });
    const before = applied.length;
    file.tell();
    file.edit(`// the same\n{"mcpServers": {"one": {"args": ["1"], "command": "serve"}}}`);
    file.tell();
    expect(await configs.reload("ada")).toEqual({ added: [], changed: [], removed: [], revision: 1 });
    expect([store.revision, applied.length]).toEqual([1, before]);
    file.edit({ two: serve(1) });
    expect(await configs.reload("ada")).toEqual({
      added: ["two"],
      changed: [],
      removed: ["one"],
      revision: 3,
    });
    expect(configs.status).toMatchObject({ changed_by: "ada", source: "file" });
  });

  it("C1 a bad file is refused whole with its place, and what was in force goes on", async () => {
    const { file, configs, applied, alerts, store } = await withFile({ one: serve(1) });
    file.edit('{\n  "mcpServers": {\n    "one": {"command": "other"},\n    "two": {"command": 7}\n  }\n}');
    await expect(configs.reload("ada")).rejects.toThrow(/^line 4, column 24: /);
    expect(running(applied)).toEqual({ one: ["1"] });
    expect(configs.status).toMatchObject({
      file: { state: "refused" },
      last_error: { source: "file", line: 4, column: 24 },
    });
    expect(alerts).toMatchObject([{ kind: "config_refused" }]);
    file.edit({ one: { command: "serve", env: { A: "${MISSING}" } } });
    file.tell();
    await vi.waitFor(() => expect(configs.status.last_error?.message).toMatch(/MISSING is not set/));
    expect(configs.status.last_error).toMatchObject({ line: 1 });
    file.edit({ one: serve(3) });
    file.tell();
    await vi.waitFor(() => expect(running(applied)).toEqual({ one: ["3"] }));
    expect(configs.status).toMatchObject({ file: { state: "watched" }, last_error: null });
    expect(store.revision).toBe(2);
  });

  it("C1 a file that is removed changes nothing and is reported, also over a restart", async () => {
    const { file, configs, applied, directory, stop } = await withFile({ one: serve(1) });
    file.now = { state: "missing" };
    file.tell();
    await vi.waitFor(() => expect(configs.status.file?.state).toBe("missing"));
    expect(running(applied)).toEqual({ one: ["1"] });
    await stop();
    const again = await liveConfigs({ file, directory });
    expect(again.configs.status.file?.state).toBe("missing");
    expect(running(again.applied)).toEqual({ one: ["1"] });
    file.edit({ one: serve(1) });
    file.tell();
    await vi.waitFor(() => expect(again.configs.status.file?.state).toBe("watched"));
    expect(again.store.revision).toBe(1);
  });

  it("C3 changes through the API outlive restarts as long as the file says what it said", async () => {
    const { file, configs, directory, stop } = await withFile({
      one: serve(1),
      two: serve(1),
      three: serve(1),
    });
    await configs.put("one", value(2), 1, API);
    await configs.remove("two", 2, API);
    await configs.put("four", value(1), "none", API);
    await stop();
    const again = await liveConfigs({ file, directory, commands: ["serve"] });
    expect(running(again.applied)).toEqual({ one: ["2"], three: ["1"], four: ["1"] });
    expect(again.store.revision).toBe(6);
    file.edit({ one: serve(1), two: serve(1), three: serve(9) });
    file.tell();
    await vi.waitFor(() => expect(running(again.applied)).toEqual({ one: ["2"], three: ["9"], four: ["1"] }));
    expect(again.configs.status.conflicts).toEqual([]);
  });

  it("C3 the file's edit of what the API changed takes force, and the other version is told of and kept", async () => {
    const { file, configs, applied, alerts } = await withFile({ one: serve(1), two: serve(1) });
    await configs.put("one", value(2), 1, API);
    await configs.remove("two", 2, API);
    file.edit({ one: serve(3), two: serve(3) });
    file.tell();
    await vi.waitFor(() => expect(running(applied)).toEqual({ one: ["3"], two: ["3"] }));
    expect(configs.status.conflicts).toMatchObject([
      { name: "one", lost: 3, kept: 5 },
      { name: "two", lost: 4, kept: 6 },
    ]);
    expect(alerts.map(({ kind }) => kind)).toEqual(["config_conflict", "config_conflict"]);
    expect(await configs.restore("one", 3, 5, "ada")).toMatchObject(value(2));
  });

  it("C3 who uses the API at the moment of an edit hears of it, and neither version is lost", async () => {
    const { file, configs, applied, store, heard } = await withFile({ one: serve(1) });
    file.edit({ one: serve(2) });
    await expect(configs.put("one", value(3), 1, API)).rejects.toThrow(/file changed it at the same moment/);
    expect(running(applied)).toEqual({ one: ["2"] });
    // A version that took no effect is no news.
    expect([configs.status.revision, heard.at(-1)?.revision]).toEqual([2, 2]);
    expect(await configs.list("")).toMatchObject({ revision: 2 });
    expect(configs.status.conflicts).toMatchObject([{ name: "one", kept: 2, lost: 3 }]);
    expect(store.version("one", 3)).toMatchObject({ lost: true, value: value(3), by: "ada" });
    // The watcher comes later, with what is known already.
    file.tell();
    expect(await configs.put("one", value(4), 2, API)).toMatchObject({ revision: 4 });
    expect(running(applied)).toEqual({ one: ["4"] });
  });

  it("C3 who names no version replaces the edit of the same moment, which is kept and told of", async () => {
    const { file, configs, store } = await withFile({ one: serve(1) });
    file.edit({ one: serve(2) });
    await configs.change(["one"], () => value(3), OLD);
    expect(configs.status.conflicts).toMatchObject([{ name: "one", kept: 3, lost: 2 }]);
    expect(store.version("one", 2)).toMatchObject({ source: "file" });
  });

  it("C2 C3 who names no version changes what is there then: what others did at the same moment stays", async () => {
    const { file, configs } = await withFile({ one: serve(1) });
    const assign = (agent: string) =>
      configs.change(["one"], (now) => now && { ...now, agent_names: [...now.agent_names, agent] }, OLD);
    const restricted = { ...value(2), allowed_tools: ["read_*"] };
    await Promise.all([configs.put("one", restricted, 1, API), assign("x"), assign("y")]);
    expect(await configs.get("", "one")).toMatchObject({ ...restricted, agent_names: ["x", "y"] });
    file.edit({ one: { ...serve(5), agentNames: ["z"] } });
    await assign("x");
    expect(await configs.get("", "one")).toMatchObject({ ...value(5), agent_names: ["z", "x"] });
    // The file's edit of what the API had changed; nothing else was replaced.
    expect(configs.status.conflicts).toMatchObject([{ kept: 5, lost: 4 }]);
  });

  it("C3 who says at the same moment what the file says has what he wants", async () => {
    const { file, configs } = await withFile({ one: serve(1) });
    file.edit({ one: serve(2) });
    expect(await configs.put("one", value(2), 1, API)).toMatchObject({ revision: 2 });
    file.edit({ one: serve(2), two: serve(1) });
    expect(await configs.put("two", value(1), "none", API)).toMatchObject({ name: "two" });
    expect(configs.status.conflicts).toEqual([]);
  });

  it("C1 a half-written file does not get in the way of the API, and is taken when it is whole", async () => {
    const { file, configs, applied } = await withFile({ one: serve(1) });
    file.edit('{"mcpServers": {"one": ');
    await configs.put("two", value(1), "none", API);
    expect(configs.status.last_error).toBeNull();
    file.edit({ one: serve(5) });
    file.tell();
    await vi.waitFor(() => expect(running(applied)).toEqual({ one: ["5"], two: ["1"] }));
  });

  it("C1 a file that cannot be read, and then can, is in force as before", async () => {
    const { file, configs, store } = await withFile({ one: serve(1) });
    const before = file.now;
    file.now = { state: "unreadable", why: "EACCES" };
    file.tell();
    await vi.waitFor(() => expect(configs.status.last_error?.message).toMatch(/EACCES/));
    expect(configs.status.file?.state).toBe("refused");
    file.now = before;
    file.tell();
    await vi.waitFor(() => expect(configs.status.last_error).toBeNull());
    expect([configs.status.file?.state, store.revision]).toEqual(["watched", 1]);
  });

  it("C1 a file that could not be stored is tried again until it is", async () => {
    let isFull = false;
    const { file, configs, applied, clock, alerts } = await withFile(
      { one: serve(1) },
      {
        router: () => ({
          read: () => Promise.reject(new Error("not asked")),
          write: async (_edits: unknown, storeWrite: () => number) => {
            if (isFull) throw new HivegateError("overloaded");
            return storeWrite();
          },
        }),
      },
    );
    isFull = true;
    file.edit({ one: serve(2) });
    file.tell();
    await vi.waitFor(() => expect(configs.status.last_error?.message).toMatch(/tried again/));
    clock.advance(LIMITS.configLookMs);
    isFull = false;
    clock.advance(LIMITS.configLookMs);
    await vi.waitFor(() => expect(running(applied)).toEqual({ one: ["2"] }));
    expect(configs.status.last_error).toBeNull();
    expect(alerts).toHaveLength(1);
  });

  it("C1 what the watcher tells while too many changes wait is not forgotten", async () => {
    const { file, configs, applied, clock } = await withFile({ one: serve(1) });
    const changes = Array.from({ length: LIMITS.configChanges }, () =>
      configs.change(["two"], () => value(1), OLD),
    );
    const { now } = file;
    file.edit({ one: serve(2) });
    file.tell();
    // Nobody reads it early: what is there is what was there.
    const edited = file.now;
    file.now = now;
    await Promise.all(changes);
    file.now = edited;
    clock.advance(LIMITS.configLookMs);
    await vi.waitFor(() => expect(running(applied)).toMatchObject({ one: ["2"] }));
  });

  it("C1 a file that goes back before the watcher saw it change is found", async () => {
    const { file, configs, applied, clock } = await withFile({ one: serve(1) });
    file.tell();
    await configs.reload("ada");
    const before = file.now;
    file.edit({ one: serve(2) });
    await configs.put("two", value(1), "none", API);
    expect(running(applied)).toEqual({ one: ["2"], two: ["1"] });
    // For the watcher nothing happened.
    file.now = before;
    clock.advance(LIMITS.configLookMs);
    await vi.waitFor(() => expect(running(applied)).toEqual({ one: ["1"], two: ["1"] }));
    expect(configs.status.conflicts).toEqual([]);
  });

  it("C1 what the watcher read before the API did is not taken for newer", async () => {
    const { file, configs, applied } = await withFile({ one: serve(1) });
    file.tell();
    file.edit({ one: serve(2) });
    const seen = file.now;
    file.edit({ one: serve(3) });
    await configs.put("two", value(1), "none", API);
    file.tell(seen);
    await configs.change(["two"], () => value(2), OLD);
    expect(running(applied)).toEqual({ one: ["3"], two: ["2"] });
  });

  it("C1 a variable that changed at a restart is applied without a new version", async () => {
    const file = new FakeFile();
    file.edit({ one: { command: "serve", args: ["${A:-none}"] } });
    const directory = scratch();
    const first = await liveConfigs({ file, directory, env: { A: "1" } });
    expect(running(first.applied)).toEqual({ one: ["1"] });
    await first.stop();
    const again = await liveConfigs({ file, directory, env: { A: "2" } });
    expect(running(again.applied)).toEqual({ one: ["2"] });
    expect(again.store.revision).toBe(1);
    expect(JSON.stringify(again.store.list())).toContain("${A:-none}");
  });

  it("C1 servers of one pool with different profiles are refused, wherever the other one came from", async () => {
    const { file, configs, applied } = await withFile({
      one: { type: "tcp", host: "h", port: 1, profile: "demo" },
    });
    const other = { type: "tcp", host: "h", port: 2, pool: "one", profile: "ruv-swarm" };
    await expect(configs.put("two", value(1, other), "none", API)).rejects.toThrow(/same profile/);
    await configs.put("two", { ...value(1), config: { ...other, pool: "two" } }, "none", API);
    file.edit({ one: { type: "tcp", host: "h", port: 1, pool: "two", profile: "demo" } });
    file.tell();
    await vi.waitFor(() => expect(configs.status.file?.state).toBe("refused"));
    expect(Object.keys(running(applied))).toEqual(["one", "two"]);
  });
});

describe("C3 configurations that somebody else writes to the store", () => {
  it("C3 are taken over within a look, and before the next change", async () => {
    const { configs, store, clock, applied, heard } = await liveConfigs({ commands: ["serve"] });
    const other = new ConfigStore(store.file);
    const author = { by: "migration", source: "migration" } as const;
    other.write([setConfig("one")], author, { nowMs: 1 });
    expect(await configs.list("")).toMatchObject({ configs: [{ name: "one", revision: 1 }] });
    clock.advance(LIMITS.configLookMs);
    await vi.waitFor(() => expect(running(applied)).toEqual({ one: ["1"] }));
    expect((await configs.list("")).revision).toBe(1);
    other.write([setConfig("one", 2)], author, { nowMs: 2 });
    await expect(configs.put("one", value(3), 1, API)).rejects.toEqual(code("precondition_failed"));
    expect(running(applied)).toEqual({ one: ["2"] });
    expect(heard.map(({ added, changed }) => [added, changed])).toEqual([
      [["one"], []],
      [[], ["one"]],
    ]);
    other.close();
  });
});

describe("C3 configurations that MCP_SERVERS says", () => {
  const seed = (version: number) => ({
    source: "environment" as const,
    entries: new Map([["one", { name: "one", ...value(version) }]]),
  });

  it("C3 are merged as a file is", async () => {
    const directory = scratch();
    const first = await liveConfigs({ directory, seed: seed(1), commands: ["serve"] });
    await first.configs.put("one", value(2), 1, API);
    await first.stop();
    const second = await liveConfigs({ directory, seed: seed(1), commands: ["serve"] });
    expect(running(second.applied)).toEqual({ one: ["2"] });
    await second.stop();
    const third = await liveConfigs({ directory, seed: seed(3), commands: ["serve"] });
    expect(running(third.applied)).toEqual({ one: ["3"] });
    expect(third.configs.status.conflicts).toMatchObject([{ kept: 3, lost: 2 }]);
  });

  it("C3 a file in their place replaces what they said, and leaves what the API did", async () => {
    const directory = scratch();
    const first = await liveConfigs({ directory, seed: seed(1), commands: ["serve"] });
    await first.configs.put("own", value(1), "none", API);
    await first.stop();
    const file = new FakeFile();
    file.edit({ two: serve(1) });
    const second = await liveConfigs({ directory, file, commands: ["serve"] });
    expect(running(second.applied)).toEqual({ own: ["1"], two: ["1"] });
  });
});

describe("C1 the end of a sidecar", () => {
  it("C1 stops watching, and refuses what comes afterwards", async () => {
    const file = new FakeFile();
    const { configs, stop, directory } = await liveConfigs({ file, commands: ["serve"] });
    expect(file.isWatched).toBe(true);
    const last = configs.put("one", value(1), "none", API);
    await stop();
    await expect(last).rejects.toEqual(code("shutting_down"));
    expect(file.isWatched).toBe(false);
    await expect(configs.put("two", value(1), "none", API)).rejects.toEqual(code("shutting_down"));
    await expect(configs.list("")).rejects.toEqual(code("shutting_down"));
    new ConfigStore(join(directory, "configs.db")).close();
  });
});
