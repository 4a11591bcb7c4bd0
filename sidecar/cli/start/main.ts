/** `npm start [-- --docker]`: the whole thing on this machine: a swarm, the sidecar, the gateway. */
import { createServer } from "node:net";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { z } from "zod";
import { Children, StartError } from "./children.ts";
import { devSecrets, devToken } from "./secrets.ts";
import { containerSwarm, isListening, localSwarm, type Swarm } from "./swarm.ts";

const HELP = `Usage: npm start [-- --docker]

Runs a demo swarm, the sidecar and the gateway on this machine until Ctrl-C.

  --docker   the swarm runs in a container: one made here, or the running one named by
             MULTI_AGENT_CONTAINER_NAME (SWARM_PROFILE says what is in it: claude-flow@3 or demo)

Environment: GATEWAY_PORT (8787), SIDECAR_PORT (9700), DEMO_MCP_PORT (9500), DEMO_WS_PORT (3002),
DEMO_HEALTH_PORT (9501), and every variable of the sidecar (docs/CONFIG.md).
`;

const ROOT = fileURLToPath(new URL("../../..", import.meta.url));
const HOST = "127.0.0.1";
const HIVE = "default";
const Listening = z.object({ port: z.number() });

async function main(args: string[]): Promise<void> {
  const options = readOptions(args);
  if (options.help) return void process.stdout.write(HELP);
  const gatewayPort = portFrom("GATEWAY_PORT", 8787);
  const sidecarPort = portFrom("SIDECAR_PORT", 9700);
  await mustBeFree("GATEWAY_PORT", gatewayPort);
  await mustBeFree("SIDECAR_PORT", sidecarPort);

  const children = new Children((message) => void end(1, message));
  let swarm: Swarm | null = null;
  let ending = false;
  const end = async (exitCode: number, message?: string) => {
    if (ending) return;
    ending = true;
    if (message) console.error(`hivegate: ${message}`);
    await children.stop();
    await swarm?.stop();
    process.exit(exitCode);
  };
  process.on("SIGINT", () => void end(0));
  process.on("SIGTERM", () => void end(0));

  try {
    const secrets = await devSecrets();
    const token = await devToken(secrets, HIVE, Date.now());
    swarm = await (options.docker ? containerSwarm() : localSwarm(children));
    const sidecar = await startSidecar(children, { port: sidecarPort, swarm, keys: secrets.SIDECAR_KEYS });
    await startGateway(children, { port: gatewayPort, sidecar, kid: secrets.kid });
    if (!ending) greet({ gateway: `http://${HOST}:${gatewayPort}`, token, swarm: swarm.description });
  } catch (error) {
    await end(1, error instanceof StartError ? error.message : String(error));
  }
}

async function startSidecar(
  children: Children,
  options: { port: number; swarm: Swarm; keys: string },
): Promise<string> {
  const line = await children.start({
    name: "sidecar",
    argv: [process.execPath, `${ROOT}/sidecar/main.ts`],
    env: {
      SIDECAR_STATE_DIR: ".hivegate/sidecar",
      // Beside the swarm's own server, and also when it is made later.
      MCP_CONFIG_FILE: ".mcp.json",
      ...process.env,
      ...options.swarm.env,
      HIVE_ID: HIVE,
      SIDECAR_PORT: `${options.port}`,
      SIDECAR_KEYS: options.keys,
    },
    isReady: isListening,
  });
  return `http://${HOST}:${Listening.parse(JSON.parse(line)).port}`;
}

async function startGateway(
  children: Children,
  options: { port: number; sidecar: string; kid: string },
): Promise<void> {
  const hives = JSON.stringify({ [HIVE]: { url: options.sidecar, kid: options.kid } });
  await children.start({
    name: "gateway",
    argv: [
      `${ROOT}/node_modules/.bin/wrangler`,
      ...["dev", "--ip", HOST, "--port", `${options.port}`, "--var", `HIVES:${hives}`],
      ...["--show-interactive-dev-session", "false", "--persist-to", ".hivegate/gateway"],
    ],
    env: { WRANGLER_SEND_METRICS: "false", ...process.env },
    isReady: (line) => line.includes("Ready on "),
  });
}

function greet({ gateway, token, swarm }: { gateway: string; token: string; swarm: string }): void {
  console.log(`
Hivegate is up, in front of ${swarm}.

  Page    ${gateway}/#token=${token}
  Token   ${token}
          (also in .hivegate/token, where the commands below find it)

  MCP     ${gateway}/mcp (all servers' tools; the token as bearer)

Three things to try in another terminal:

  npx hivegate task "count primes below 5000000" --follow
  npx hivegate status
  curl -H "Authorization: Bearer $(cat .hivegate/token)" ${gateway}/v1/hives/${HIVE}/tasks

Ctrl-C stops everything.`);
}

function readOptions(args: string[]): { docker: boolean; help: boolean } {
  try {
    const flag = { type: "boolean", default: false } as const;
    return parseArgs({ args, options: { docker: flag, help: { ...flag, short: "h" } } }).values;
  } catch (error) {
    throw new StartError(`${error instanceof Error ? error.message : error}\n\n${HELP}`);
  }
}

function portFrom(variable: string, fallback: number): number {
  const text = process.env[variable];
  if (!text) return fallback;
  const port = /^\d{1,5}$/.test(text) ? Number(text) : 0;
  if (port < 1 || port > 65_535) throw new StartError(`${variable}: expected a port from 1 to 65535`);
  return port;
}

/** @throws StartError */
async function mustBeFree(variable: string, port: number): Promise<void> {
  const server = createServer();
  await new Promise<void>((resolve, reject) => {
    server.once("error", () => reject(new StartError(`port ${port} is in use: free it, or set ${variable}`)));
    server.listen(port, HOST, resolve);
  });
  await new Promise((resolve) => server.close(resolve));
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  console.error(`hivegate: ${error.message}`);
  process.exit(1);
}
