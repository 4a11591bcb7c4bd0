import { describe, expect, it, vi } from "vitest";
import { isInRollout } from "../../../../shared/config/rollout.ts";
import { plain, Rig, stdio } from "./rig.ts";

const CLIENTS = Array.from({ length: 300 }, (_, n) => `client-${n}`);

async function onNew(rig: Rig): Promise<string[]> {
  const paths = await Promise.all(CLIENTS.map(async (client) => ({ client, ...(await rig.read(client)) })));
  return paths.flatMap(({ client, path }) => (path === "new" ? [client] : []));
}

/** Time that is really taken: what is slow here is a database. */
function busyFor(ms: number): void {
  const endMs = performance.now() + ms;
  while (performance.now() < endMs) {
    // Until then.
  }
}

/** Reads of all clients, with the looks that fall into them. */
async function readAll(rig: Rig, rounds: number): Promise<void> {
  for (let round = 0; round < rounds; round++) {
    for (const client of CLIENTS) await rig.read(client);
    rig.clock.advance(1_000);
  }
}

const backedOut = (rig: Rig) => rig.rollout.status.backed_out?.reason ?? null;

describe("which path is read", () => {
  it("C6 follows the rollout in safe, client by client", async () => {
    const rig = new Rig();
    await rig.start();
    expect(await onNew(rig)).toEqual([]);
    for (const percent of [10, 25, 50, 100, 0] as const) {
      await rig.rollout.change({ percent }, "ann");
      expect(await onNew(rig)).toEqual(CLIENTS.filter((client) => isInRollout(client, percent)));
    }
  });

  it("C6 is the newer one in full and the older one in rollback, and nobody can choose", async () => {
    const rig = new Rig();
    await rig.start({ mode: "full" });
    expect(await onNew(rig)).toEqual(CLIENTS);
    await expect(rig.rollout.change({ percent: 50 }, "ann")).rejects.toMatchObject({ code: "not_supported" });
    for (const config of [{ mode: "rollback" }, { mode: "full", useNewSystem: false }] as const) {
      await rig.restart(config);
      expect(await onNew(rig)).toEqual([]);
      expect(rig.rollout.status.mode).toBe("rollback");
      await expect(rig.rollout.change({ percent: 10 }, "ann")).rejects.toMatchObject({
        code: "not_supported",
      });
    }
  });

  it("C6 is the older one in full, when that was backed out, but never while it lacks a change", async () => {
    const rig = new Rig();
    await rig.start({ mode: "full" });
    await rig.rollout.change({ back_out: true }, "ann");
    expect(await onNew(rig)).toEqual([]);
    rig.faults.older = () => {
      throw new Error("gone");
    };
    await rig.put(stdio("server-0", "newest"));
    expect(await rig.read("ann")).toMatchObject({ path: "new", entry: { config: { command: "newest" } } });
  });

  it("C6 answers on the other path what one path cannot", async () => {
    const rig = new Rig();
    await rig.start();
    rig.faults.older = () => {
      throw new Error("gone");
    };
    expect(await rig.read("ann")).toMatchObject({ path: "new", entry: { name: "server-0" } });
    rig.faults.older = () => {};
    await rig.rollout.change({ percent: 100 }, "ann");
    rig.faults.newer = () => {
      throw new Error("broken");
    };
    expect(await rig.read("ann")).toMatchObject({ path: "old", entry: { name: "server-0" } });
    expect(rig.rollout.status.operations).toMatchObject([{ operation: "get", new: { errors: 1 } }]);
  });

  it("C6 answers on the newer path what a row that cannot be read keeps the older one from", async () => {
    const rig = new Rig();
    await rig.start();
    rig.inOldFile("UPDATE mcp_servers SET env = '{' WHERE name = 'server-0'");
    const list = await rig.rollout.router.read("ann", "list", (backend) => backend.list());
    expect(list).toHaveLength(20);
    expect([...rig.rollout.reads]).toContainEqual({
      ...{ path: "old", operation: "list", outcome: "failed", count: 1 },
    });
  });

  it("C6 remembers over a restart where it was, and why it was backed out", async () => {
    const rig = new Rig();
    await rig.start();
    const schedule = [
      { percent: 25 as const, forMs: 10_000 },
      { percent: 100 as const, forMs: 10_000 },
    ];
    await rig.rollout.change({ schedule }, "ann");
    const before = rig.rollout.status;
    await rig.restart();
    expect(rig.rollout.status).toMatchObject({
      percent: 25,
      schedule: { step: 0, next_at: before.schedule?.next_at },
    });
    await rig.rollout.change({ back_out: true }, "ann");
    await rig.restart();
    expect(rig.rollout.status).toMatchObject({ percent: 0, backed_out: { reason: "asked for by ann" } });
    await rig.restart({ mode: "full" });
    expect(rig.rollout.status).toMatchObject({ percent: 100, backed_out: null });
  });
});

describe("what backs a rollout out", () => {
  it("C5 C6 a newer path that is slower, at the next look, with the reason and an alert", async () => {
    const rig = new Rig();
    await rig.start();
    await rig.rollout.change({ percent: 50 }, "ann");
    await readAll(rig, 3);
    expect(backedOut(rig)).toBeNull();
    rig.faults.newer = () => busyFor(1);
    await readAll(rig, 1);
    expect(backedOut(rig)).toBe("get is more than 20 % slower");
    expect(rig.alerts).toMatchObject([{ kind: "rollout_backed_out", details: { percent: 50 } }]);
    expect(await onNew(rig)).toEqual([]);
    rig.faults.newer = () => {};
    await readAll(rig, 3);
    expect(rig.rollout.status.percent).toBe(0);
    await rig.rollout.change({ percent: 10 }, "ann");
    expect(rig.rollout.status).toMatchObject({ percent: 10, backed_out: null });
  });

  it("C6 a newer path that fails more often than the older one", async () => {
    const rig = new Rig();
    await rig.start();
    await rig.rollout.change({ percent: 50 }, "ann");
    let reads = 0;
    rig.faults.newer = () => {
      if (reads++ % 5 === 0) throw new Error("broken");
    };
    await readAll(rig, 1);
    expect(backedOut(rig)).toBe("get fails more often");
    expect(rig.alerts).toMatchObject([{ kind: "rollout_backed_out" }]);
  });

  it("C6 a store that cannot be read or written, without waiting for a look", async () => {
    const rig = new Rig();
    await rig.start();
    const broken = () => {
      throw new Error("broken");
    };
    await rig.rollout.change({ percent: 100 }, "ann");
    rig.faults.newer = broken;
    for (const client of ["a", "b", "c"]) await rig.read(client);
    expect(backedOut(rig)).toBe("the newer database fails: it cannot be read");
    rig.faults.newer = () => {};
    await rig.rollout.change({ percent: 100 }, "ann");
    rig.faults.newer = broken;
    await expect(rig.put(stdio("mine"))).rejects.toThrow("broken");
    expect(backedOut(rig)).toBe("the newer database fails: it could not be written");
  });

  it("C6 a store whose disk is full", async () => {
    const rig = new Rig();
    await rig.start();
    await rig.rollout.change({ percent: 100 }, "ann");
    const pages = rig.store.db.prepare("PRAGMA page_count").get()?.page_count;
    rig.store.db.exec(`PRAGMA max_page_count = ${pages}`);
    const write = async () => {
      for (let n = 0; n < 20; n++) await rig.put(stdio(`server-${n}`, "x".repeat(5_000)));
    };
    await expect(write()).rejects.toMatchObject({ code: "overloaded" });
    expect(backedOut(rig)).toBe("the newer database fails: it could not be written");
    expect(rig.alerts).toMatchObject([{ kind: "rollout_backed_out" }]);
  });

  it("C5 C6 any difference in what the two say, and tells of which server", async () => {
    const rig = new Rig();
    await rig.start();
    await rig.rollout.change({ percent: 10 }, "ann");
    await rig.inOld((old) => old.write([{ name: "server-0", entry: stdio("server-0", "changed") }]));
    await vi.waitUntil(async () => {
      await rig.read("ann");
      rig.clock.advance(1);
      return backedOut(rig) !== null;
    });
    expect(backedOut(rig)).toBe("the two paths say different things of server-0");
    expect(rig.alerts).toMatchObject([{ kind: "rollout_backed_out", details: { kind: "different" } }]);
    // Set again, both are made the same before anybody is on the newer path.
    await rig.rollout.change({ percent: 10 }, "ann");
    expect(plain(await required(rig.store.get("server-0"))).config).toMatchObject({ command: "changed" });
  });

  it("C6 no change that is made while reads are compared", async () => {
    const rig = new Rig();
    await rig.start();
    await rig.rollout.change({ percent: 50 }, "ann");
    for (let round = 0; round < 30; round++) {
      const write = rig.put(stdio("server-0", `command-${round}`));
      await Promise.all([rig.read(CLIENTS[round] ?? ""), rig.read("ann"), write]);
      rig.clock.advance(1);
      await rig.read("ann");
    }
    await vi.waitUntil(async () => {
      await rig.read("ann");
      rig.clock.advance(1);
      return rig.rollout.status.compared.reads >= 5;
    });
    expect(rig.rollout.status.compared.differences).toBe(0);
    expect(rig.alerts).toEqual([]);
  });

  it("C5 only an alert, where MCP_ENABLE_AUTO_ROLLBACK is off", async () => {
    const rig = new Rig();
    await rig.start({ autoRollback: false });
    await rig.rollout.change({ percent: 100 }, "ann");
    rig.faults.newer = () => {
      throw new Error("broken");
    };
    for (const client of ["a", "b", "c"]) await rig.read(client);
    expect(rig.rollout.status).toMatchObject({ percent: 100, backed_out: null, automatic: false });
    expect(rig.alerts).toMatchObject([{ kind: "rollout_in_doubt" }]);
  });
});

describe("a rollout that is backed out", () => {
  it("C5 C6 stays so, although a percentage was being set", async () => {
    const rig = new Rig();
    await rig.start();
    await rig.rollout.change({ percent: 25 }, "ann");
    rig.inOldFile("UPDATE mcp_servers SET description = 'x' WHERE name = 'server-0'");
    const { promise: standsStill, resolve: goOn } = Promise.withResolvers<void>();
    const asked = vi.fn(() => standsStill);
    rig.faults.listing = asked;
    const setting = rig.rollout.change({ percent: 50 }, "ann");
    const refused = expect(setting).rejects.toMatchObject({ code: "overloaded" });
    await vi.waitUntil(() => asked.mock.calls.length > 0);
    await rig.rollout.change({ back_out: true }, "bob");
    goOn();
    await refused;
    expect(rig.rollout.status).toMatchObject({ percent: 0, backed_out: { reason: "asked for by bob" } });
  });
});

describe("a schedule", () => {
  it("C5 C6 goes on over nothing that was found, where nothing is backed out by itself", async () => {
    const rig = new Rig();
    await rig.start({ autoRollback: false });
    const steps = [10, 50, 100].map((percent) => ({ percent, forMs: 5_000 })) as [
      { percent: 10; forMs: number },
    ];
    await rig.rollout.change({ schedule: steps }, "ann");
    rig.inOldFile("UPDATE mcp_servers SET description = 'x' WHERE name = 'server-0'");
    await vi.waitUntil(async () => {
      await rig.read("ann");
      rig.clock.advance(1);
      return rig.alerts.length > 0;
    });
    await readAll(rig, 10);
    expect(rig.rollout.status).toMatchObject({ percent: 10, verdict: "fine" });
  });

  it("C6 goes on when a step had its time and enough reads of both paths, which nothing was wrong with", async () => {
    const rig = new Rig();
    await rig.start();
    const schedule = [10, 25, 50, 100].map((percent) => ({ percent, forMs: 5_000 })) as [
      { percent: 10; forMs: number },
    ];
    await rig.rollout.change({ schedule }, "ann");
    rig.clock.advance(60_000);
    expect(rig.rollout.status).toMatchObject({ percent: 10, verdict: "too_few" });
    const percents = new Set([10]);
    while (!percents.has(100)) {
      await readAll(rig, 1);
      percents.add(rig.rollout.status.percent);
    }
    expect([...percents]).toEqual([10, 25, 50, 100]);
    expect(rig.alerts).toEqual([]);
  });
});

function required<T>(value: T | null): T {
  if (value === null) throw new Error("it is not there");
  return value;
}
