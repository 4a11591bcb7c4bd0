/** The configuration of a real sidecar's MCP servers, seen and changed through the gateway. */
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterAll, beforeAll, expect, it } from "vitest";
import { HivegateClient } from "../../shared/client/rest.ts";
import { HivegateStream } from "../../shared/client/stream.ts";
import type { ConfigChanged } from "../../shared/protocol/config.ts";
import { type RunningGateway, startGateway } from "../support/gateway.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";
import { overStdio } from "../support/scripted-mcp.ts";

const API_KEY = "a-key-of-more-than-thirty-two-characters";
/** C1 allows one second; a busy machine gets another one. */
const LIVE_WITHIN_MS = 2_000;

let folder: string;
let file: string;
let mcp: McpSidecar;
let gateway: RunningGateway;
let client: HivegateClient;
let stream: HivegateStream;
const heard: ConfigChanged[] = [];

const entryOf = (name: string) => {
  const { name: _, ...entry } = overStdio(name);
  return entry;
};

/** As editors do: beside it, then in its place. */
async function writeConfig(...names: string[]): Promise<void> {
  const mcpServers = Object.fromEntries(names.map((name) => [name, entryOf(name)]));
  await writeFile(`${file}.new`, JSON.stringify({ mcpServers }));
  await rename(`${file}.new`, file);
}

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), "hivegate-config-"));
  file = join(folder, ".mcp.json");
  await writeConfig("a");
  const { command } = overStdio("a");
  mcp = await startMcpSidecar([], {
    ...{ MCP_CONFIG_FILE: file, MCP_SERVERS: "", MCP_API_COMMANDS: String(command) },
  });
  const env = { API_KEYS: JSON.stringify({ agents: API_KEY }) };
  gateway = await startGateway({ sidecarUrl: mcp.sidecar.url, keys: mcp.keys, env });
  const options = { baseUrl: gateway.url, hive: "default", token: await gateway.token({ subject: "anna" }) };
  client = new HivegateClient(options);
  stream = new HivegateStream({ ...options, mode: "on_demand" });
  stream.on("config_changed", (change) => heard.push(change));
});
afterAll(async () => {
  stream?.close();
  await gateway?.kill("SIGKILL");
  await mcp?.stop();
  await rm(folder, { recursive: true, force: true });
});

const works = (name: string) =>
  client.callTool(`${name}__echo`, { a: 1 }).then(
    () => true,
    () => false,
  );

it("C1 has what is written into the file live at once, and streaming clients hear of it", async () => {
  await expect.poll(() => stream.configRevision, { timeout: 10_000 }).toBeGreaterThan(0);
  expect(await works("a")).toBe(true);
  const changedMs = Date.now();
  await writeConfig("a", "b");
  await expect.poll(() => works("b"), { interval: 20, timeout: 10_000 }).toBe(true);
  expect(Date.now() - changedMs).toBeLessThan(LIVE_WITHIN_MS);
  await expect.poll(() => heard.at(-1), { timeout: 5_000 }).toMatchObject({ added: ["b"], removed: [] });
  expect(await client.configs.status()).toMatchObject({ source: "file", servers: 2, last_error: null });
});

it("C2 C3 changes servers for the version that was seen, with history, by the name of who did it", async () => {
  const value = { config: entryOf("c") };
  const made = await client.configs.put("c", value, "none");
  expect(await works("c")).toBe(true);
  await expect.poll(() => heard.at(-1), { timeout: 5_000 }).toMatchObject({ added: ["c"] });
  await expect(client.configs.put("c", value, "none")).rejects.toMatchObject({ code: "precondition_failed" });
  const off = await client.configs.put("c", { ...value, enabled: false }, made.revision);
  await expect(client.configs.remove("c", made.revision)).rejects.toMatchObject({
    code: "precondition_failed",
  });
  expect(await works("c")).toBe(false);
  await client.configs.remove("c", off.revision);
  await expect(client.configs.get("c")).rejects.toMatchObject({ code: "unknown_config" });
  const { versions } = await client.configs.history({ name: "c" });
  expect(versions.map(({ value, by, source }) => [value?.enabled ?? null, by, source])).toEqual([
    ...[
      [null, "anna", "api"],
      [false, "anna", "api"],
      [true, "anna", "api"],
    ],
  ]);
  await client.configs.restore("c", made.revision, "none");
  expect(await works("c")).toBe(true);
});

it("C2 refuses what the sidecar may not start for the API, and says which setting allows it", async () => {
  const wanted = client.configs.put("d", { config: { command: "/bin/true" } }, "none");
  await expect(wanted).rejects.toMatchObject({
    ...{ code: "config_invalid", message: expect.stringContaining("MCP_API_COMMANDS") },
  });
});

it("C2 answers calls of the older system's clients by their key", async () => {
  const call = async (server_name: string) => {
    const response = await fetch(`${gateway.url}/api/v1/mcp/tools/call`, {
      method: "POST",
      headers: { "x-api-key": API_KEY, "content-type": "application/json" },
      body: JSON.stringify({ server_name, tool_name: "echo", arguments: { a: 1 } }),
    });
    return [response.status, await response.json()];
  };
  expect(await call("a")).toMatchObject([200, { success: true, server_name: "a", tool_name: "echo" }]);
  expect(await call("nowhere")).toMatchObject([404, { detail: expect.any(String) }]);
});
