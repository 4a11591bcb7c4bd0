/** MCP servers that are changed while they are used: real processes, real connections. */
import { randomUUID } from "node:crypto";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { McpServers } from "../../sidecar/mcp/servers.ts";
import type { Upstream } from "../../sidecar/mcp/upstream.ts";
import { markedProcesses } from "../../sidecar/swarm/process/marked.ts";
import { socketsOf } from "../support/left-over.ts";
import { callTool, exchangeTool, mcpServers, overStdio, overTcp } from "../support/scripted-mcp.ts";

const SOON = { timeout: 10_000, interval: 20 };
/** Of calls, servers and moments. */
const ROUNDS = 1_000;
const PROCESS_ROUNDS = 40;

/** Servers that are processes of this test's own, in a version each: whatever differs needs another process. */
function processes() {
  const variable = `OWN_${randomUUID().replaceAll("-", "")}`;
  const running = () => markedProcesses(`${variable}=1`);
  onTestFinished(() => {
    for (const pid of running()) process.kill(pid, "SIGKILL");
  });
  const server = (name: string, version = 0) => ({
    ...overStdio(name),
    env: { [variable]: "1", VERSION: String(version) },
  });
  return { running, server };
}

const isRunning = (pid: unknown): boolean => {
  try {
    process.kill(Number(pid), 0);
    return true;
  } catch {
    return false;
  }
};

/** The server as clients use it. */
function clientsOf(servers: McpServers, name: string): Upstream {
  const upstream = servers.upstream(name);
  if (!upstream) throw new Error(`there is no ${name}`);
  return upstream;
}

/** Calls of these tools, one at each server, under way; what becomes of them. */
async function hanging(servers: McpServers, tools: Record<string, string>) {
  const upstreams = Object.keys(tools).map((name) => clientsOf(servers, name));
  await Promise.all(upstreams.map((upstream) => upstream.info()));
  const calls = upstreams.map((upstream) => exchangeTool(upstream, tools[upstream.name] ?? ""));
  return { outcomes: Promise.allSettled(calls) };
}

describe.skipIf(process.platform !== "linux")("MCP servers that are processes", () => {
  it("C1 keep their process where they stay as they are, and end it with the last call where they do not", async () => {
    const { running, server } = processes();
    const { servers, apply } = mcpServers([server("same"), server("other")]);
    const [same, other] = [clientsOf(servers, "same"), clientsOf(servers, "other")];
    const pid = await callTool(same, "pid");
    const before = await callTool(other, "pid");
    const slow = callTool(other, "progress", { steps: 3, everyMs: 200 });
    apply([server("same"), server("other", 1)]);
    const after = await callTool(other, "pid");
    expect(after).not.toBe(before);
    expect(running()).toHaveLength(3);
    expect(await slow).toBe("done");
    await vi.waitFor(() => expect(running().toSorted()).toEqual([pid, after].toSorted()), SOON);
    expect(await callTool(same, "pid")).toBe(pid);
    expect(await callTool(other, "env")).toMatchObject({ VERSION: "1" });
  });

  it("C1 that have nothing to do are over before their successor is there: there may be one only", async () => {
    const { server } = processes();
    const { servers, apply } = mcpServers([server("a")]);
    const upstream = clientsOf(servers, "a");
    for (let version = 1; version <= 3; version++) {
      const before = await callTool(upstream, "pid");
      apply([server("a", version)]);
      await callTool(upstream, "pid");
      expect(isRunning(before)).toBe(false);
    }
  });

  it("C1 are ended when they take too long over what they were asked, frozen ones too", async () => {
    const { running, server } = processes();
    const { servers, apply } = mcpServers([server("replaced"), server("removed")], undefined, {
      leaving: { waitMs: 300 },
    });
    const { outcomes } = await hanging(servers, { replaced: "never", removed: "freeze" });
    apply([server("replaced", 1)]);
    expect(servers.upstream("removed")).toBeNull();
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({
        status: "rejected",
        reason: { code: "mcp_unavailable", message: expect.stringContaining("replaced or taken away") },
      });
    await vi.waitFor(() => expect(running()).toEqual([]), SOON);
  });

  it(`C1 are replaced ${PROCESS_ROUNDS} times under calls: none fails, and one process is left`, async () => {
    const { running, server } = processes();
    const { servers, apply } = mcpServers([server("a")]);
    const upstream = clientsOf(servers, "a");
    const answers: unknown[] = [];
    let isOver = false;
    const call = async () => {
      while (!isOver) answers.push(await callTool(upstream, "env"));
    };
    const callers = [call(), call(), call()];
    for (let version = 1; version <= PROCESS_ROUNDS; version++) {
      const seen = answers.length;
      apply([server("a", version)]);
      // Every other one is replaced before it was ever asked anything.
      if (version % 2 === 0) await vi.waitFor(() => expect(answers.length).toBeGreaterThan(seen), SOON);
    }
    await vi.waitFor(() => expect(answers.at(-1)).toMatchObject({ VERSION: String(PROCESS_ROUNDS) }), SOON);
    isOver = true;
    await Promise.all(callers);
    await vi.waitFor(() => expect(running()).toHaveLength(1), SOON);
    apply([]);
    await vi.waitFor(() => expect(running()).toEqual([]), SOON);
  });

  it("C1 leave no process when all is closed while some of them are being replaced", async () => {
    const { running, server } = processes();
    const { servers, apply } = mcpServers([server("a"), server("b")]);
    const { outcomes } = await hanging(servers, { a: "never", b: "never" });
    apply([server("a", 1)]);
    await servers.close();
    expect(running()).toEqual([]);
    for (const outcome of await outcomes)
      expect(outcome).toMatchObject({ status: "rejected", reason: { code: "shutting_down" } });
  });
});

describe("MCP servers over TCP", () => {
  it(`C1 are replaced ${ROUNDS} times under calls: none fails, and no socket is left`, async () => {
    const [one, two] = [await overTcp("a"), await overTcp("a")];
    const sockets = socketsOf(process.pid);
    const { servers, apply } = mcpServers([one]);
    const upstream = clientsOf(servers, "a");
    let answered = 0;
    let isOver = false;
    const call = async () => {
      for (; !isOver; answered++) await callTool(upstream, "echo", { n: answered });
    };
    const callers = [call(), call(), call()];
    for (let round = 1; round <= ROUNDS; round++) {
      const seen = answered;
      apply([{ ...(round % 2 ? two : one), pool: `p${round % 3}` }]);
      if (round % 5 === 0) await vi.waitFor(() => expect(answered).toBeGreaterThan(seen), { interval: 1 });
    }
    isOver = true;
    await Promise.all(callers);
    expect(answered).toBeGreaterThan(ROUNDS / 5);
    await servers.close();
    await vi.waitFor(() => expect(socketsOf(process.pid)).toBe(sockets), SOON);
  });
});
