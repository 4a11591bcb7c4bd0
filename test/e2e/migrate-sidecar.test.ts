import { existsSync, mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, describe, expect, it } from "vitest";
import { ConfigList } from "../../shared/protocol/config.ts";
import { runMigrate } from "../support/migrate-cli.ts";
import { makeOldDatabase } from "../support/old-database.ts";
import { type Sidecar, signedFetch, startSidecar } from "../support/sidecar.ts";

let home: string;
let old: string;
let state: string;
let sidecar: Sidecar | null = null;

beforeEach(() => {
  home = mkdtempSync(join(tmpdir(), "hivegate-migrate-"));
  old = join(home, "old.db");
  state = join(home, "state");
  makeOldDatabase(old, { servers: 30, agents: 5, agentsPerServer: 2, enabled: 0 });
});
afterEach(async () => {
  await sidecar?.stop();
  sidecar = null;
  rmSync(home, { recursive: true, force: true });
});

const start = async (env: Record<string, string>): Promise<Sidecar> => {
  sidecar = await startSidecar({
    env: {
      ...{ SIDECAR_STATE_DIR: state, SWARM_EXECUTOR: "process", MCP_SERVERS: "[]", MCP_OLD_DATABASE: old },
      ...env,
    },
  });
  return sidecar;
};

async function configured(client: string): Promise<ConfigList["configs"]> {
  const response = await signedFetch(`${sidecar?.url}/api/v1/mcp/configs?client=${client}`);
  return ConfigList.parse(await response.json()).configs;
}

describe("a sidecar after hivegate migrate", () => {
  it("C4 answers from the store in full, and goes back to what it was before", async () => {
    const oldBytes = readFileSync(old);
    const args = ["--from", old, "--state-dir", state];
    expect(await runMigrate([...args, "--mode", "full"])).toMatchObject({ exitCode: 0 });
    const { stop } = await start({ MCP_MIGRATION_MODE: "full" });
    const found = await configured("alice");
    expect(found).toHaveLength(30);
    expect(found.find(({ name }) => name === "server-3")).toMatchObject({
      config: { url: "http://127.0.0.1:9/3" },
      agent_names: ["agent-1", "agent-5"],
      enabled: false,
    });
    expect(await runMigrate([...args, "--mode", "rollback"])).toMatchObject({ exitCode: 1 });
    await stop();

    const back = await runMigrate([...args, "--mode", "rollback"]);
    expect(back.lines.at(-1)).toMatchObject({ result: "restored", replaced: null });
    expect(existsSync(join(state, "configs.db"))).toBe(false);
    expect(readFileSync(old).equals(oldBytes)).toBe(true);
    await start({ MCP_USE_NEW_SYSTEM: "false" });
    expect((await configured("alice")).map(({ name }) => name)).toEqual(found.map(({ name }) => name));
  });
});
