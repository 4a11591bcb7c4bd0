/** The real claude-flow in a container, with its MCP server behind TCP as people run it. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { contentHash, makeImage } from "../../sidecar/container/import-image.ts";
import { ROOTFS_CHANGES, stageFile, stageRootfs, stageScript } from "../../sidecar/container/rootfs.ts";
import type { RunningContainer } from "../../sidecar/container/start-container.ts";
import { docker, type TestContainers } from "./docker.ts";
import { installedPackage } from "./installed-package.ts";

const VERSION = "3.43.0";
const IMAGE = "hivegate-test-claude-flow";
const HOME = "/opt/claude-flow";
const WRAPPER = "/opt/stdio-to-tcp.ts";
const MCP_PORT = 9500;
const LISTENS_WITHIN_MS = 20_000;

/** The CLI inside the container; its state is the working directory's, which it shares with the MCP server. */
export const CLAUDE_FLOW_CLI = "/usr/local/bin/claude-flow";

/** Stands for Claude Code, which needs a key and a network: says what it was given and ends as it is told. */
const FAKE_CLAUDE = `#!/usr/local/bin/node
console.log(JSON.stringify({ type: "result", result: "fake", promptBytes: Buffer.byteLength(process.argv.at(-1)) }));
setTimeout(() => {}, Number(process.env.FAKE_CLAUDE_MS ?? 0));
`;

/**
 * Starts a container with claude-flow; `mcpPort` is its MCP server's port on 127.0.0.1. With `claude` a stand-in
 * for Claude Code is on its PATH, which runs for \`runsForMs\`.
 */
export async function startClaudeFlow(
  containers: TestContainers,
  options: { claude?: { runsForMs: number } } = {},
): Promise<RunningContainer & { name: string; mcpPort: number }> {
  const container = await containers.start({
    image: await claudeFlowImage(),
    ports: [MCP_PORT],
    env: options.claude
      ? [`PATH=/opt/fake:/usr/local/bin:/usr/bin:/bin`, `FAKE_CLAUDE_MS=${options.claude.runsForMs}`]
      : [],
  });
  await listens(container.name);
  return { ...container, mcpPort: container.hostPort(MCP_PORT) };
}

async function claudeFlowImage(): Promise<string> {
  const files = await installedClaudeFlow();
  const wrapper = join(import.meta.dirname, "stdio-to-tcp.ts");
  const cmd = ["node", WRAPPER, String(MCP_PORT), CLAUDE_FLOW_CLI, "mcp", "start"];
  const texts = [
    VERSION,
    process.version,
    FAKE_CLAUDE,
    await readFile(wrapper, "utf8"),
    ...ROOTFS_CHANGES,
    ...cmd,
  ];
  await makeImage(docker, {
    name: IMAGE,
    content: await contentHash(texts, []),
    changes: [...ROOTFS_CHANGES, `CMD ${JSON.stringify(cmd)}`],
    stage: async (dir) => {
      await stageRootfs(dir);
      await stageFile(dir, files, join(HOME, "node_modules"));
      await stageFile(dir, wrapper, WRAPPER);
      const launcher = `#!/usr/local/bin/node\nimport("${HOME}/node_modules/claude-flow/bin/cli.js");\n`;
      await stageScript(dir, CLAUDE_FLOW_CLI, launcher);
      await stageScript(dir, "/opt/fake/claude", FAKE_CLAUDE);
    },
  });
  return IMAGE;
}

/** The `node_modules` with claude-flow in them: 120 MB. */
export const installedClaudeFlow = (): Promise<string> => installedPackage("claude-flow", VERSION);

/** Docker's own end of a published port takes connections before the container does, so its log is asked. */
async function listens(name: string): Promise<void> {
  const deadlineMs = performance.now() + LISTENS_WITHIN_MS;
  for (;;) {
    const log = await docker.getContainer(name).logs({ stdout: true, stderr: true });
    if (log.includes("listening")) return;
    if (performance.now() > deadlineMs) throw new Error(`claude-flow does not listen: ${log}`);
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
}
