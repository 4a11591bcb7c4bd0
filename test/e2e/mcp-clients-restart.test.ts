/** What the official SDK's client notices when something between it and its server goes and comes again. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { newSecret, type RunningGateway, startGateway } from "../support/gateway.ts";
import { type ClientEra, mcpClient, textOf } from "../support/mcp-client.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";
import { referenceStdio } from "../support/reference-server.ts";

const PROCESS_ID = { name: "test_process_id" };
const SERVERS = [{ name: "reference", ...referenceStdio() }];

const jwtSecret = newSecret();
let mcp: McpSidecar;
let gateway: RunningGateway;
const startEdge = async (port = 0) => {
  gateway = await startGateway({ sidecarUrl: mcp.sidecar.url, keys: mcp.keys, jwtSecret, port });
};
const restartEdge = async () => {
  const { port } = gateway;
  await gateway.kill("SIGKILL");
  await startEdge(port);
};
beforeAll(async () => {
  mcp = await startMcpSidecar(SERVERS);
  await startEdge();
});
afterAll(async () => {
  await gateway?.kill("SIGKILL");
  await mcp?.stop();
});

describe.each(["2025", "2026"] as const)("a client of %s", (era: ClientEra) => {
  const connect = async () =>
    mcpClient(`${gateway.url}/mcp/reference`, { token: await gateway.token({ subject: "ada" }), era });

  it("T1 goes on when the gateway was killed and came again", async () => {
    const client = await connect();
    const before = textOf(await client.callTool(PROCESS_ID));
    await restartEdge();
    expect(textOf(await client.callTool(PROCESS_ID))).toBe(before);
  });

  it("T1 goes on when the server's process was killed and came again", async () => {
    const client = await connect();
    const before = Number(textOf(await client.callTool(PROCESS_ID)));
    process.kill(before, "SIGKILL");
    // The call may be the one that notices, and then nobody knows whether it was made: the next one goes through.
    await client.callTool(PROCESS_ID).catch(() => null);
    expect(Number(textOf(await client.callTool(PROCESS_ID)))).not.toBe(before);
    expect(textOf(await client.callTool({ name: "test_simple_text" }))).toContain("simple text");
  });

  it("T1 needs a new session at most when the sidecar was killed and came again", async () => {
    const client = await connect();
    const before = Number(textOf(await client.callTool(PROCESS_ID)));
    const killed = mcp;
    await killed.sidecar.kill("SIGKILL");
    mcp = await startMcpSidecar(SERVERS, {}, killed);
    await killed.stop();
    // A session that is gone is told by 404, upon which a client begins anew.
    if (era === "2025")
      await expect(client.callTool(PROCESS_ID)).rejects.toMatchObject({ data: { status: 404 } });
    const again = era === "2025" ? await connect() : client;
    expect(Number(textOf(await again.callTool(PROCESS_ID)))).not.toBe(before);
    await vi.waitFor(() => expect(() => process.kill(before, 0)).toThrow(), {
      timeout: 10_000,
      interval: 50,
    });
  });

  it("T2 shares one process of the server with all other clients", async () => {
    const clients = await Promise.all([connect(), connect(), connect()]);
    const ids = await Promise.all(clients.map(async (client) => textOf(await client.callTool(PROCESS_ID))));
    expect(new Set(ids).size).toBe(1);
  });

  // Only sessions can be come back to.
  if (era !== "2025") return;

  it("T1 gets the answer to a call that the gateway's end cut off", async () => {
    const client = await connect();
    const progress: number[] = [];
    let edge: Promise<void> | null = null;
    const answer = await client.callTool(
      { name: "test_tool_with_progress" },
      {
        onprogress: (said) => {
          progress.push(said.progress);
          edge ??= restartEdge();
        },
      },
    );
    await edge;
    expect(answer.isError ?? false).toBe(false);
    expect(progress).toEqual([0, 50, 100]);
  });
});
