/** The scripted MCP server, however it is reached, and how a test uses it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { join } from "node:path";
import { onTestFinished } from "vitest";
import { z } from "zod";
import { BREAKER_RULES } from "../../shared/pressure/breaker.ts";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import { McpServerConfigs } from "../../sidecar/mcp/server-config.ts";
import { type McpServer, McpServers, type McpServersOptions } from "../../sidecar/mcp/servers.ts";
import type { Exchange, Upstream } from "../../sidecar/mcp/upstream.ts";
import type { DockerAccess } from "../../sidecar/mcp/wires/docker-exec.ts";
import { recordingLog } from "./recording-log.ts";

export const SCRIPTED = join(import.meta.dirname, "stand-ins", "scripted-mcp.js");

/** A child of the sidecar's. */
export const overStdio = (name: string, ...flags: string[]) => ({
  ...{ name, type: "stdio", command: process.execPath, args: [SCRIPTED, "--stdio", ...flags] },
});

/** Starts it as a process of its own. */
export async function overTcp(name: string) {
  return { name, type: "tcp", host: "127.0.0.1", port: await start("--tcp") };
}

export async function overWebSocket(name: string) {
  return { name, type: "ws", url: `ws://127.0.0.1:${await start("--ws")}/ws` };
}

async function start(flag: string): Promise<number> {
  const child = spawn(process.execPath, [SCRIPTED, flag], { stdio: ["ignore", "pipe", "inherit"] });
  onTestFinished(() => void child.kill("SIGKILL"));
  const [line] = await once(child.stdout, "data");
  return z.object({ port: z.number() }).parse(JSON.parse(String(line))).port;
}

/** As the sidecar has them, with breakers that wait for a tenth of a second. */
export function mcpServers(
  configs: readonly object[],
  docker?: DockerAccess,
  options: Pick<McpServersOptions, "leaving"> = {},
) {
  const { log, lines } = recordingLog();
  const servers = new McpServers(McpServerConfigs.parse(configs), {
    callTimeoutMs: 5_000,
    rules: { ...BREAKER_RULES, firstMs: 100, mostMs: 200 },
    breakers: { load: () => null, save: () => {}, forget: () => {} },
    ...(docker && { docker }),
    ...{ log, now: Date.now, random: Math.random, ...options },
  });
  onTestFinished(() => servers.close());
  const apply = (next: readonly object[]) => servers.apply(McpServerConfigs.parse(next));
  return { servers, lines, apply, server: (name: string) => existing(servers.get(name)) };
}

export function existing(server: McpServer | null): McpServer & { upstream: Upstream } {
  if (!server) throw new Error("there is no such server");
  return { ...server, upstream: server.connection };
}

type Asked = Partial<Exchange> & { meta?: Record<string, unknown> };

export function exchangeTool(
  upstream: Upstream,
  name: string,
  args: object = {},
  { meta, ...exchange }: Asked = {},
): Promise<McpAnswer> {
  const params = { name, arguments: args, ...(meta && { _meta: meta }) };
  const signal = new AbortController().signal;
  return upstream.exchange({ method: "tools/call", params }, { client: "c", signal, ...exchange });
}

const Text = z.object({ result: z.object({ content: z.tuple([z.object({ text: z.string() })]) }) });

/** The data in the one text of an answer of the scripted server. */
export function dataOf(answer: McpAnswer): unknown {
  return JSON.parse(Text.parse(answer).result.content[0].text);
}

export const callTool = async (...call: Parameters<typeof exchangeTool>): Promise<unknown> =>
  dataOf(await exchangeTool(...call));
