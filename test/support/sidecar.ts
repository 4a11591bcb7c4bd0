/** A real sidecar in a process of its own, and requests to it signed as the gateway signs them. */
import { spawn } from "node:child_process";
import { randomUUID } from "node:crypto";
import { once } from "node:events";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";
import { z } from "zod";
import { type MacKey, signRequest } from "../../shared/auth/signature.ts";
import { macKey, sha256 } from "../../sidecar/http/keys.ts";

const SIDECAR_MAIN = fileURLToPath(new URL("../../sidecar/main.ts", import.meta.url));
const STOP_WITHIN_MS = 5_000;

/** What tests sign with. */
export const TEST_SECRET = Buffer.alloc(32, 7);
export const TEST_KEY: MacKey = macKey("test", TEST_SECRET);
export const TEST_KEYS = JSON.stringify({ test: TEST_SECRET.toString("base64") });

export type Sidecar = {
  url: string;
  pid: number;
  /** What it wrote so far. */
  output(): string;
  /** Sends the signal and resolves with how the process ended. */
  kill(signal: NodeJS.Signals): Promise<{ exitCode: number | null }>;
  /** Stops it if it still runs, and sees that it ended by itself. */
  stop(): Promise<void>;
};

const Ready = z.object({ event: z.literal("listening"), port: z.number(), pid: z.number() });

/** Starts a sidecar on a port that the system chose. `env` adds to what it needs at least. */
export async function startSidecar(options: { env: Record<string, string> }): Promise<Sidecar> {
  const child = spawn(process.execPath, [SIDECAR_MAIN], {
    env: { PATH: process.env.PATH, SIDECAR_PORT: "0", SIDECAR_KEYS: TEST_KEYS, ...options.env },
    stdio: ["ignore", "pipe", "pipe"],
  });
  const killWithUs = () => child.kill("SIGKILL");
  process.once("exit", killWithUs);
  const exited = once(child, "close");
  const lines: string[] = [];
  const { promise: ready, resolve } = Promise.withResolvers<z.infer<typeof Ready>>();
  for (const stream of [child.stdout, child.stderr]) {
    createInterface({ input: stream }).on("line", (line) => {
      lines.push(line);
      if (line.includes('"event":"listening"')) resolve(Ready.parse(JSON.parse(line)));
    });
  }
  const output = () => lines.join("\n");
  const started = await Promise.race([ready, exited.then(() => null)]);
  process.off("exit", killWithUs);
  if (!started) throw new SidecarDidNotStart(child.exitCode, output());
  process.once("exit", killWithUs);

  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    await exited;
    process.off("exit", killWithUs);
    return { exitCode: child.exitCode };
  };
  const stop = async () => {
    if (child.exitCode !== null || child.signalCode !== null) return;
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
    const { exitCode } = await kill("SIGTERM");
    clearTimeout(timer);
    if (exitCode !== 0) throw new Error(`the sidecar ended with ${exitCode}: ${output()}`);
  };
  return { url: `http://127.0.0.1:${started.port}`, pid: started.pid, output, kill, stop };
}

export class SidecarDidNotStart extends Error {
  readonly exitCode: number | null;
  readonly output: string;

  constructor(exitCode: number | null, output: string) {
    super(`the sidecar did not start: ${output}`);
    this.exitCode = exitCode;
    this.output = output;
  }
}

export type RequestOptions = {
  method?: string;
  body?: unknown;
  headers?: Record<string, string>;
  hive?: string;
  key?: MacKey;
  nowMs?: number;
  nonce?: string;
};

/** The request that the gateway would send; `body` is sent as JSON. */
export async function signedRequest(url: string, options: RequestOptions = {}): Promise<Request> {
  const { method = options.body === undefined ? "GET" : "POST", hive = "default" } = options;
  const body = new TextEncoder().encode(options.body === undefined ? "" : JSON.stringify(options.body));
  const headers = await signRequest(
    { method, url, hive, body },
    {
      key: options.key ?? TEST_KEY,
      sha256,
      nowMs: options.nowMs ?? Date.now(),
      lifeMs: 30_000,
      nonce: options.nonce ?? randomUUID(),
    },
  );
  return new Request(url, {
    method,
    headers: { ...headers, ...options.headers },
    ...(method === "GET" ? {} : { body }),
  });
}

/** Sends a signed request. */
export const signedFetch = async (url: string, options?: RequestOptions): Promise<Response> =>
  fetch(await signedRequest(url, options));
