/**
 * Lets vitest run test files in Deno: a worker of this pool is a Deno process; filters, reports and the transform
 * of sources stay in vitest itself, in Node. So one run counts and names these tests like all others.
 */
import { type ChildProcess, fork } from "node:child_process";
import { once } from "node:events";
import { fileURLToPath } from "node:url";
import type { PoolOptions, PoolRunnerInitializer, PoolWorker, WorkerRequest } from "vitest/node";
import { decode, encode } from "./message.ts";

const DENO = fileURLToPath(new URL("deno", import.meta.resolve("deno/package.json")));
const PROGRAM = fileURLToPath(import.meta.resolve("./worker.ts"));

/** Neither network nor processes nor files to write: what runs anywhere needs none, and has to show it. */
const PERMISSIONS = ["--allow-env", "--allow-read", "--allow-sys", "--no-prompt"];

export const denoPool: PoolRunnerInitializer = {
  name: "deno",
  createPoolWorker: (options) => new DenoWorker(options),
};

class DenoWorker implements PoolWorker {
  readonly name = denoPool.name;
  readonly #env: PoolOptions["env"];
  readonly #permissions: string[];
  #process: ChildProcess | null = null;

  constructor({ env, project }: PoolOptions) {
    const { coverage } = project.vitest.config;
    this.#env = env;
    // What was covered is handed over in files.
    this.#permissions = coverage.enabled
      ? [...PERMISSIONS, `--allow-write=${coverage.reportsDirectory}`]
      : PERMISSIONS;
  }

  async start(): Promise<void> {
    this.#process = fork(PROGRAM, [], {
      env: { ...this.#env, DENO_NO_UPDATE_CHECK: "1" },
      execPath: DENO,
      execArgv: ["run", "--cached-only", ...this.#permissions],
    });
    await once(this.#process, "spawn");
  }

  /** Vitest has had the worker's last word by now, or gave up waiting for it. */
  async stop(): Promise<void> {
    const running = this.#running;
    if (running.exitCode !== null || running.signalCode !== null) return;
    const exited = once(running, "exit");
    running.kill("SIGKILL");
    await exited;
  }

  send(request: WorkerRequest): void {
    this.#running.send(encode(request));
  }

  deserialize(text: unknown): unknown {
    return decode(text);
  }

  on(event: string, listener: (...args: unknown[]) => void): void {
    this.#running.on(event, listener);
  }

  off(event: string, listener: (...args: unknown[]) => void): void {
    this.#running.off(event, listener);
  }

  get #running(): ChildProcess {
    if (!this.#process) throw new Error("The Deno process was not started.");
    return this.#process;
  }
}
