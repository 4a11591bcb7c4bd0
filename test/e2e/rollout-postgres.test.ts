/** Both paths with a real PostgreSQL server as the older database, and the network between breaking. */
import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, describe, expect, it, onTestFinished, vi } from "vitest";
import { platformClock } from "../../shared/clock.ts";
import type { ConfigEntry } from "../../sidecar/config/entry.ts";
import { openOldDatabase } from "../../sidecar/config/old/open.ts";
import { openRollout } from "../../sidecar/config/rollout/open.ts";
import { ConfigStore } from "../../sidecar/config/store/store.ts";
import { makePostgres } from "../support/old-tables.ts";
import { type PostgresServer, postgresAvailable, startPostgres } from "../support/postgres.ts";
import { recordingLog } from "../support/recording-log.ts";
import { startForwarder } from "../support/tcp-forwarder.ts";
import { stdio } from "../unit/config/rollout/rig.ts";

describe.skipIf(!postgresAvailable())("with PostgreSQL as the older database", { timeout: 60_000 }, () => {
  let server: PostgresServer;
  beforeAll(async () => {
    server = await startPostgres();
  }, 60_000);
  afterAll(() => server.stop());

  async function setUp(mode: "safe" | "full") {
    const { url, sql } = await server.database();
    await makePostgres(sql);
    const way = await startForwarder(Number(new URL(url).port));
    const place = new URL(url);
    place.port = String(way.port);
    const directory = mkdtempSync(join(tmpdir(), "hivegate-rollout-"));
    const store = new ConfigStore(join(directory, "configs.db"));
    const rollout = await openRollout(
      { oldDatabase: place.href, mode, useNewSystem: true, validateBackup: true, autoRollback: true },
      {
        ...{ store, open: openOldDatabase, alerts: { raise: () => {} } },
        ...{ clock: platformClock, log: recordingLog().log },
      },
    );
    onTestFinished(async () => {
      await rollout.close();
      store.close();
      rmSync(directory, { recursive: true, force: true });
    });
    const put = (entry: ConfigEntry) =>
      rollout.router.write([{ name: entry.name, entry }], () => {
        const edits = [{ name: entry.name, entry }];
        return store.write(edits, { by: "ann", source: "api" }, { nowMs: Date.now() }).revision;
      });
    const get = (client: string, name: string) =>
      rollout.router.read(client, "get", (backend) => backend.get(name));
    const inOld = async () =>
      (await sql`SELECT name, command ->> 0 AS command FROM mcp_servers ORDER BY name`).map((row) => ({
        ...row,
      }));
    return { rollout, store, put, get, inOld, way };
  }

  it("C4 C6 writes both, and gives the clients of both paths the same", async () => {
    const { rollout, store, put, get, inOld } = await setUp("safe");
    expect(store.list().map(({ name }) => name)).toEqual(["bare", "files", "web"]);
    await put(stdio("mine", "node", ["simple"]));
    await put(stdio("bare", "changed"));
    expect(await inOld()).toEqual([
      { name: "bare", command: "changed" },
      { name: "files", command: "/usr/bin/bash" },
      { name: "mine", command: "node" },
      { name: "web", command: null },
    ]);
    await rollout.change({ percent: 50 }, "ann");
    const clients = Array.from({ length: 200 }, (_, n) => `client-${n}`);
    for (const client of clients) {
      expect(await get(client, "mine")).toMatchObject({
        config: { command: "node" },
        agent_names: ["simple"],
      });
      expect(await get(client, "files")).toMatchObject({ agent_names: ["discord", "simple"] });
    }
    await vi.waitUntil(
      async () => {
        await get("ann", "files");
        return rollout.status.compared.reads >= 3;
      },
      { timeout: 10_000 },
    );
    expect(rollout.status).toMatchObject({ percent: 50, backed_out: null, compared: { differences: 0 } });
  });

  it("C4 C6 refuses changes in safe while it is away, and still answers all reads", async () => {
    const { store, put, get, inOld, way } = await setUp("safe");
    await way.close();
    const before = store.revision;
    await expect(put(stdio("bare", "changed"))).rejects.toMatchObject({
      code: expect.stringMatching(/overloaded|timeout/),
    });
    expect(store.revision).toBe(before);
    expect(await inOld()).toContainEqual({ name: "bare", command: "server" });
    expect(await get("ann", "files")).toMatchObject({ name: "files" });
  });

  it("C4 takes changes again soon after the connections went dead without a word, as when another server takes over", async () => {
    const { put, get, inOld, way } = await setUp("safe");
    way.abandon();
    await expect(put(stdio("bare", "first"))).rejects.toMatchObject({
      code: expect.stringMatching(/overloaded|timeout/),
    });
    const isTaken = () =>
      put(stdio("bare", "second")).then(
        () => true,
        () => false,
      );
    await vi.waitUntil(isTaken, { timeout: 20_000 });
    expect(await inOld()).toContainEqual({ name: "bare", command: "second" });
    expect(await get("ann", "bare")).toMatchObject({ config: { command: "second" } });
  });

  it("C4 goes on in full while it stands still, and brings it what it missed", async () => {
    const { rollout, put, get, inOld, way } = await setUp("full");
    way.freeze();
    const startedMs = Date.now();
    for (let n = 0; n < 5; n++) await put(stdio("mine", `command-${n}`));
    expect(Date.now() - startedMs).toBeLessThan(8_000);
    expect(rollout.status.old_database?.behind).toBe(1);
    expect(await get("ann", "mine")).toMatchObject({ config: { command: "command-4" } });
    way.thaw();
    await vi.waitUntil(() => rollout.status.old_database?.behind === 0, { timeout: 30_000 });
    expect(await inOld()).toContainEqual({ name: "mine", command: "command-4" });
  });
});
