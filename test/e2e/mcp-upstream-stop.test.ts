import { randomUUID } from "node:crypto";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { markedProcesses } from "../../sidecar/swarm/process/marked.ts";
import { startMcpSidecar } from "../support/mcp-sidecar.ts";
import { overStdio } from "../support/scripted-mcp.ts";

const SOON = { timeout: 10_000, interval: 50 };

/** A real sidecar, with servers that are started at once; which processes they are. */
async function startWithServers(count: number) {
  const marker = `OWN=${randomUUID()}`;
  const [name, value] = marker.split("=");
  const servers = Array.from({ length: count }, (_, n) => ({
    ...{ ...overStdio(`s${n}`), eager: true, env: { [String(name)]: value } },
  }));
  const { sidecar, stop } = await startMcpSidecar(servers);
  const processes = () => markedProcesses(marker);
  onTestFinished(() => {
    for (const pid of processes()) process.kill(pid, "SIGKILL");
  });
  await vi.waitFor(() => expect(processes()).toHaveLength(count), SOON);
  return { sidecar, stop, processes };
}

describe.skipIf(process.platform !== "linux")("the processes of MCP servers", () => {
  it("T2 end with the sidecar when it is stopped, one that is frozen too", async () => {
    const { stop, processes } = await startWithServers(3);
    const [frozen] = processes();
    process.kill(Number(frozen), "SIGSTOP");
    await stop();
    expect(processes()).toEqual([]);
  });

  it("T2 end by themselves when the sidecar is killed: their input ends", async () => {
    const { sidecar, stop, processes } = await startWithServers(2);
    await sidecar.kill("SIGKILL");
    await vi.waitFor(() => expect(processes()).toEqual([]), SOON);
    await stop();
  });
});
