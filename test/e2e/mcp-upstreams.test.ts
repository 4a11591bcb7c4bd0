import { execFile } from "node:child_process";
import { mkdtempSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join, resolve } from "node:path";
import { promisify } from "node:util";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import type { Notification } from "../../sidecar/mcp/json-rpc-session.ts";
import {
  callTool,
  exchangeTool,
  mcpServers,
  overStdio,
  overTcp,
  overWebSocket,
} from "../support/scripted-mcp.ts";

const ways = { tcp: overTcp, stdio: async (name: string) => overStdio(name), ws: overWebSocket };
const code = (code: string) => expect.objectContaining({ code });

async function start(way: keyof typeof ways) {
  const all = mcpServers([await ways[way]("a")]);
  return { ...all, upstream: all.server("a").upstream };
}

const isAlive = (pid: unknown): boolean => {
  try {
    return process.kill(Number(pid), 0);
  } catch {
    return false;
  }
};

describe.each(["tcp", "stdio", "ws"] as const)("an MCP server over %s", (way) => {
  it("T2 is connected to once, for everybody", async () => {
    const { upstream, server } = await start(way);
    const calls = Array.from({ length: 50 }, (_, n) =>
      callTool(upstream, "echo", { n }, { client: `client-${n % 5}` }),
    );
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 50 }, (_, n) => ({ n })));
    // Telemetry's calls go the same way.
    expect(await server("a").connection.call("pid", {})).toBe(await callTool(upstream, "pid"));
    expect(upstream.connections).toBe(1);
    expect(await upstream.info()).toEqual({
      era: "2025",
      protocolVersion: "2025-11-25",
      capabilities: { tools: {} },
      serverInfo: { name: "scripted", version: "1" },
      instructions: null,
    });
  });

  it("T8 what the server answers is passed on word for word, errors too", async () => {
    const { upstream } = await start(way);
    expect(await exchangeTool(upstream, "nothing")).toEqual({
      error: { code: -32601, message: expect.stringMatching(/^no tools\/call /) },
    });
    expect(await exchangeTool(upstream, "echo", { a: [1, null, "ü🐝"] })).toEqual({
      result: { content: [{ type: "text", text: '{"a":[1,null,"ü🐝"]}' }] },
    });
  });

  it("T5 progress finds its own client by its own token, and starts the time anew", async () => {
    const { upstream } = await start(way);
    const heard: Record<string, Notification[]> = { a: [], b: [] };
    const call = (client: "a" | "b") =>
      callTool(
        upstream,
        "progress",
        { steps: 6, everyMs: 200 },
        {
          ...{ client, timeoutMs: 900, meta: { progressToken: 1 } },
          onNotification: (notification) => void heard[client]?.push(notification),
        },
      );
    await callTool(upstream, "pid");
    expect(await Promise.all([call("a"), call("b")])).toEqual(["done", "done"]);
    const steps = [1, 2, 3, 4, 5, 6].map((progress) => ({
      method: "notifications/progress",
      params: { progressToken: 1, progress },
    }));
    expect(heard).toEqual({ a: steps, b: steps });
  });

  it("T1 what the server asks in the course of a call reaches its client, and the answer the server", async () => {
    const { upstream } = await start(way);
    const onRequest = vi.fn(async () => ({ result: { action: "accept", content: { name: "Ada" } } }));
    expect(await callTool(upstream, "ask", {}, { onRequest })).toEqual({
      action: "accept",
      content: { name: "Ada" },
    });
    expect(onRequest.mock.calls).toMatchObject([[{ method: "elicitation/create" }, expect.anything()]]);
    expect(await callTool(upstream, "ask")).toMatchObject({ code: -32601 });
  });

  it("S8 between two clients with calls under way it is not guessed whom the server means", async () => {
    const { upstream } = await start(way);
    await callTool(upstream, "pid");
    const onRequest = vi.fn(async () => ({ result: { action: "accept" } }));
    const other = new AbortController();
    const waiting = exchangeTool(upstream, "never", {}, { client: "b", signal: other.signal });
    const asked = (client: string) => callTool(upstream, "ask", {}, { client, onRequest });
    const unclear = { code: -32009, message: expect.stringContaining("which client is meant") };
    expect(await asked("a")).toMatchObject(unclear);
    other.abort(new Error("enough"));
    await expect(waiting).rejects.toThrow("enough");
    expect(onRequest).not.toHaveBeenCalled();
    // Once the server has heard of it.
    await callTool(upstream, "pid");
    expect(await asked("a")).toEqual({ action: "accept" });
  });

  it("S8 a log line reaches the client whose call it is about, and where that is unclear nobody", async () => {
    const { upstream } = await start(way);
    const heard: unknown[] = [];
    const everybody: unknown[] = [];
    upstream.onNotification((notification) => everybody.push(notification));
    const log = (data: string, client: string) =>
      callTool(
        upstream,
        "log",
        { data },
        { client, onNotification: ({ params }) => void heard.push(params.data) },
      );
    await log("alone", "a");
    const other = new AbortController();
    const waiting = exchangeTool(upstream, "never", {}, { client: "b", signal: other.signal });
    await log("secret", "a");
    other.abort();
    await expect(waiting).rejects.toThrow();
    await callTool(upstream, "changed");
    expect(heard).toEqual(["alone"]);
    expect(everybody).toEqual([{ method: "notifications/tools/list_changed", params: {} }]);
  });

  it("T5 the server hears that a call is cancelled, or took too long", async () => {
    const { upstream } = await start(way);
    await callTool(upstream, "pid");
    const leaving = new AbortController();
    const call = exchangeTool(upstream, "never", {}, { signal: leaving.signal });
    leaving.abort(new Error("gone"));
    await expect(call).rejects.toThrow("gone");
    await expect(exchangeTool(upstream, "never", {}, { timeoutMs: 50 })).rejects.toEqual(code("timeout"));
    expect(await callTool(upstream, "cancelled")).toHaveLength(2);
  });

  describe("that loses its connection", () => {
    const dies = way === "stdio" ? "die" : "drop";

    /** With so many calls that went well that one loss does not open its circuit. */
    async function startWell() {
      const all = await start(way);
      await Promise.all(Array.from({ length: 30 }, () => callTool(all.upstream, "pid")));
      return all;
    }

    it("T2 is connected to anew by the next call, and what may have been done is not done again", async () => {
      const { upstream } = await startWell();
      const before = await callTool(upstream, "pid");
      const waiting = exchangeTool(upstream, "never");
      await expect(exchangeTool(upstream, dies)).rejects.toEqual(code("mcp_unavailable"));
      await expect(waiting).rejects.toEqual(code("mcp_unavailable"));
      expect((await callTool(upstream, "pid")) === before).toBe(way !== "stdio");
      expect(upstream.connections).toBe(2);
    });

    it("T2 is asked again what only looks, or may be repeated, and once only", async () => {
      const { upstream } = await startWell();
      const waiting = exchangeTool(upstream, "never", {}, { retryable: true });
      await callTool(upstream, "pid");
      await expect(exchangeTool(upstream, dies)).rejects.toEqual(code("mcp_unavailable"));
      // Whoever waits has made the new connection, not the call that is asked here.
      await vi.waitFor(() => expect(upstream.connections).toBe(2), 5_000);
      await expect(exchangeTool(upstream, dies)).rejects.toEqual(code("mcp_unavailable"));
      await expect(waiting).rejects.toEqual(code("mcp_unavailable"));
    });
  });
});

describe("an MCP server that is a process", () => {
  it("S8 gets what its configuration names, and nothing else of our environment", async () => {
    process.env.SIDECAR_KEYS = "secret";
    onTestFinished(() => void delete process.env.SIDECAR_KEYS);
    const cwd = realpathSync(mkdtempSync(join(tmpdir(), "hivegate-mcp-")));
    onTestFinished(() => rmSync(cwd, { recursive: true }));
    const { server } = mcpServers([{ ...overStdio("a"), env: { OWN: "1" }, cwd }]);
    const { upstream } = server("a");
    const env = await callTool(upstream, "env");
    expect(env).toMatchObject({ OWN: "1", PATH: process.env.PATH });
    expect(JSON.stringify(env)).not.toContain("secret");
    expect(Object.keys(Object(env)).filter((name) => !/^(OWN|PATH|HOME|LANG|__CF.*)$/.test(name))).toEqual(
      [],
    );
    expect(await callTool(upstream, "cwd")).toBe(cwd);
  });

  it("T2 is not started before it is needed, unless it is said to be eager", async () => {
    const { server } = mcpServers([overStdio("lazy"), { ...overStdio("eager"), eager: true }]);
    await vi.waitFor(() => expect(server("eager").connection.isOpen).toBe(true), 5_000);
    expect(server("lazy").connection.connections).toBe(0);
  });

  it("T2 leaves nothing behind when it is closed, children of its own included", async () => {
    const { server, servers } = mcpServers([overStdio("a")]);
    const { upstream } = server("a");
    const pids = [await callTool(upstream, "pid"), await callTool(upstream, "child")];
    expect(pids.map(isAlive)).toEqual([true, true]);
    await servers.close();
    expect(pids.map(isAlive)).toEqual([false, false]);
    await expect(exchangeTool(upstream, "pid")).rejects.toEqual(code("shutting_down"));
  });

  it("T2 that crashes takes its children with it before it is started anew", async () => {
    const { server } = mcpServers([overStdio("a")]);
    const { upstream } = server("a");
    const child = await callTool(upstream, "child");
    await expect(exchangeTool(upstream, "die")).rejects.toEqual(code("mcp_unavailable"));
    await callTool(upstream, "pid");
    expect(isAlive(child)).toBe(false);
  });

  it("T2 that ends with its answer is heard to its last word", async () => {
    const { server } = mcpServers([overStdio("a")]);
    expect(await callTool(server("a").upstream, "last_words")).toHaveLength(500_000);
  });

  it("T2 that does not listen any more is ended, and started anew", async () => {
    const { server } = mcpServers([overStdio("a")]);
    const { upstream } = server("a");
    const pid = await callTool(upstream, "deafen");
    // That nobody reads is noticed by writing.
    await exchangeTool(upstream, "pid").catch(() => {});
    await vi.waitFor(() => expect(isAlive(pid)).toBe(false), 5_000);
    expect(await callTool(upstream, "pid")).not.toBe(pid);
    expect(upstream.connections).toBe(2);
  });

  it("S6 is mcp_unavailable where the system has no descriptors left, and nothing else happens", async () => {
    const wires = resolve(import.meta.dirname, "../../sidecar/mcp/wires/stdio.ts");
    const program = `
      import { openSync } from "node:fs";
      import { stdioWire } from ${JSON.stringify(wires)};
      try { for (;;) openSync("/dev/null", "r"); } catch {}
      const open = stdioWire({ name: "a", command: "/bin/cat", args: [], env: {} });
      const opening = open({}, new AbortController().signal, 1_000);
      await opening.catch((error) => setTimeout(() => console.log(error.message), 10));
    `;
    const node = `exec "${process.execPath}" --input-type=module -e "$0"`;
    const { stdout } = await promisify(execFile)("sh", ["-c", `ulimit -n 60; ${node}`, program]);
    expect(stdout).toContain("cannot be started: EMFILE");
  });

  it("T2 that does not exist is mcp_unavailable, and left alone after a while", async () => {
    const { server } = mcpServers([{ name: "a", type: "stdio", command: "/nonexistent/server" }]);
    const { upstream, connection } = server("a");
    for (let n = 0; n < 5; n++) {
      await expect(exchangeTool(upstream, "pid")).rejects.toEqual(code("mcp_unavailable"));
    }
    expect(connection.circuit.state).toBe("open");
    await expect(exchangeTool(upstream, "pid")).rejects.toEqual(code("circuit_open"));
  });

  it.each(["--exits-on-probe", "--mute-before-initialize"])(
    "T1 of 2025 is understood though it takes a question of 2026 ill: %s",
    async (flag) => {
      const { server } = mcpServers([overStdio("a", flag)]);
      const { upstream } = server("a");
      expect((await upstream.info()).era).toBe("2025");
      await expect(exchangeTool(upstream, "die")).rejects.toEqual(code("mcp_unavailable"));
      // It is known by now, so it is not asked again.
      const startedMs = performance.now();
      await callTool(upstream, "pid");
      expect(performance.now() - startedMs).toBeLessThan(1_500);
    },
  );

  it("T2 that comes back with other tools is listed anew", async () => {
    const dir = mkdtempSync(join(tmpdir(), "hivegate-mcp-"));
    onTestFinished(() => rmSync(dir, { recursive: true }));
    const file = join(dir, "tools");
    writeFileSync(file, "die\nold\n");
    const { server } = mcpServers([{ ...overStdio("a"), env: { SCRIPTED_TOOLS: file } }]);
    const { upstream } = server("a");
    const { signal } = new AbortController();
    const list = () => upstream.exchange({ method: "tools/list", params: {} }, { client: "a", signal });
    expect(await list()).toMatchObject({ result: { tools: [{ name: "die" }, { name: "old" }] } });
    writeFileSync(file, "new\n");
    await expect(exchangeTool(upstream, "die")).rejects.toEqual(code("mcp_unavailable"));
    expect(await list()).toMatchObject({ result: { tools: [{ name: "new" }] } });
    expect(upstream.connections).toBe(2);
  });
});
