/** How everything is: what strangers may know of it, what clients ask for, and what this process itself holds. */
import { LIMITS } from "../../shared/limits.ts";
import type { Circuit } from "../../shared/protocol/sidecar.ts";
import { HybridHealthCheck } from "../health/hybrid.ts";
import { kept } from "../health/kept.ts";
import { Lookout } from "../health/lookout.ts";
import { MemoryWatch } from "../health/memory.ts";
import type { RefusalCounts } from "../http/authenticate.ts";
import type { McpServers } from "../mcp/servers.ts";
import type { Orchestrators } from "../relay/orchestrators.ts";
import type { Executor } from "../swarm/executor.ts";
import type { Tasks } from "../swarm/tasks.ts";
import { withinMs } from "../swarm/tasks-deadline.ts";
import type { Ground } from "./ground.ts";
import type { TelemetryPart } from "./telemetry.ts";

/** How long the swarm may take to show that it is up, and how long that is believed when metrics are asked for. */
const HEALTH_MS = 500;
const HEALTH_KEPT_MS = 1_000;

export type Watched = {
  servers: McpServers;
  telemetry: TelemetryPart;
  tasks: Tasks;
  orchestrators: Orchestrators;
};

export type HealthPart = { check: HybridHealthCheck["check"]; lookout: Lookout; memory: MemoryWatch };

export function openHealth({ config, executor, guard, log }: Ground, watched: Watched): HealthPart {
  const { servers, telemetry, tasks, orchestrators } = watched;
  const now = Date.now;
  const memory = watchMemory(log);
  const executorHealth = () => executor.health();
  const { check } = new HybridHealthCheck({
    memory: () => memory.memory,
    executorHealth,
    circuit: () => guard?.circuit ?? null,
    mcpEnabled: config.enable.mcpTelemetry,
    servers: () => servers.configs.filter((server) => server.type === "tcp"),
    orchestratorUrls: () => orchestrators.urls,
    orchestratorToken: config.orchestrator.token,
    healthUrl: config.healthUrl,
    ...{ log, now },
  });
  const lookout = new Lookout({
    pools: () => telemetry.sources.all.map(({ pool }) => pool),
    servers: () =>
      telemetry.sources.all.flatMap((source) =>
        source.servers.map((server) => ({ ...server, source: source.pool.source })),
      ),
    swarms: () => tasks.swarmsByCommand(),
    executorHealth,
    container: () => telemetry.hub.container,
    now,
  });
  return { check, lookout, memory };
}

/** Has the metrics tell how everything is when somebody asks for them. */
export function watchState(ground: Ground, watched: Watched, refusals: Readonly<RefusalCounts>): void {
  const { executor, guard, metrics } = ground;
  const { servers, telemetry, orchestrators } = watched;
  const now = Date.now;
  metrics.watchState({
    swarmIsUp: kept(() => isUp(executor), HEALTH_KEPT_MS, now),
    circuits: () => [
      ...servers.all().map(({ name, connection }) => [`mcp:${name}`, connection.circuit] as const),
      ...(guard ? [["docker", guard.circuit] as const] : []),
      ...orchestrators
        .answer()
        .orchestrators.map(({ url, circuit }): [string, Circuit] => [`orchestrator:${url}`, circuit]),
    ],
    servers: () => telemetry.sources.all.flatMap((source) => source.telemetry.servers()),
    telemetry: telemetry.hub,
    ...{ refusals, now },
  });
}

function watchMemory(log: Ground["log"]): MemoryWatch {
  return new MemoryWatch({
    measure: () => {
      const { rss, heapUsed } = process.memoryUsage();
      return { rss_bytes: rss, heap_used_bytes: heapUsed };
    },
    limitBytes: LIMITS.sidecarMemoryBytes,
    log,
  });
}

const isUp = async (executor: Executor): Promise<boolean> =>
  (await withinMs(executor.health(), HEALTH_MS, { running: false, details: {} })).running;
