/** The benchmark's MCP server, over TCP in a process of its own, and the command by which others start it. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const ECHO_SERVER = fileURLToPath(new URL("./echo-server.ts", import.meta.url));
export const ECHO = [process.execPath, ECHO_SERVER];

const Listening = z.object({ event: z.literal("listen"), port: z.number() });

export async function startTcpEcho(): Promise<{ port: number; pid: number; stop(): void }> {
  const child = spawn(process.execPath, [ECHO_SERVER, "tcp"], { stdio: ["ignore", "pipe", "inherit"] });
  const [line] = await once(createInterface({ input: child.stdout }), "line");
  const { port } = Listening.parse(JSON.parse(String(line)));
  return { port, pid: child.pid ?? 0, stop: () => void child.kill("SIGKILL") };
}
