import { randomUUID } from "node:crypto";
import { createServer, type Server } from "node:http";
import { startAgentThread } from "./agent-thread.ts";
import type { DemoConfig } from "./config.ts";
import { Faults } from "./faults.ts";
import { Hive } from "./hive.ts";
import { DEMO_LIMITS } from "./limits.ts";
import { listen } from "./listen.ts";
import { McpServer } from "./mcp-server.ts";
import { Orchestrator } from "./orchestrator.ts";
import { createRpc } from "./rpc.ts";
import { hiveTools } from "./tools.ts";

const SWARM_CHANGED = JSON.stringify({ jsonrpc: "2.0", method: "notifications/swarm_changed" });
/** For those who watch closely: sent over TCP alone, where the tools are that show it. */
const AGENTS_CHANGED = JSON.stringify({ jsonrpc: "2.0", method: "notifications/agents_changed" });

export type Daemon = { mcpPort: number; wsPort: number; healthPort: number; close(): Promise<void> };

/**
 * The demo swarm: a hive and its three ports.
 * @throws StartError when it cannot listen
 */
export async function startDaemon(config: DemoConfig, options: { faults: boolean }): Promise<Daemon> {
  const hive = new Hive({
    startAgent: startAgentThread,
    now: Date.now,
    newId: randomUUID,
    lingerMs: config.lingerMs,
    changed: coalesced(DEMO_LIMITS.notifyEveryMs, () => {
      mcp.broadcast(SWARM_CHANGED);
      orchestrator.broadcast(SWARM_CHANGED);
    }),
    progressed: coalesced(DEMO_LIMITS.notifyProgressEveryMs, () => mcp.broadcast(AGENTS_CHANGED)),
  });
  const faults = options.faults ? new Faults() : null;
  const rpc = createRpc(faults ? [...hiveTools(hive), faults.tool] : hiveTools(hive));
  const mcp = new McpServer({ rpc, token: config.token, faults });
  const orchestrator = new Orchestrator({ rpc, token: config.token });
  const health = createHealthServer(hive);

  return {
    mcpPort: await listen(mcp.server, config.host, config.mcpPort, "DEMO_MCP_PORT"),
    wsPort: await listen(orchestrator.server, config.host, config.wsPort, "DEMO_WS_PORT"),
    healthPort: await listen(health, config.host, config.healthPort, "DEMO_HEALTH_PORT"),
    close: async () => {
      mcp.close();
      orchestrator.close();
      health.close();
      health.closeAllConnections();
      await hive.close();
    },
  };
}

function createHealthServer(hive: Hive): Server {
  const server = createServer((request, response) => {
    if (request.method !== "GET" || request.url !== "/health") {
      response.writeHead(404).end();
      return;
    }
    const body = {
      status: "ok",
      uptimeMs: Math.round(performance.now()),
      swarms: hive.running().length,
      agents: hive.agents().length,
    };
    response.writeHead(200, { "content-type": "application/json" }).end(JSON.stringify(body));
  });
  server.maxConnections = DEMO_LIMITS.connections;
  return server;
}

/** Runs once for all calls within `everyMs`, at the end of that time. */
function coalesced(everyMs: number, run: () => void): () => void {
  let due = false;
  return () => {
    if (due) return;
    due = true;
    setTimeout(() => {
      due = false;
      run();
    }, everyMs).unref();
  };
}
