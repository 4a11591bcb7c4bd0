import Dockerode from "dockerode";
import { breakerRules } from "../mcp/breaker-rules.ts";
import { McpServers } from "../mcp/servers.ts";
import type { Ground } from "./ground.ts";

/** What a call of our own to an MCP server may take. */
export const MCP_CALL_TIMEOUT_MS = 5_000;

/** The connections to the MCP servers, one each, for everybody in the sidecar. There are none before they are configured. */
export function openServers({ config, ledger, metrics, log }: Ground): McpServers {
  const servers = new McpServers([], {
    callTimeoutMs: MCP_CALL_TIMEOUT_MS,
    rules: breakerRules(config.breaker),
    breakers: ledger.breakers(log),
    // What one that is gone still had to answer is not a series of its own.
    observe: (name, ...how) => {
      if (servers.get(name)) metrics.mcpRequest(name, ...how);
    },
    docker: {
      docker: new Dockerode({ socketPath: config.dockerSocket }),
      allowed: config.allowedContainers,
    },
    random: Math.random,
    now: Date.now,
    log,
  });
  servers.onChange(({ removed }) => {
    for (const name of removed) metrics.forgetServer(name);
  });
  return servers;
}
