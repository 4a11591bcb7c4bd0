/** A real sidecar with these MCP servers and no swarm. */
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { newSecret } from "./gateway.ts";
import { type Sidecar, startSidecar } from "./sidecar.ts";

/** As in MCP_SERVERS. */
export type McpServerEntry = { name: string; type?: string; [setting: string]: unknown };

export type McpSidecar = { sidecar: Sidecar; keys: Record<string, string>; stop(): Promise<void> };

/** `before`: whose place this one takes. */
export async function startMcpSidecar(
  servers: readonly McpServerEntry[],
  env: Record<string, string> = {},
  before?: McpSidecar,
): Promise<McpSidecar> {
  const keys = before?.keys ?? { test: newSecret() };
  const stateDir = await mkdtemp(join(tmpdir(), "hivegate-mcp-"));
  const sidecar = await startSidecar({
    env: {
      ...(before && { SIDECAR_PORT: new URL(before.sidecar.url).port }),
      SIDECAR_KEYS: JSON.stringify(keys),
      SIDECAR_STATE_DIR: stateDir,
      SWARM_EXECUTOR: "process",
      MCP_SERVERS: JSON.stringify(servers),
      ...env,
    },
  });
  const stop = async () => {
    await sidecar.stop();
    await rm(stateDir, { recursive: true, force: true });
  };
  return { sidecar, keys, stop };
}
