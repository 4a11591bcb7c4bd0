// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables are written here
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { openConfigs } from "../../../sidecar/config/open.ts";
import { ConfigStore, storeFile } from "../../../sidecar/config/store/store.ts";
import { type Config, readConfig } from "../../../sidecar/config.ts";
import type { McpServerConfig } from "../../../sidecar/mcp/server-config.ts";
import { StartError } from "../../../sidecar/start/start-error.ts";
import { setConfig } from "../../support/config-entry.ts";
import { recordingLog } from "../../support/recording-log.ts";
import { TEST_KEYS } from "../../support/sidecar.ts";
import { scratch } from "./live-configs-parts.ts";

const SERVERS = [
  { name: "b", type: "stdio", command: "serve", args: ["${HOME}"] },
  { name: "a", host: "h", port: 1, token: "abc", allowedTools: ["read_*"] },
];

/** What a sidecar with these variables runs; it ends at once. */
async function start(directory: string, env: Record<string, string>): Promise<readonly McpServerConfig[]> {
  const { running, status } = await started(directory, env);
  expect(status.last_error).toBeNull();
  return running;
}

async function started(directory: string, env: Record<string, string>) {
  const config: Config = readConfig({ SIDECAR_KEYS: TEST_KEYS, SIDECAR_STATE_DIR: directory, ...env });
  let running: readonly McpServerConfig[] = [];
  const { configs, close } = await openConfigs(config, {
    servers: { apply: (servers) => (running = servers) },
    alerts: { raise: () => {} },
    log: recordingLog().log,
    env: { HOME: "/home", A: "1" },
  });
  const { status } = configs;
  await close();
  return { running, status };
}

function file(directory: string, text: string): Record<string, string> {
  const path = join(directory, ".mcp.json");
  writeFileSync(path, text);
  return { MCP_CONFIG_FILE: path };
}

const names = (servers: readonly McpServerConfig[]) => servers.map(({ name }) => name);

describe("C1 the MCP servers that a sidecar starts with", () => {
  it("C1 are those of MCP_SERVERS, as they are there and in their order", async () => {
    const directory = scratch();
    const env = { MCP_SERVERS: JSON.stringify(SERVERS) };
    const { mcpServers } = readConfig({ SIDECAR_KEYS: TEST_KEYS, ...env });
    expect(await start(directory, env)).toEqual(mcpServers);
    expect(await start(directory, env)).toEqual(mcpServers);
    expect(names(await start(directory, { MCP_SERVERS: "[]" }))).toEqual([]);
  });

  it("C1 are those of MCP_SERVERS beside those of the file, whatever becomes of that", async () => {
    const directory = scratch();
    const env = { MCP_SERVERS: JSON.stringify(SERVERS) };
    const withFile = { ...env, ...file(directory, '{"mcpServers":{"c":{"command":"serve"}}}') };
    expect(names(await start(directory, withFile))).toEqual(["b", "a", "c"]);
    const gone = { ...withFile, MCP_CONFIG_FILE: join(directory, "gone.json") };
    expect(names(await start(directory, gone))).toEqual(["b", "a", "c"]);
    const moved = { ...gone, MCP_SERVERS: '[{"name":"a","host":"elsewhere","port":1}]' };
    expect(await start(directory, moved)).toMatchObject([{ name: "a", host: "elsewhere" }, { name: "c" }]);
    expect(names(await start(directory, { ...gone, MCP_SERVERS: "[]" }))).toEqual(["c"]);
    expect(names(await start(directory, withFile))).toEqual(["c", "b", "a"]);
    expect(names(await start(directory, { ...withFile, MCP_SERVERS: "" }))).toEqual(["c"]);
  });

  it("C1 are not those that MCP_SERVERS said once, whether the file is bad or says them now", async () => {
    const directory = scratch();
    const [b, a] = SERVERS;
    const good = file(directory, '{"mcpServers":{"c":{"command":"serve"}}}');
    const both = { ...good, MCP_SERVERS: JSON.stringify([b, a]) };
    const onlyA = { ...good, MCP_SERVERS: JSON.stringify([a]) };
    expect(names(await start(directory, both))).toEqual(["b", "a", "c"]);
    file(directory, "{");
    expect(names((await started(directory, onlyA)).running)).toEqual(["a", "c"]);
    // What moves from the variable to the file is the file's from then on.
    file(directory, '{"mcpServers":{"a":{"host":"h","port":1,"token":"abc","allowedTools":["read_*"]}}}');
    const empty = { ...good, MCP_SERVERS: "[]" };
    expect(names(await start(directory, empty))).toEqual(["a"]);
    file(directory, "{");
    expect(names((await started(directory, empty)).running)).toEqual(["a"]);
  });

  it("C1 are those of MCP_SERVERS alone as long as the file is bad, or says another thing of one of them", async () => {
    const directory = scratch();
    const env = { MCP_SERVERS: JSON.stringify(SERVERS) };
    for (const [text, place] of [
      ["{", "1:2"],
      ['{"mcpServers":{\n"a":{"command":"serve"}}}', "2:5"],
    ] as const) {
      const { running, status } = await started(directory, { ...env, ...file(directory, text) });
      expect(names(running)).toEqual(["b", "a"]);
      expect(status.file?.state).toBe("refused");
      expect(`${status.last_error?.line}:${status.last_error?.column}`).toBe(place);
    }
  });

  it("C1 are those that the swarm brings along, until there were others", async () => {
    const directory = scratch();
    expect(names(await start(directory, {}))).toEqual(["demo"]);
    expect(names(await start(directory, { SWARM_PROFILE: "claude-flow@3" }))).toEqual(["claude-flow"]);
    expect(names(await start(directory, { MCP_SERVERS: JSON.stringify(SERVERS) }))).toEqual(["b", "a"]);
    // Whoever takes the variable away did not ask for the demo.
    expect(names(await start(directory, {}))).toEqual(["b", "a"]);
  });

  it("C4 are those that were migrated, and not what the swarm brings along", async () => {
    const directory = scratch();
    const store = new ConfigStore(storeFile(directory));
    store.write([setConfig("moved")], { by: "migration", source: "migration" }, { nowMs: 1 });
    store.close();
    expect(names(await start(directory, {}))).toEqual(["moved"]);
  });

  it("C1 are those of the file, which takes the place of MCP_SERVERS", async () => {
    const directory = scratch();
    await start(directory, { MCP_SERVERS: JSON.stringify(SERVERS) });
    const env = file(directory, '{"mcpServers": {"c": {"command": "serve", "args": ["${A}"]}}}');
    expect(await start(directory, env)).toMatchObject([{ name: "c", args: ["1"] }]);
  });

  it("C1 a bad file stops the start with its place where there is nothing to go on with", async () => {
    const directory = scratch();
    const bad = file(directory, '{"mcpServers": {\n  "c": {"command": 7}}}');
    const starting = start(directory, bad);
    await expect(starting).rejects.toThrow(StartError);
    await expect(starting).rejects.toThrow(`${bad.MCP_CONFIG_FILE}:2:20: `);
    const missing = file(
      directory,
      '{"mcpServers": {\n  "c": {"command": "serve", "args": ["${MISSING}"]}}}',
    );
    await expect(start(directory, missing)).rejects.toThrow(/\.mcp\.json:2:38: .*MISSING is not set/);
  });

  it("C1 a state directory that cannot be used stops the start", async () => {
    const directory = scratch();
    writeFileSync(storeFile(directory), "no database");
    await expect(start(directory, {})).rejects.toThrow(/^SIDECAR_STATE_DIR: /);
  });
});

describe("C3 a store that is open already", () => {
  it("C3 is shared with whoever else reads and writes it", async () => {
    const directory = scratch();
    const store = new ConfigStore(storeFile(directory));
    onTestFinished(() => store.close());
    expect(names(await start(directory, {}))).toEqual(["demo"]);
    expect(store.list()).toMatchObject([{ name: "demo" }]);
  });
});
