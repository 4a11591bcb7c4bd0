/** The official SDK's clients at a real sidecar, while the file that says which servers there are is changed. */
import { mkdtemp, rename, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished } from "vitest";
import { mcpClient, textOf } from "../support/mcp-client.ts";
import { startMcpSidecar } from "../support/mcp-sidecar.ts";
import { referenceStdio } from "../support/reference-server.ts";
import { TEST_KEYS } from "../support/sidecar.ts";
import { signingFetch } from "../support/signed-mcp.ts";

const SOON = { timeout: 10_000, interval: 20 };
const EVERYTHING = { a: referenceStdio() };
const ONLY_2025 = { a: referenceStdio({ only2025: true }) };

async function startSidecar() {
  const folder = await mkdtemp(join(tmpdir(), "hivegate-config-"));
  const file = join(folder, ".mcp.json");
  const write = async (mcpServers: object) => {
    await writeFile(`${file}.new`, JSON.stringify({ mcpServers }));
    await rename(`${file}.new`, file);
  };
  await write(EVERYTHING);
  const mcp = await startMcpSidecar([], {
    ...{ SIDECAR_KEYS: TEST_KEYS, MCP_CONFIG_FILE: file, MCP_SERVERS: "" },
  });
  onTestFinished(async () => {
    await mcp.stop();
    await rm(folder, { recursive: true, force: true });
  });
  return { url: `${mcp.sidecar.url}/v1/mcp`, write };
}

function isRunning(pid: string): boolean {
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
}

describe.each(["2025", "2026"] as const)("a client of %s", (era) => {
  it("C1 T1 goes on over a change of its server, its call under way included, whichever era that is of", async () => {
    const { url, write } = await startSidecar();
    const client = await mcpClient(`${url}/a?client=c`, { era, fetch: signingFetch });
    const pid = async () => textOf(await client.callTool({ name: "test_process_id" }));
    const first = await pid();

    const cancelling = new AbortController();
    let progress = 0;
    const waiting = client.callTool(
      { name: "test_wait" },
      { signal: cancelling.signal, onprogress: () => void progress++, resetTimeoutOnProgress: true },
    );
    const cancelled = expect(waiting).rejects.toThrow();
    await expect.poll(() => progress, SOON).toBeGreaterThan(0);

    await write(ONLY_2025);
    await expect.poll(pid, SOON).not.toBe(first);
    const seen = progress;
    await expect.poll(() => progress, SOON).toBeGreaterThan(seen);
    const asked = { name: "test_elicitation", arguments: { message: "Who?" } };
    expect((await client.callTool(asked)).isError ?? false).toBe(false);
    expect(client.asked).toEqual(["Who?"]);
    if (era === "2025") expect(client.heard).toContain("notifications/tools/list_changed");

    expect(isRunning(first)).toBe(true);
    cancelling.abort();
    await cancelled;
    await expect.poll(() => isRunning(first), SOON).toBe(false);

    const second = await pid();
    await write(EVERYTHING);
    await expect.poll(pid, SOON).not.toBe(second);
    await expect.poll(() => isRunning(second), SOON).toBe(false);
    await write({});
    const isThere = () => pid().then(Boolean, () => false);
    await expect.poll(isThere, SOON).toBe(false);
  });
});
