#!/usr/bin/env node
/** The demo swarm: `serve` is the daemon, `hive-mind` the CLI that talks to it. */
import { parseArgs } from "node:util";
import { hiveMind } from "./cli.ts";
import { readConfig, StartError } from "./config.ts";
import { startDaemon } from "./daemon.ts";

const HELP = `Usage: demo serve [--faults]         run the swarm's daemon in the foreground
       demo hive-mind <command>      drive it; without a command: help

Environment: DEMO_HOST (127.0.0.1), DEMO_MCP_PORT (9500), DEMO_WS_PORT (3002), DEMO_HEALTH_PORT (9501),
DEMO_TOKEN (unset: no authentication), DEMO_LINGER_MS (30000: how long ended agents stay listed).
`;

async function serve(args: string[]): Promise<void> {
  const { faults, help } = readServeOptions(args);
  if (help) {
    process.stdout.write(HELP);
    return;
  }
  const daemon = await startDaemon(readConfig(process.env), { faults });
  const end = () => void daemon.close().then(() => process.exit(0));
  process.once("SIGTERM", end);
  process.once("SIGINT", end);
  const { mcpPort: mcp, wsPort: ws, healthPort: health } = daemon;
  console.log(JSON.stringify({ event: "listening", mcp, ws, health, pid: process.pid }));
}

function readServeOptions(args: string[]): { faults: boolean; help: boolean } {
  const flag = { type: "boolean", default: false } as const;
  try {
    return parseArgs({ args, options: { faults: flag, help: flag } }).values;
  } catch (error) {
    throw new StartError(error instanceof Error ? error.message : String(error), { cause: error });
  }
}

async function main([command, ...args]: string[]): Promise<void> {
  switch (command) {
    case "serve":
      return serve(args);
    case "hive-mind":
      process.exitCode = await hiveMind(args, process.env);
      return;
    case undefined:
    case "help":
    case "--help":
      process.stdout.write(HELP);
      return;
    default:
      process.stderr.write(`demo: there is no command ${JSON.stringify(command)}\n${HELP}`);
      process.exitCode = 2;
  }
}

try {
  await main(process.argv.slice(2));
} catch (error) {
  if (!(error instanceof StartError)) throw error;
  process.stderr.write(`demo: ${error.message}\n`);
  process.exit(1);
}
