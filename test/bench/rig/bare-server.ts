/** A server of a few lines in the same runtime as the gateway, to compare it with. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { fileURLToPath } from "node:url";
import { z } from "zod";

const ROOT = new URL("../../..", import.meta.url).pathname;
const WORKERD = join(ROOT, "node_modules/.bin/workerd");
const DENO = new URL("deno", import.meta.resolve("deno/package.json")).pathname;
const Listening = z.object({ event: z.literal("listen"), port: z.number() });

export type BareServer = { url: string; pid: number; stop(): Promise<void> };

/** `script` is a worker of one module, whose Durable Object is called `Bench`. */
export async function startOnWorkerd(script: URL): Promise<BareServer> {
  const dir = await mkdtemp(join(tmpdir(), "hivegate-bench-"));
  await copyFile(script, join(dir, "worker.js"));
  await writeFile(join(dir, "config.capnp"), CONFIG);
  const args = ["serve", "--experimental", "--control-fd=1", join(dir, "config.capnp")];
  const server = await startServer(WORKERD, args);
  const stop = async () => {
    await server.stop();
    await rm(dir, { recursive: true, force: true });
  };
  return { ...server, stop };
}

/** `script` says on stdout where it listens, as workerd does. */
export const startOnDeno = (script: URL): Promise<BareServer> =>
  startServer(DENO, ["run", "--allow-net", "--no-config", fileURLToPath(script)]);

async function startServer(command: string, args: string[]): Promise<BareServer> {
  const child = spawn(command, args, { stdio: ["ignore", "pipe", "inherit"] });
  const exited = once(child, "exit");
  const kill = () => child.kill("SIGKILL");
  process.once("exit", kill);
  const port = await Promise.race([portOf(child), exited.then(() => null)]);
  if (port === null) throw new Error(`${command} ended before it listened`);
  const stop = async () => {
    // There is nothing to lose, and asked politely it would wait for its clients to hang up.
    kill();
    await exited;
    process.off("exit", kill);
  };
  return { url: `http://127.0.0.1:${port}`, pid: child.pid ?? 0, stop };
}

async function portOf({ stdout }: ChildProcessByStdio<null, Readable, null>): Promise<number> {
  const [line] = await once(createInterface(stdout), "line");
  return Listening.parse(JSON.parse(String(line))).port;
}

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "bench", worker = .bench),
    (name = "internet", network = (allow = ["public", "private"])),
  ],
  sockets = [(name = "http", address = "127.0.0.1:0", http = (), service = "bench")],
);
const bench :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "2026-11-01",
  bindings = [(name = "OBJECT", durableObjectNamespace = "Bench")],
  durableObjectNamespaces = [(className = "Bench", uniqueKey = "bench")],
  durableObjectStorage = (inMemory = void),
);
`;
