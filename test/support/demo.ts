import { spawn } from "node:child_process";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";

export const DEMO_MAIN = fileURLToPath(new URL("../../sidecar/demo/main.ts", import.meta.url));

export type DemoOptions = {
  /** Offer the tool `demo_fault`. */
  faults?: boolean;
  token?: string;
  /** How long the agents of an ended swarm stay listed. */
  lingerMs?: number;
  /** For a demo that takes the place of another one; unless given the system chooses. */
  wsPort?: number;
};

export type Demo = {
  mcpPort: number;
  wsPort: number;
  healthPort: number;
  pid: number;
  /** What the CLI `hive-mind` needs in its environment to find this daemon. */
  env: Record<string, string>;
  /** Ends the daemon, and sees that it ended by itself and without complaint. */
  stop(): Promise<void>;
  /** Ends it at once (-9). */
  kill(): Promise<void>;
};

const Ready = z.object({
  event: z.literal("listening"),
  mcp: z.number(),
  ws: z.number(),
  health: z.number(),
  pid: z.number(),
});

const STOP_WITHIN_MS = 5_000;

/** A real demo swarm in a process of its own, on ports that the system chose. */
export async function startDemo(options: DemoOptions = {}): Promise<Demo> {
  const args = [DEMO_MAIN, "serve", ...(options.faults ? ["--faults"] : [])];
  const settings = {
    DEMO_HOST: "127.0.0.1",
    ...(options.token === undefined ? {} : { DEMO_TOKEN: options.token }),
    ...(options.lingerMs === undefined ? {} : { DEMO_LINGER_MS: String(options.lingerMs) }),
  };
  const child = spawn(process.execPath, args, {
    env: {
      PATH: process.env.PATH,
      ...settings,
      DEMO_MCP_PORT: "0",
      DEMO_WS_PORT: String(options.wsPort ?? 0),
      DEMO_HEALTH_PORT: "0",
    },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const killWithUs = () => child.kill("SIGKILL");
  process.once("exit", killWithUs);
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    complaints += text;
  });
  const exited = once(child, "exit");
  const firstLine = once(createInterface(child.stdout), "line");
  const ready = await Promise.race([firstLine, exited.then(() => null)]);
  if (!ready) throw new Error(`the demo swarm did not start: ${complaints}`);
  const ports = Ready.parse(JSON.parse(String(ready[0])));

  return {
    mcpPort: ports.mcp,
    wsPort: ports.ws,
    healthPort: ports.health,
    pid: ports.pid,
    env: {
      ...settings,
      DEMO_MCP_PORT: String(ports.mcp),
      DEMO_WS_PORT: String(ports.ws),
      DEMO_HEALTH_PORT: String(ports.health),
    },
    stop: async () => {
      process.off("exit", killWithUs);
      // A test that killed it itself has nothing left to stop.
      if (child.exitCode !== null || child.signalCode !== null) return;
      child.kill("SIGTERM");
      const timer = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
      const [exitCode] = await exited;
      clearTimeout(timer);
      if (exitCode !== 0) throw new Error(`the demo swarm ended with ${exitCode}: ${complaints}`);
    },
    kill: async () => {
      process.off("exit", killWithUs);
      child.kill("SIGKILL");
      await exited;
    },
  };
}
