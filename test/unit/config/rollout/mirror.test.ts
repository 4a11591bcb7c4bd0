import { relative } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { ConfigStore } from "../../../../sidecar/config/store/store.ts";
import { plain, Rig, stdio, tcp } from "./rig.ts";

const kindsOf = (rig: Rig) => rig.alerts.map(({ kind }) => kind);

/** As another process does. */
function writeToStore(rig: Rig, name: string): void {
  const store = new ConfigStore(rig.store.file);
  store.write([{ name, entry: stdio(name) }], { by: "cli", source: "migration" }, { nowMs: 1 });
  store.close();
}

/** A try may be under way that still fails. */
const caughtUp = (rig: Rig) =>
  vi.waitUntil(() => {
    rig.clock.advance(5_000);
    return rig.rollout.status.old_database?.behind === 0;
  });

describe("writing both databases", () => {
  for (const mode of ["safe", "full", "rollback"] as const) {
    it(`C4 has each change in both when it is answered: ${mode}`, async () => {
      const rig = new Rig();
      await rig.start({ mode });
      await rig.put(stdio("mine", "node", ["agent-1"]));
      await rig.put(stdio("server-3", "deno"));
      await rig.remove("server-4");
      const { old, store } = await rig.both();
      expect(old).toEqual(store);
      expect(old.map(({ name }) => name)).toContain("mine");
      expect(old).toHaveLength(20);
    });
  }

  it("C4 changes neither when the older database refuses", async () => {
    const rig = new Rig();
    await rig.start();
    const before = await rig.both();
    await expect(rig.put(stdio("mine", "node", ["nobody"]))).rejects.toMatchObject({
      code: "config_invalid",
    });
    rig.faults.older = () => {
      throw new Error("the disk is gone");
    };
    await expect(rig.put(stdio("server-3", "deno"))).rejects.toMatchObject({ code: "overloaded" });
    rig.faults.older = () => {};
    expect(await rig.both()).toEqual(before);
  });

  it("C4 changes neither when the store refuses", async () => {
    const rig = new Rig();
    await rig.start();
    const before = await rig.both();
    const broken = () => {
      throw new Error("the disk is full");
    };
    for (const write of [
      () => rig.put(stdio("mine")),
      () => rig.put(stdio("server-3", "deno")),
      () => rig.remove("server-4"),
    ]) {
      rig.faults.newer = broken;
      await expect(write()).rejects.toThrow("the disk is full");
      rig.faults.newer = () => {};
      expect(await rig.both()).toEqual(before);
    }
  });

  it("C4 leaves the older rows as they are, ids and all, when the store refuses", async () => {
    const rig = new Rig();
    await rig.start();
    const before = await rig.inOld((old) => old.dump());
    rig.faults.newer = () => {
      throw new Error("the disk is full");
    };
    await expect(rig.remove("server-0")).rejects.toThrow("the disk is full");
    expect(await rig.inOld((old) => old.dump())).toEqual(before);
  });

  it("C4 brings the older database what it did not finish, and nobody reads it before", async () => {
    const rig = new Rig();
    await rig.start();
    rig.faults.ending = () => {
      throw new Error("the disk is gone");
    };
    await rig.put(stdio("server-0", "acknowledged"));
    expect(await rig.inOld((old) => old.get("server-0"))).not.toMatchObject({
      config: { command: "acknowledged" },
    });
    expect(await rig.read("ann")).toMatchObject({
      path: "new",
      entry: { config: { command: "acknowledged" } },
    });
    expect(kindsOf(rig)).toContain("old_database_behind");
    await expect(rig.put(stdio("mine"))).rejects.toMatchObject({ code: "overloaded" });
    expect(rig.store.get("mine")).toBeNull();
    rig.faults.ending = () => {};
    await caughtUp(rig);
    const { old, store } = await rig.both();
    expect(old).toEqual(store);
    expect((await rig.read("ann")).path).toBe("old");
  });

  it("C4 changes neither by what took too long in the older database", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const rig = new Rig();
    await rig.start();
    const before = await rig.both();
    const { promise: standsStill, resolve: goOn } = Promise.withResolvers<void>();
    rig.faults.standingStill = () => standsStill;
    const refused = expect(rig.put(stdio("mine"))).rejects.toMatchObject({ code: "timeout" });
    await vi.advanceTimersByTimeAsync(5_000);
    await refused;
    rig.faults.standingStill = async () => {};
    goOn();
    vi.useRealTimers();
    await rig.put(stdio("server-3", "deno"));
    const { old, store } = await rig.both();
    expect(old).toEqual(store);
    expect(old.map(({ name }) => name)).toEqual(before.old.map(({ name }) => name));
    expect(rig.store.get("mine")).toBeNull();
  });

  it("C4 keeps in the store alone what the older tables have no place for, and shows it on both paths", async () => {
    const rig = new Rig();
    await rig.start();
    await rig.put(tcp("flow"));
    await rig.put(tcp("server-3"));
    expect((await rig.inOld((old) => old.list())).map(({ name }) => name)).not.toContain("server-3");
    expect((await rig.read("ann", "flow")).entry).toMatchObject(tcp("flow"));
    const list = await rig.rollout.router.read("ann", "list", (backend) => backend.list());
    expect(list.map(({ name }) => name)).toEqual([...rig.store.list().map(({ name }) => name)]);
    await rig.restart();
    expect(rig.store.get("flow")).toMatchObject(tcp("flow"));
  });

  it("C4 goes on in full without the older database, and brings it everything when it is back", async () => {
    const rig = new Rig();
    await rig.start({ mode: "full" });
    rig.faults.older = () => {
      throw new Error("gone");
    };
    await rig.put(stdio("mine"));
    await rig.put(stdio("mine", "deno"));
    await rig.remove("server-4");
    expect(rig.rollout.status.old_database).toEqual({ behind: 2, behind_since: rig.clock.now() });
    expect(kindsOf(rig)).toContain("old_database_behind");
    rig.faults.older = () => {};
    await caughtUp(rig);
    const { old, store } = await rig.both();
    expect(old).toEqual(store);
  });

  it("C4 does not try an older database that is away more often for many reads", async () => {
    const rig = new Rig();
    await rig.start({ mode: "full" });
    let tries = 0;
    rig.faults.older = () => {
      tries++;
      throw new Error("gone");
    };
    await rig.put(stdio("mine"));
    for (let read = 0; read < 50; read++) await rig.read("ann");
    expect(tries).toBe(1);
  });

  it("C4 starts in full without the older database, and not where that one counts", async () => {
    const rig = new Rig();
    rig.isOldAway = true;
    await expect(rig.start({ mode: "safe" })).rejects.toMatchObject({ code: "overloaded" });
    await rig.start({ mode: "full" });
    await rig.put(stdio("mine"));
    rig.isOldAway = false;
    await caughtUp(rig);
    const { old, store } = await rig.both();
    expect(old).toEqual(store);
    expect(old.map(({ name }) => name)).toEqual(expect.arrayContaining(["mine", "server-0"]));
  });

  it("C4 is not undone by a change that took too long and comes after all", async () => {
    vi.useFakeTimers({ toFake: ["setTimeout", "clearTimeout"] });
    onTestFinished(() => void vi.useRealTimers());
    const rig = new Rig();
    await rig.start({ mode: "full" });
    const { promise: standsStill, resolve: goOn } = Promise.withResolvers<void>();
    rig.faults.standingStill = () => standsStill;
    const first = rig.put(stdio("mine", "first"));
    await vi.advanceTimersByTimeAsync(5_000);
    await first;
    rig.faults.standingStill = async () => {};
    await rig.put(stdio("mine", "second"));
    rig.clock.advance(5_000);
    await vi.advanceTimersByTimeAsync(1_000);
    expect(rig.rollout.status.old_database?.behind).toBe(1);
    goOn();
    vi.useRealTimers();
    await caughtUp(rig);
    expect(await rig.inOld((old) => old.get("mine"))).toEqual(stdio("mine", "second"));
  });

  it("C4 brings the older database also what was changed while the two were compared", async () => {
    const rig = new Rig();
    rig.isOldAway = true;
    await rig.start({ mode: "full" });
    await rig.put(stdio("first"));
    rig.isOldAway = false;
    const { promise: standsStill, resolve: goOn } = Promise.withResolvers<void>();
    const standing = vi.fn(() => standsStill);
    rig.faults.standingStill = standing;
    await vi.waitUntil(() => {
      rig.clock.advance(5_000);
      return standing.mock.calls.length > 0;
    });
    const second = rig.put(stdio("second"));
    goOn();
    await second;
    await caughtUp(rig);
    const { old, store } = await rig.both();
    expect(old).toEqual(store);
  });

  it("C4 does not hold up others for one server that a rule of the older database is against", async () => {
    const rig = new Rig();
    rig.inOldFile(
      "CREATE TRIGGER one BEFORE INSERT ON mcp_servers WHEN NEW.name = 'bad' BEGIN SELECT RAISE(ABORT, 'no'); END",
    );
    await rig.start({ mode: "full" });
    await rig.put(stdio("bad"));
    await rig.put(stdio("good"));
    expect((await rig.inOld((old) => old.list())).map(({ name }) => name)).toContain("good");
    expect(rig.rollout.status.old_database?.behind).toBe(0);
    await rig.restart({ mode: "safe" });
    await expect(rig.put(stdio("bad", "deno"))).rejects.toMatchObject({ code: "config_invalid" });
  });

  it("C4 does not hold up others for one server that the older database refuses", async () => {
    const rig = new Rig();
    await rig.start({ mode: "full" });
    await rig.put(stdio("theirs", "node", ["nobody"]));
    await rig.put(stdio("mine"));
    const names = (await rig.inOld((old) => old.list())).map(({ name }) => name);
    expect(names).toContain("mine");
    expect(names).not.toContain("theirs");
    expect(rig.rollout.status.old_database?.behind).toBe(0);
    expect(rig.alerts).toMatchObject([{ kind: "old_database_differs" }]);
    await rig.rollout.change({ back_out: true }, "ann");
    expect(await rig.read("ann", "theirs")).toMatchObject({ path: "old", entry: { name: "theirs" } });
  });
});

describe("when the sidecar starts", () => {
  for (const mode of ["safe", "full"] as const) {
    it(`C4 loses nothing of either the first time: ${mode}`, async () => {
      const rig = new Rig();
      rig.store.write([{ name: "mine", entry: stdio("mine") }], { by: "ann", source: "api" }, { nowMs: 1 });
      await rig.start({ mode });
      const { old, store } = await rig.both();
      expect(old).toEqual(store);
      expect(old).toHaveLength(21);
      expect(rig.alerts).toEqual([]);
    });
  }

  it("C4 takes over what was changed in the older one, where that counts, with the older value in the history", async () => {
    const rig = new Rig();
    await rig.restart();
    await rig.stop();
    await rig.inOld((old) =>
      old.write([
        { name: "server-2", entry: stdio("server-2", "changed") },
        { name: "server-4", entry: null },
      ]),
    );
    await rig.start();
    expect(rig.store.get("server-2")?.config).toMatchObject({ command: "changed" });
    expect(rig.store.get("server-4")).toBeNull();
    expect(
      rig.store.history("server-4", null, 5).map(({ source, value }) => [source, value === null]),
    ).toEqual([
      ["migration", true],
      ["migration", false],
    ]);
    expect(rig.alerts).toMatchObject([
      { kind: "old_database_differs", details: { to_newer: 2, servers: ["server-2", "server-4"] } },
    ]);
  });

  it("C4 sets the older one right, where the store counts", async () => {
    const rig = new Rig();
    await rig.start({ mode: "full" });
    const before = rig.store.list().map(plain);
    await rig.stop();
    await rig.inOld((old) => old.write([{ name: "server-2", entry: null }]));
    await rig.start({ mode: "full" });
    expect(await rig.both()).toEqual({ old: before, store: before });
  });

  it("C4 brings the older one first what it missed in full, when it counts again", async () => {
    const rig = new Rig();
    await rig.start({ mode: "full" });
    rig.faults.older = () => {
      throw new Error("gone");
    };
    await rig.put(stdio("server-2", "acknowledged"));
    rig.faults.older = () => {};
    await rig.restart({ mode: "safe" });
    const { old, store } = await rig.both();
    expect(old).toEqual(store);
    expect(rig.store.get("server-2")?.config).toMatchObject({ command: "acknowledged" });
  });

  it("C4 brings the older one what another process wrote to the store", async () => {
    const rig = new Rig();
    await rig.start();
    writeToStore(rig, "mine");
    await rig.read("ann");
    await vi.waitUntil(async () => (await rig.both()).old.some(({ name }) => name === "mine"));
  });

  it("C4 keeps what another process wrote to the store when a change comes before that was noticed", async () => {
    const rig = new Rig();
    await rig.start();
    writeToStore(rig, "theirs");
    await rig.put(stdio("mine"));
    const { old, store } = await rig.both();
    expect(old).toEqual(store);
    await rig.restart();
    expect(rig.store.get("theirs")).not.toBeNull();
    expect(rig.alerts).toEqual([]);
  });

  it("C4 knows the older database again however its place is spelt", async () => {
    const rig = new Rig();
    await rig.start({ mode: "full" });
    rig.faults.older = () => {
      throw new Error("gone");
    };
    await rig.remove("server-3");
    await rig.put(stdio("server-0", "acknowledged"));
    rig.faults.older = () => {};
    await rig.restart({ mode: "rollback", oldDatabase: relative(process.cwd(), rig.oldFile) });
    expect(rig.store.get("server-3")).toBeNull();
    expect(rig.store.get("server-0")?.config).toMatchObject({ command: "acknowledged" });
  });
});
