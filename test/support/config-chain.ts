/** The whole way of a call, with the file that says which MCP servers there are, and a client of ours who hears of its changes. */
import { mkdtempSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { vi } from "vitest";
import { HivegateClient } from "../../shared/client/rest.ts";
import { HivegateStream } from "../../shared/client/stream.ts";
import type { ConfigChanged, ConfigDifference } from "../../shared/protocol/config.ts";
import { type ChainOptions, type McpChain, startMcpChain } from "./mcp-chain.ts";

/** By name, as in the file. */
export type FileServers = Record<string, object>;

export type ConfigChain = {
  chain: McpChain;
  folder: string;
  /** The configuration file. */
  file: string;
  stateDir: string;
  /** As editors do it: beside it, and then in its place. */
  write(mcpServers: FileServers): void;
  client: HivegateClient;
  stream: HivegateStream;
  /** All that the stream's client heard of the configuration. */
  heard: ConfigChanged[];
  /** A token for any client. */
  token(): Promise<string>;
  stop(): Promise<void>;
};

export type ConfigChainOptions = ChainOptions & {
  /** Where the sidecar keeps its state, if not beside the file. */
  stateDir?: string;
};

export async function startConfigChain(
  servers: FileServers,
  { stateDir, ...options }: ConfigChainOptions = {},
): Promise<ConfigChain> {
  const folder = mkdtempSync(join(tmpdir(), "hivegate-config-"));
  const file = join(folder, ".mcp.json");
  const state = stateDir ?? join(folder, "state");
  const write = (mcpServers: FileServers) => {
    writeFileSync(`${file}.new`, JSON.stringify({ mcpServers }, null, 2));
    renameSync(`${file}.new`, file);
  };
  write(servers);
  const chain = await startMcpChain([], {
    ...options,
    sidecar: { MCP_CONFIG_FILE: file, MCP_SERVERS: "", SIDECAR_STATE_DIR: state, ...options.sidecar },
  });
  const subject = { subject: "anna" };
  const access = { baseUrl: chain.gateway.url, hive: "default", token: await chain.gateway.token(subject) };
  const stream = new HivegateStream({ ...access, mode: "on_demand" });
  const heard: ConfigChanged[] = [];
  stream.on("config_changed", (change) => heard.push(change));
  const stop = async () => {
    stream.close();
    await chain.stop();
    rmSync(folder, { recursive: true, force: true });
  };
  try {
    // Whoever knows which revision there is hears of the next one by name.
    await vi.waitUntil(() => stream.configRevision, { timeout: 20_000, interval: 20 });
  } catch (thrown) {
    await stop();
    throw thrown;
  }
  return {
    ...{ chain, folder, file, stateDir: state, write, stream, heard, stop },
    client: new HivegateClient(access),
    token: () => chain.gateway.token(),
  };
}

/** What a change came to, without its number and its time, in the order of the names. */
export const namesOf = ({ added, changed, removed }: ConfigDifference): ConfigDifference => ({
  ...{ added: added.toSorted(), changed: changed.toSorted(), removed: removed.toSorted() },
});
