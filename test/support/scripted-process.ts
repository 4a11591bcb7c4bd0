/** The scripted MCP server as a process that outlives a test, on a TCP port of its own. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { z } from "zod";
import { SCRIPTED } from "./scripted-mcp.ts";

export type ScriptedProcess = { port: number; pid: number; stop(): Promise<void> };

const Listening = z.object({ port: z.number() });

export async function startScripted(): Promise<ScriptedProcess> {
  const child = spawn(process.execPath, [SCRIPTED, "--tcp"], { stdio: ["ignore", "pipe", "inherit"] });
  const killWithUs = () => child.kill("SIGKILL");
  process.once("exit", killWithUs);
  const exited = once(child, "exit");
  const [line] = await once(child.stdout, "data");
  const stop = async () => {
    child.kill("SIGKILL");
    await exited;
    process.off("exit", killWithUs);
  };
  return { port: Listening.parse(JSON.parse(String(line))).port, pid: child.pid ?? 0, stop };
}
