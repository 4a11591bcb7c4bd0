/** A worker of a few lines under `workerd serve`, in the same runtime as the gateway, to compare it with. */
import { spawn } from "node:child_process";
import { once } from "node:events";
import { copyFile, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { z } from "zod";

const WORKERD = new URL("../../../node_modules/.bin/workerd", import.meta.url).pathname;
const Listening = z.object({ event: z.literal("listen"), port: z.number() });

export type BenchWorker = { url: string; pid: number; stop(): Promise<void> };

/** `script` is one module whose Durable Object is called `Bench`. */
export async function startWorker(script: URL): Promise<BenchWorker> {
  const dir = await mkdtemp(join(tmpdir(), "hivegate-bench-"));
  await copyFile(script, join(dir, "worker.js"));
  await writeFile(join(dir, "config.capnp"), CONFIG);
  const child = spawn(WORKERD, ["serve", "--experimental", "--control-fd=1", join(dir, "config.capnp")], {
    stdio: ["ignore", "pipe", "inherit"],
  });
  const exited = once(child, "exit");
  const killWithUs = () => child.kill("SIGKILL");
  process.once("exit", killWithUs);
  const line = await Promise.race([once(createInterface(child.stdout), "line"), exited.then(() => null)]);
  if (!line) throw new Error("workerd ended before it listened");
  const { port } = Listening.parse(JSON.parse(String(line[0])));
  return {
    url: `http://127.0.0.1:${port}`,
    pid: child.pid ?? 0,
    async stop() {
      // There is nothing to lose, and asked politely it waits for its clients to hang up.
      killWithUs();
      await exited;
      process.off("exit", killWithUs);
      await rm(dir, { recursive: true, force: true });
    },
  };
}

const CONFIG = `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [(name = "bench", worker = .bench)],
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
