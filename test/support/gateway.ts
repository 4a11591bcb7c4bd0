/** The gateway as it runs in production: the bundled worker under `workerd serve`, without any dev proxy. */
import { type ChildProcessByStdio, spawn } from "node:child_process";
import { randomBytes, randomUUID } from "node:crypto";
import { mkdir, mkdtemp, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import type { Readable } from "node:stream";
import { build } from "esbuild";
import { z } from "zod";
import { ALL_PERMISSIONS, type Identity } from "../../shared/auth/permission.ts";
import { mintToken } from "../../shared/auth/token.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const STOP_WITHIN_MS = 2_000;
const COMPLAINTS_CHARS = 10_000;
const COMPATIBILITY_DATE = "2026-11-01";

export type GatewayOptions = {
  sidecarUrl: string;
  hive?: string;
  /** As the sidecar's SIDECAR_KEYS: `{kid: base64}`; the first one signs. */
  keys: Record<string, string>;
  /** A folder that keeps what the Durable Objects store, for a gateway that is started again. */
  stateDir?: string;
  port?: number;
  jwtSecret?: string;
  /** Further settings of the gateway's. */
  env?: Record<string, string>;
};

export type RunningGateway = {
  url: string;
  port: number;
  pid: number;
  jwtSecret: string;
  token(identity?: Partial<Identity>): Promise<string>;
  /** The end of what it logged. */
  log(): string;
  /** Resolves with the exit code; null when it did not end by itself. */
  kill(signal: NodeJS.Signals): Promise<number | null>;
  stop(): Promise<void>;
};

export const newSecret = (): string => randomBytes(32).toString("base64");

/** On Cloudflare's runtime. */
export async function startGateway(options: GatewayOptions): Promise<RunningGateway> {
  const jwtSecret = options.jwtSecret ?? newSecret();
  const dir = await mkdtemp(join(tmpdir(), "hivegate-gateway-"));
  const stateDir = options.stateDir ?? join(dir, "state");
  await mkdir(stateDir, { recursive: true });
  await bundleWorker(join(dir, "worker.js"));
  await writeFile(join(dir, "config.capnp"), workerdConfig({ ...options, stateDir, jwtSecret }));
  const command = join(ROOT, "node_modules/.bin/workerd");
  const args = ["serve", "--experimental", "--control-fd=1", join(dir, "config.capnp")];
  return runGateway(spawn(command, args, { stdio: ["ignore", "pipe", "pipe"] }), { jwtSecret, dir });
}

/** What is the same on every host. `dir` is removed when the process has ended. */
export async function runGateway(
  child: ChildProcessByStdio<null, Readable, Readable>,
  { jwtSecret, dir }: { jwtSecret: string; dir: string },
): Promise<RunningGateway> {
  const killWithUs = () => child.kill("SIGKILL");
  process.once("exit", killWithUs);
  let complaints = "";
  child.stderr.setEncoding("utf8").on("data", (text) => {
    complaints = (complaints + text).slice(-COMPLAINTS_CHARS);
  });
  const exited = new Promise<number | null>((resolve) => child.once("exit", resolve));
  const port = await new Promise<number>((resolve, reject) => {
    createInterface({ input: child.stdout }).on("line", (line) => {
      if (line.startsWith("{")) {
        const event = ListenEvent.safeParse(JSON.parse(line));
        if (event.success) resolve(event.data.port);
      }
    });
    void exited.then(() => reject(new Error(`the gateway ended before it listened: ${complaints}`)));
  });

  const kill = async (signal: NodeJS.Signals) => {
    child.kill(signal);
    // Asked politely, workerd waits for its clients to hang up.
    const timer = setTimeout(() => child.kill("SIGKILL"), STOP_WITHIN_MS);
    const exitCode = await exited;
    clearTimeout(timer);
    process.off("exit", killWithUs);
    await rm(dir, { recursive: true, force: true });
    return exitCode;
  };
  return {
    url: `http://127.0.0.1:${port}`,
    port,
    pid: child.pid ?? 0,
    jwtSecret,
    token: (identity) =>
      mintToken(
        {
          subject: `test-${randomUUID()}`,
          hives: ["*"],
          permissions: [...ALL_PERMISSIONS],
          expiresMs: Date.now() + 3_600_000,
          ...identity,
        },
        Buffer.from(jwtSecret, "base64"),
        Date.now(),
      ),
    log: () => complaints,
    kill,
    stop: async () => void (await kill("SIGTERM")),
  };
}

const ListenEvent = z.object({ event: z.enum(["listen", "listening"]), port: z.number() });

async function bundleWorker(outfile: string): Promise<void> {
  await build({
    entryPoints: [join(ROOT, "worker/index.ts")],
    outfile,
    bundle: true,
    format: "esm",
    target: "es2024",
    conditions: ["workerd", "worker", "browser"],
    external: ["cloudflare:*", "node:*"],
    loader: { ".html": "text" },
    logLevel: "warning",
  });
}

function workerdConfig(options: GatewayOptions & { stateDir: string; jwtSecret: string }): string {
  const hive = options.hive ?? "default";
  const [kid] = Object.keys(options.keys);
  const text = (name: string, value: string) => `(name = "${name}", text = ${JSON.stringify(value)})`;
  return `using Workerd = import "/workerd/workerd.capnp";
const config :Workerd.Config = (
  services = [
    (name = "gateway", worker = .gateway),
    (name = "internet", network = (allow = ["public", "private"])),
    (name = "objects", disk = (path = ${JSON.stringify(options.stateDir)}, writable = true)),
  ],
  sockets = [(name = "http", address = "127.0.0.1:${options.port ?? 0}", http = (), service = "gateway")],
);
const gateway :Workerd.Worker = (
  modules = [(name = "worker", esModule = embed "worker.js")],
  compatibilityDate = "${COMPATIBILITY_DATE}",
  compatibilityFlags = ["nodejs_compat"],
  bindings = [
    ${text("HIVES", JSON.stringify({ [hive]: { url: options.sidecarUrl, kid } }))},
    ${text("SIDECAR_KEYS", JSON.stringify(options.keys))},
    ${text("JWT_SECRET", options.jwtSecret)},
    ${Object.entries(options.env ?? {})
      .map(([name, value]) => `${text(name, value)},`)
      .join("\n    ")}
    (name = "HIVE", durableObjectNamespace = "HiveObject"),
    (name = "SHARD", durableObjectNamespace = "ShardObject"),
  ],
  durableObjectNamespaces = [
    (className = "HiveObject", uniqueKey = "hive", enableSql = true),
    (className = "ShardObject", uniqueKey = "shard", enableSql = true),
  ],
  durableObjectStorage = (localDisk = "objects"),
);
`;
}
