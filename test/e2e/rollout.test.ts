/** A real sidecar with a real database of the older system: its clients on both paths. */
import { mkdtempSync, rmSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { isInRollout } from "../../shared/config/rollout.ts";
import { ConfigItem, ConfigList } from "../../shared/protocol/config.ts";
import { RolloutStatus } from "../../shared/protocol/rollout.ts";
import type { SentAlert } from "../../sidecar/alerts.ts";
import { normalEntry } from "../../sidecar/config/old/rows.ts";
import { OldSqlite } from "../../sidecar/config/old/sqlite.ts";
import { makeOldDatabase } from "../support/old-database.ts";
import { type Sidecar, SidecarDidNotStart, signedFetch, startSidecar } from "../support/sidecar.ts";

const PATH = "/api/v1/mcp";
const SERVERS = 12;
const CLIENTS = Array.from({ length: 40 }, (_, n) => `client-${n}`);

class Hive {
  readonly directory = mkdtempSync(join(tmpdir(), "hivegate-rollout-"));
  readonly oldFile = join(this.directory, "old.db");
  #sidecar: Sidecar | null = null;

  constructor() {
    makeOldDatabase(this.oldFile, { servers: SERVERS, agents: 3, agentsPerServer: 1, enabled: 0 });
    onTestFinished(async () => {
      await this.#sidecar?.stop();
      rmSync(this.directory, { recursive: true, force: true });
    });
  }

  async start(env: Record<string, string> = {}): Promise<void> {
    await this.#sidecar?.stop();
    this.#sidecar = await startSidecar({
      env: {
        ...{ SIDECAR_STATE_DIR: join(this.directory, "state"), SWARM_EXECUTOR: "process", MCP_SERVERS: "[]" },
        ...{ MCP_API_COMMANDS: "*", MCP_OLD_DATABASE: this.oldFile, ...env },
      },
    });
  }

  async ask(
    path: string,
    options?: Parameters<typeof signedFetch>[1],
  ): Promise<{ status: number; body: unknown }> {
    const response = await signedFetch(`${this.#sidecar?.url}${PATH}/${path}`, options);
    const text = await response.text();
    return { status: response.status, body: text === "" ? null : JSON.parse(text) };
  }

  async list(client: string): Promise<ConfigItem[]> {
    return ConfigList.parse((await this.ask(`configs?client=${client}`)).body).configs;
  }

  async get(client: string, name: string): Promise<ConfigItem> {
    return ConfigItem.parse((await this.ask(`configs/${name}?client=${client}`)).body);
  }

  async rollout(change?: unknown): Promise<RolloutStatus> {
    const options = change === undefined ? {} : { method: "PUT", body: change };
    return RolloutStatus.parse((await this.ask("rollout?by=ann", options)).body);
  }

  async metrics(): Promise<string> {
    return await (await fetch(`${this.#sidecar?.url}/metrics`)).text();
  }

  /** What somebody does to the older database without us. */
  async inOld<T>(work: (old: OldSqlite) => Promise<T>): Promise<T> {
    const old = new OldSqlite(this.oldFile, { readOnly: false });
    return await work(old).finally(() => old.close());
  }
}

async function webhook(): Promise<{ url: string; received: SentAlert[] }> {
  const received: SentAlert[] = [];
  const server = createServer(async (request, response) => {
    received.push(JSON.parse(Buffer.concat(await request.toArray()).toString()));
    response.end();
  });
  await new Promise<void>((listening) => server.listen(0, "127.0.0.1", listening));
  onTestFinished(() => {
    server.closeAllConnections();
    server.close();
  });
  const address = server.address();
  return { url: `http://127.0.0.1:${typeof address === "object" ? address?.port : ""}/`, received };
}

const callsOf = ({ operations }: RolloutStatus) => {
  const get = operations.find(({ operation }) => operation === "get");
  return { old: get?.old.calls ?? 0, new: get?.new.calls ?? 0 };
};

describe("a sidecar between the older system and the newer", () => {
  it("C6 gives the clients of both paths the same answers, and writes both", async () => {
    const hive = new Hive();
    await hive.start();
    expect((await hive.list("ann")).map(({ name }) => name)).toHaveLength(SERVERS);
    expect(await hive.rollout({ percent: 25 })).toMatchObject({ mode: "safe", percent: 25, automatic: true });
    const answers = await Promise.all(CLIENTS.map((client) => hive.get(client, "server-2")));
    expect(new Set(answers.map((answer) => JSON.stringify(answer))).size).toBe(1);
    const onNew = CLIENTS.filter((client) => isInRollout(client, 25)).length;
    const calls = callsOf(await hive.rollout());
    expect(calls.new).toBeGreaterThanOrEqual(onNew);
    expect(calls.old).toBeGreaterThanOrEqual(CLIENTS.length - onNew);

    const body = { config: { command: "node" }, agent_names: ["agent-1"], enabled: false };
    expect(await hive.ask("configs/mine?by=ann", { method: "PUT", body })).toMatchObject({ status: 201 });
    expect(await hive.inOld((old) => old.get("mine"))).toMatchObject({ agent_names: ["agent-1"] });
    for (const client of CLIENTS) expect((await hive.get(client, "mine")).revision).toBe(SERVERS + 1);
    const unknown = { method: "PUT", body: { ...body, agent_names: ["nobody"] } };
    expect(await hive.ask("configs/other", unknown)).toMatchObject({
      status: 422,
      body: { code: "config_invalid" },
    });
    expect((await hive.list("ann")).map(({ name }) => name)).not.toContain("other");
  });

  it("C5 C6 takes all clients back within seconds when the two differ, says why, and stays so over a restart", async () => {
    const { url, received } = await webhook();
    const hive = new Hive();
    await hive.start({ ALERT_WEBHOOK_URL: url });
    await hive.rollout({ percent: 50 });
    const changed = normalEntry({
      ...{ name: "server-2", config: { command: "somebody-else" } },
      ...{ agent_names: [], allowed_tools: ["*"], enabled: false },
    });
    await hive.inOld((old) => old.write([{ name: "server-2", entry: changed }]));
    const startedMs = Date.now();
    await vi.waitUntil(
      async () => {
        await hive.get("ann", "server-2");
        return (await hive.rollout()).backed_out !== null;
      },
      { timeout: 10_000 },
    );
    expect(Date.now() - startedMs).toBeLessThan(5_000);
    const reason = "the two paths say different things of server-2";
    expect(await hive.rollout()).toMatchObject({ percent: 0, backed_out: { reason } });
    await vi.waitUntil(() => received.length > 0);
    expect(received).toMatchObject([
      { kind: "rollout_backed_out", hive: "default", details: { percent: 50 } },
    ]);
    const metrics = await hive.metrics();
    expect(metrics).toContain('hivegate_config_rollout_backed_out{hive="default"} 1');
    expect(metrics).toContain('hivegate_alerts_total{kind="rollout_backed_out",hive="default"} 1');
    for (const client of CLIENTS)
      expect((await hive.get(client, "server-2")).config.command).toBe("somebody-else");

    await hive.start();
    expect(await hive.rollout()).toMatchObject({ percent: 0, backed_out: { reason } });
    // The older one counts: the restart took its change over.
    expect(await hive.rollout({ percent: 100 })).toMatchObject({ percent: 100, backed_out: null });
    for (const client of CLIENTS)
      expect((await hive.get(client, "server-2")).config.command).toBe("somebody-else");
  });

  it("C6 has nothing to choose without an older system, and in rollback", async () => {
    const hive = new Hive();
    await hive.start({ MCP_OLD_DATABASE: "" });
    expect(await hive.rollout()).toMatchObject({ mode: "none", old_database: null });
    expect(await hive.ask("rollout", { method: "PUT", body: { percent: 10 } })).toMatchObject({
      ...{
        status: 409,
        body: { code: "not_supported", message: expect.stringContaining("MCP_OLD_DATABASE") },
      },
    });
    await hive.start({ MCP_USE_NEW_SYSTEM: "false" });
    expect(await hive.rollout()).toMatchObject({ mode: "rollback", percent: 0 });
    expect(await hive.ask("rollout", { method: "PUT", body: { percent: 10 } })).toMatchObject({
      status: 409,
    });
    expect(await hive.ask("rollout", { method: "PUT", body: { percent: 30 } })).toMatchObject({
      status: 400,
    });
    expect(await hive.list("ann")).toHaveLength(SERVERS);
  });

  it("C4 does not start without an older database that counts, and says which variable it is", async () => {
    const hive = new Hive();
    const start = hive.start({ MCP_OLD_DATABASE: join(hive.directory, "no-such.db") });
    await expect(start).rejects.toThrow(SidecarDidNotStart);
    await expect(start).rejects.toThrow("MCP_OLD_DATABASE: ");
  });
});
