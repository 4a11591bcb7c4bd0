/** `npm start` as a process of its own, on ports and a state directory that nobody else uses. */
import { spawn } from "node:child_process";
import { mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { freePort } from "./free-port.ts";

export const ROOT = join(import.meta.dirname, "../..");
export const PORTS = ["GATEWAY_PORT", "SIDECAR_PORT", "DEMO_MCP_PORT", "DEMO_WS_PORT", "DEMO_HEALTH_PORT"];

/** Its environment. Call `clean` when it is no longer used. */
export async function startEnv(): Promise<{ env: Record<string, string>; clean(): Promise<void> }> {
  const stateDir = await mkdtemp(join(tmpdir(), "hivegate-start-"));
  const env: Record<string, string> = {
    PATH: process.env.PATH ?? "",
    HOME: process.env.HOME ?? "",
    SIDECAR_STATE_DIR: stateDir,
  };
  for (const name of PORTS) env[name] = String(await freePort());
  return { env, clean: () => rm(stateDir, { recursive: true, force: true }) };
}

/** `until` resolves when the output matches, and rejects when the process ends before. */
export function npmStart(env: Record<string, string>, args: readonly string[] = []) {
  const child = spawn(process.execPath, ["sidecar/cli/start/main.ts", ...args], { cwd: ROOT, env });
  let output = "";
  let wrote = () => {};
  for (const stream of [child.stdout, child.stderr]) {
    stream.setEncoding("utf8").on("data", (text) => {
      output += text;
      wrote();
    });
  }
  const exited = new Promise<number | null>((resolve) => child.once("close", (code) => resolve(code)));
  const until = async (pattern: RegExp): Promise<RegExpExecArray> => {
    for (;;) {
      const match = pattern.exec(output);
      if (match) return match;
      const written = new Promise<void>((resolve) => {
        wrote = resolve;
      });
      await Promise.race([written, exited.then(() => Promise.reject(new Error(`it ended: ${output}`)))]);
    }
  };
  return { child, exited, until, output: () => output };
}
