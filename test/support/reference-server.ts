/** The reference MCP server as others run it: a process over HTTP, or the command of a stdio child. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const MAIN = fileURLToPath(new URL("mcp-reference/main.ts", import.meta.url));

type Options = { only2025?: boolean };
const flags = ({ only2025 = false }: Options) => (only2025 ? ["--only-2025"] : []);

/** As an entry of MCP_SERVERS, but for its name. */
export const referenceStdio = (options: Options = {}) => ({
  type: "stdio",
  command: process.execPath,
  args: [MAIN, "--stdio", ...flags(options)],
});

export type ReferenceServer = { url: string; stop(): Promise<void> };

const Listening = z.object({ event: z.literal("listening"), port: z.number() });

export async function startReferenceServer(options: Options = {}): Promise<ReferenceServer> {
  const args = [MAIN, "--http", "0", ...flags(options)];
  const child = spawn(process.execPath, args, { stdio: ["ignore", "pipe", "inherit"] });
  const killWithUs = () => child.kill("SIGKILL");
  process.once("exit", killWithUs);
  const exited = once(child, "exit");
  const line = once(createInterface({ input: child.stdout }), "line");
  const [first] = await Promise.race([
    line,
    exited.then(() => Promise.reject(new Error("the reference server ended before it listened"))),
  ]);
  const { port } = Listening.parse(JSON.parse(String(first)));
  const stop = async () => {
    child.kill("SIGKILL");
    await exited;
    process.off("exit", killWithUs);
  };
  return { url: `http://127.0.0.1:${port}/mcp`, stop };
}
