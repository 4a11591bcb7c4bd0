import { mkdtempSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { TelemetrySnapshot } from "../../shared/protocol/sidecar.ts";
import { LineSplitter, readLines } from "../../shared/wire/lines.ts";
import { startDemo } from "../support/demo.ts";
import { signedFetch, startSidecar } from "../support/sidecar.ts";
import { startForwarder } from "../support/tcp-forwarder.ts";

/** A sidecar whose telemetry somebody reads, and the only way to its MCP server. */
async function watchedSidecar(env: Record<string, string>) {
  const demo = await startDemo();
  onTestFinished(() => demo.stop());
  const way = await startForwarder(demo.mcpPort);
  const stateDir = mkdtempSync(join(tmpdir(), "hivegate-"));
  onTestFinished(() => rmSync(stateDir, { recursive: true }));
  const server = { name: "demo", profile: "demo", host: "127.0.0.1", port: way.port };
  const sidecar = await startSidecar({
    env: {
      ...{ SIDECAR_STATE_DIR: stateDir, SWARM_EXECUTOR: "process", MCP_SERVERS: JSON.stringify([server]) },
      ...env,
    },
  });
  onTestFinished(() => sidecar.stop());
  const { body } = await signedFetch(`${sidecar.url}/v1/telemetry?reader=test&intervalMs=16&config=1`);
  if (!body) throw new Error("there is no stream");
  const lines = readLines(body, new LineSplitter(1024 * 1024));
  onTestFinished(async () => void (await lines.return()));
  // Which configuration it is comes first.
  await lines.next();
  const snapshot = await lines.next();
  return { way, snapshot: TelemetrySnapshot.parse(JSON.parse(String(snapshot.value))) };
}

describe("ENABLE_MCP_TELEMETRY", () => {
  it("H8 true: the servers are asked while somebody reads", async () => {
    const { way, snapshot } = await watchedSidecar({});
    expect(snapshot.servers).toMatchObject([{ server: "demo", status: "unavailable" }]);
    await vi.waitUntil(() => way.asked("agent_list") > 0, { timeout: 10_000 });
  });

  it("H8 false: nothing is connected to or asked, and no server is shown", async () => {
    const { way, snapshot } = await watchedSidecar({ ENABLE_MCP_TELEMETRY: "false" });
    expect(snapshot.servers).toEqual([]);
    // That nothing happens shows only in time: in this one, the sidecar would have asked thirty times.
    await new Promise((resolve) => setTimeout(resolve, 1_000));
    expect(way.accepted()).toBe(0);
  });
});
