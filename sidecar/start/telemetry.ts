/** What is known of the swarm: its agents as the MCP servers tell of them, its container, its tasks. */
import { randomUUID } from "node:crypto";
import Dockerode from "dockerode";
import { platformClock } from "../../shared/clock.ts";
import type { ConfigDifference } from "../../shared/protocol/config.ts";
import type { McpServers } from "../mcp/servers.ts";
import { type WatchContainer, watchNothing, watchStats } from "../swarm/docker/stats.ts";
import { TelemetryHub, type TelemetrySource } from "../telemetry/hub.ts";
import { Sources } from "../telemetry/sources.ts";
import type { Ground } from "./ground.ts";
import { MCP_CALL_TIMEOUT_MS } from "./servers.ts";

export type TelemetryPart = { hub: TelemetryHub; sources: Sources };

export function openTelemetry(ground: Ground, servers: McpServers): TelemetryPart {
  const { config, ledger, metrics, log } = ground;
  const sources = new Sources({
    observed: (source) => metrics.observedSource(source),
    ...{ timeoutMs: MCP_CALL_TIMEOUT_MS, log, clock: platformClock },
  });
  if (config.enable.mcpTelemetry) sources.follow(servers.pools());
  const hub = new TelemetryHub({
    sources: telemetryOf(sources),
    watchContainer: containerWatch(ground),
    tasks: ledger.list(),
    epoch: randomUUID(),
    now: Date.now,
    log,
  });
  const follow = ({ changed }: ConfigDifference) => {
    const before = sources.all;
    sources.follow(servers.pools(), changed);
    hub.sourcesChanged(telemetryOf(sources));
    const pools = new Set(sources.all.map(({ pool }) => pool.name));
    for (const { pool } of before) if (!pools.has(pool.name)) metrics.forgetPool(pool.name);
  };
  if (config.enable.mcpTelemetry) servers.onChange(follow);
  return { hub, sources };
}

const telemetryOf = ({ all }: Sources): TelemetrySource[] => all.map(({ telemetry }) => telemetry);

function containerWatch({ config, log }: Ground): WatchContainer {
  if (config.executor === "process") return watchNothing;
  return watchStats({
    docker: new Dockerode({ socketPath: config.dockerSocket }),
    container: config.container,
    allowed: config.allowedContainers,
    ...{ clock: platformClock, random: Math.random, log },
  });
}
