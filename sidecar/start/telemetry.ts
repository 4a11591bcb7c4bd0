/** What is known of the swarm: its agents as the MCP servers tell of them, its container, its tasks. */
import { randomUUID } from "node:crypto";
import Dockerode from "dockerode";
import { platformClock } from "../../shared/clock.ts";
import type { McpServers } from "../mcp/servers.ts";
import { type WatchContainer, watchNothing, watchStats } from "../swarm/docker/stats.ts";
import { type Source, sourcesOf } from "../telemetry/collectors.ts";
import { TelemetryHub } from "../telemetry/hub.ts";
import type { Ground } from "./ground.ts";
import { MCP_CALL_TIMEOUT_MS } from "./servers.ts";

export type TelemetryPart = { hub: TelemetryHub; sources: Source[] };

export function openTelemetry(ground: Ground, servers: McpServers): TelemetryPart {
  const { config, ledger, metrics, log } = ground;
  const sources = sourcesOf(config.enable.mcpTelemetry ? servers.pools() : [], {
    ...{ timeoutMs: MCP_CALL_TIMEOUT_MS, log, clock: platformClock },
  });
  const hub = new TelemetryHub({
    sources: sources.map(({ collector }) => metrics.observedSource(collector)),
    watchContainer: containerWatch(ground),
    tasks: ledger.list(),
    epoch: randomUUID(),
    now: Date.now,
    log,
  });
  return { hub, sources };
}

function containerWatch({ config, log }: Ground): WatchContainer {
  if (config.executor === "process") return watchNothing;
  return watchStats({
    docker: new Dockerode({ socketPath: config.dockerSocket }),
    container: config.container,
    allowed: config.allowedContainers,
    ...{ clock: platformClock, random: Math.random, log },
  });
}
