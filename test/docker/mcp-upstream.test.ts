/** An MCP server as a process in a container: `docker exec -i`. */
import { readFileSync } from "node:fs";
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { docker, dockerAvailable, nodeImage, processesOf, TestContainers } from "../support/docker.ts";
import { callTool, exchangeTool, mcpServers, SCRIPTED } from "../support/scripted-mcp.ts";

const code = (code: string) => expect.objectContaining({ code });

describe.skipIf(!(await dockerAvailable()))("an MCP server in a container", () => {
  const containers = new TestContainers();
  let container: string;
  beforeAll(async () => {
    const cmd = ["node", "-e", "setInterval(() => {}, 1000)"];
    container = (await containers.start({ image: await nodeImage(), cmd })).name;
  });
  afterAll(() => containers.removeAll());

  /** Nothing of ours is in the container, so the server comes as its program's text. */
  const start = (allowed = [container]) => {
    const args = ["--input-type=module", "-e", readFileSync(SCRIPTED, "utf8")];
    const config = { name: "a", type: "docker-exec", container, command: "node", args, env: { OWN: "1" } };
    const all = mcpServers([{ ...config, workdir: "/tmp" }], { docker, allowed });
    return { ...all, upstream: all.server("a").upstream, connection: all.server("a").connection };
  };
  const servers = async () =>
    (await processesOf(container)).filter((command) => command.includes("--input-type=module"));

  it("T2 is started once for everybody, and leaves nothing behind, children of its own included", async () => {
    const { upstream, servers: all } = start();
    const calls = Array.from({ length: 20 }, (_, n) => callTool(upstream, "echo", { text: `grüße ${n}` }));
    expect(await Promise.all(calls)).toEqual(Array.from({ length: 20 }, (_, n) => ({ text: `grüße ${n}` })));
    expect(await callTool(upstream, "env")).toMatchObject({ OWN: "1" });
    expect(await callTool(upstream, "cwd")).toBe("/tmp");
    await callTool(upstream, "child");
    const before = await processesOf(container);
    expect(await servers()).toHaveLength(1);
    await all.close();
    expect(await servers()).toEqual([]);
    expect(await processesOf(container)).toHaveLength(before.length - 2);
  });

  it("T5 answers of megabytes arrive whole", async () => {
    const { upstream } = start();
    const text = "🐝".repeat(1_000_000);
    expect(await callTool(upstream, "echo", { text })).toEqual({ text });
  });

  it("T2 that crashes is started anew, and one that is frozen is ended", async () => {
    const { upstream, connection } = start();
    await Promise.all(Array.from({ length: 20 }, () => callTool(upstream, "pid")));
    await expect(exchangeTool(upstream, "die")).rejects.toEqual(code("mcp_unavailable"));
    await callTool(upstream, "pid");
    const frozen = expect(exchangeTool(upstream, "freeze")).rejects.toEqual(code("mcp_unavailable"));
    while (connection.isOpen) await connection.ping({ timeoutMs: 300 }).catch(() => {});
    await frozen;
    await vi.waitFor(() => callTool(upstream, "pid"), { timeout: 20_000, interval: 100 });
    expect(await servers()).toHaveLength(1);
  });

  it("S8 is not started where the container is not on the allow list", async () => {
    const { upstream, lines } = start(["another"]);
    await expect(exchangeTool(upstream, "pid")).rejects.toEqual(code("mcp_unavailable"));
    expect(lines.join()).toContain("container_not_allowed");
    expect(await servers()).toEqual([]);
  });
});
