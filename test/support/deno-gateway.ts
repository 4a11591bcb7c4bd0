/** The gateway on Deno, as `npm run start:deno` runs it. */
import { spawn } from "node:child_process";
import { mkdtemp, readFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { z } from "zod";
import { type GatewayOptions, newSecret, type RunningGateway, runGateway } from "./gateway.ts";

const ROOT = new URL("../..", import.meta.url).pathname;
const DENO = new URL("deno", import.meta.resolve("deno/package.json")).pathname;

export async function startDenoGateway(options: GatewayOptions): Promise<RunningGateway> {
  const jwtSecret = options.jwtSecret ?? newSecret();
  const dir = await mkdtemp(join(tmpdir(), "hivegate-gateway-"));
  const [kid] = Object.keys(options.keys);
  const env = {
    PATH: process.env.PATH,
    HIVES: JSON.stringify({ [options.hive ?? "default"]: { url: options.sidecarUrl, kid } }),
    SIDECAR_KEYS: JSON.stringify(options.keys),
    JWT_SECRET: jwtSecret,
    PORT: String(options.port ?? 0),
    GATEWAY_STATE_DIR: options.stateDir ?? join(dir, "state"),
    ...options.env,
  };
  return runGateway(await spawnDeno(env), { jwtSecret, dir });
}

const Scripts = z.object({ scripts: z.object({ "start:deno": z.string() }) });

/** The very command of package.json, but for npm and the shell between, which would not pass signals on. */
export async function spawnDeno(env: Record<string, string | undefined>) {
  const { scripts } = Scripts.parse(JSON.parse(await readFile(join(ROOT, "package.json"), "utf8")));
  const command = scripts["start:deno"].replace(/^.*\bdeno run/, `exec ${DENO} run`);
  return spawn("sh", ["-c", command], { cwd: ROOT, env, stdio: ["ignore", "pipe", "pipe"] });
}
