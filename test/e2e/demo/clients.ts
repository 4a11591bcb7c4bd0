/** The ways into a demo swarm that its tests use: a raw MCP connection and the real CLI. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { connect } from "node:net";
import { createInterface } from "node:readline";
import { onTestFinished, vi } from "vitest";
import { z } from "zod";
import { LineSplitter } from "../../../shared/wire/lines.ts";
import { DEMO_MAIN, type Demo, type DemoOptions, startDemo } from "../../support/demo.ts";

/** Long enough to be still at work whenever a test looks; tests end it. */
export const LONG_TASK = "count primes below 100000000";

/** A daemon that ends with the test. */
export async function demo(options: DemoOptions = {}): Promise<Demo> {
  const started = await startDemo(options);
  onTestFinished(() => started.stop());
  return started;
}

/** A raw connection to the MCP port: what is written and read is seen as it is. */
export async function openTcp(port: number) {
  const socket = connect(port, "127.0.0.1");
  onTestFinished(() => void socket.destroy());
  await once(socket, "connect");
  const splitter = new LineSplitter(64 * 1024 * 1024);
  const lines: string[] = [];
  const chunks: Buffer[] = [];
  const state = { closed: false };
  socket.on("data", (chunk) => {
    chunks.push(chunk);
    lines.push(...splitter.push(chunk));
  });
  socket.on("error", () => {});
  socket.on("close", () => {
    state.closed = true;
  });
  let lastId = 0;
  const send = (method: string, params?: object) => {
    const id = `id-${++lastId}`;
    socket.write(`${JSON.stringify({ jsonrpc: "2.0", id, method, params })}\n`);
    return id;
  };
  const messages = () => lines.flatMap((line) => (line.startsWith("{") ? [JSON.parse(line)] : []));
  const answerTo = (id: string) => vi.waitUntil(() => messages().find((message) => message.id === id), 5_000);
  const call = async (name: string, args: object = {}) => {
    const { result } = await answerTo(send("tools/call", { name, arguments: args }));
    return result?.structuredContent;
  };
  const closed = () => vi.waitUntil(() => state.closed, 5_000);
  return { socket, lines, chunks, state, messages, send, answerTo, call, closed };
}
/** Runs the CLI; `lines` fills as it prints. */
export function hiveMind(env: Record<string, string>, ...args: string[]) {
  const child = spawn(process.execPath, [DEMO_MAIN, "hive-mind", ...args], {
    env: { PATH: process.env.PATH, ...env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  onTestFinished(() => void child.kill("SIGKILL"));
  const lines: string[] = [];
  createInterface(child.stdout).on("line", (line) => lines.push(line));
  return { child, lines, ended: ended(child, lines) };
}

export async function ended(child: ChildProcess, lines: string[]) {
  let stderr = "";
  child.stderr?.setEncoding("utf8").on("data", (text) => {
    stderr += text;
  });
  const [exitCode] = await once(child, "close");
  return {
    exitCode,
    stderr,
    lines,
    events: lines.flatMap((line) => (line[0] === "{" ? [JSON.parse(line)] : [])),
  };
}

/** The id of the swarm that a run of `spawn --format json` has started. */
export async function spawned({ lines }: { lines: string[] }): Promise<string> {
  const first = await vi.waitUntil(() => lines[0], 5_000);
  return z.object({ event: z.literal("spawned"), swarmId: z.string() }).parse(JSON.parse(first)).swarmId;
}
