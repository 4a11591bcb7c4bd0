/** claude-flow's own MCP server behind the gateway: as a process in its container, and behind TCP as people run it. */
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { CLAUDE_FLOW_CLI, startClaudeFlow } from "../support/claude-flow.ts";
import { dockerAvailable, processesOf, TestContainers } from "../support/docker.ts";
import { type RunningGateway, startGateway } from "../support/gateway.ts";
import { mcpClient, textOf } from "../support/mcp-client.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";

/** Of 3.43.0. */
const TOOLS = 353;

describe.skipIf(!(await dockerAvailable()))("claude-flow 3.43 behind the gateway", () => {
  const containers = new TestContainers();
  let container: string;
  let mcp: McpSidecar;
  let gateway: RunningGateway;
  beforeAll(async () => {
    const claudeFlow = await startClaudeFlow(containers);
    container = claudeFlow.name;
    mcp = await startMcpSidecar(
      [
        { name: "exec", type: "docker-exec", container, command: CLAUDE_FLOW_CLI, args: ["mcp", "start"] },
        { name: "tcp", type: "tcp", host: "127.0.0.1", port: claudeFlow.mcpPort },
      ],
      { MULTI_AGENT_CONTAINER_NAME: container, ALLOWED_CONTAINERS: container },
    );
    gateway = await startGateway({ sidecarUrl: mcp.sidecar.url, keys: mcp.keys });
  });
  afterAll(async () => {
    await gateway?.kill("SIGKILL");
    await mcp?.stop();
    await containers.removeAll();
  });

  const connect = async (path: string, era: "2025" | "2026") =>
    mcpClient(`${gateway.url}${path}`, { token: await gateway.token(), era });

  it.each(["2025", "2026"] as const)(
    "T1 lists all its tools to a client of %s, by docker exec and by TCP",
    async (era) => {
      const names = async (path: string) => {
        const { tools } = await (await connect(path, era)).listTools();
        return tools.map(({ name }) => name);
      };
      const exec = await names("/mcp/exec");
      expect(exec).toHaveLength(TOOLS);
      expect(await names("/mcp/tcp")).toEqual(exec);
      const all = await names("/mcp");
      for (const server of ["exec", "tcp"])
        expect(all.filter((name) => name.startsWith(`${server}__`))).toEqual(
          exec.map((name) => `${server}__${name}`),
        );
    },
  );

  it.each(["2025", "2026"] as const)("T1 calls its tools in one place for a client of %s", async (era) => {
    const client = await connect("/mcp", era);
    const spawned = await client.callTool({
      name: "exec__agent_spawn",
      arguments: { agentType: "coder", agentId: `agent-${era}` },
    });
    expect(spawned.isError ?? false).toBe(false);
    // Both processes keep their agents in the same directory.
    for (const server of ["exec", "tcp"]) {
      const listed = await client.callTool({ name: `${server}__agent_list`, arguments: {} });
      expect(textOf(listed)).toContain(`agent-${era}`);
    }
  });

  it("T2 runs one process for all clients and calls", async () => {
    const clients = await Promise.all([connect("/mcp/exec", "2025"), connect("/mcp/exec", "2026")]);
    await Promise.all(
      clients.flatMap((client) =>
        [1, 2, 3].map(() => client.callTool({ name: "agent_list", arguments: {} })),
      ),
    );
    // One behind TCP, which is the container's own, and one by docker exec.
    const running = await processesOf(container);
    expect(
      running.filter((line) => line.includes("mcp start") && !line.includes("stdio-to-tcp")),
    ).toHaveLength(2);
  });
});
