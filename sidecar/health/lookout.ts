import { asHivegateError, HivegateError } from "../../shared/errors.ts";
import type {
  AgentsAnswer,
  ContainerFigures,
  DiscoveryAnswer,
  LatestAnswer,
  McpStatus,
  McpTelemetry,
  PingedServer,
  SwarmList,
} from "../../shared/protocol/sidecar.ts";
import type { McpServer } from "../mcp/servers.ts";
import { within } from "../mcp/within.ts";
import type { ExecutorHealth } from "../swarm/executor.ts";
import type { Pool } from "../telemetry/pool.ts";
import { kept } from "./kept.ts";

export type PingableServer = Pick<McpServer, "name" | "pool"> & {
  /** As `Agent.server_source`. */
  source: string;
  connection: Pick<McpServer["connection"], "ping" | "circuit" | "capabilities">;
};

export type LookoutOptions = {
  /** Those that there are now. */
  pools(): readonly Pick<Pool, "name" | "source" | "read">[];
  servers(): readonly PingableServer[];
  /** What the swarm's own commands say. */
  swarms(): Promise<Pick<SwarmList, "swarms" | "method">>;
  executorHealth(): Promise<ExecutorHealth>;
  /** What was measured last; null when nobody measures, or there is no container. */
  container(): ContainerFigures | null;
  now: () => number;
};

const MCP_MS = 200;
const PING_MS = 100;
const EXECUTOR_MS = 500;
/** Many ask at once, when a page is opened by many or a gateway restarts: they share a look. */
const KEPT_MS = 200;

/**
 * Looks at the swarm and its servers because somebody asks, all at the same time, each within its limit (H5,
 * H6). What docker says is authoritative; what MCP adds may be missing without harm. Neither is asked more often
 * than every 200 ms, however many want to know.
 */
export class Lookout {
  readonly #options: LookoutOptions;
  readonly #docker: () => Promise<AgentsAnswer["docker"]>;
  readonly #mcp: () => Promise<McpTelemetry>;
  readonly discovery: () => Promise<DiscoveryAnswer>;

  constructor(options: LookoutOptions) {
    this.#options = options;
    this.#docker = kept(() => this.#askDocker(), KEPT_MS, options.now);
    this.#mcp = kept(() => this.#askMcp(), KEPT_MS, options.now);
    this.discovery = kept(() => this.#discover(), KEPT_MS, options.now);
  }

  async agents(): Promise<AgentsAnswer> {
    const [docker, mcp_telemetry] = await Promise.all([this.#docker(), this.#mcp()]);
    return { docker, mcp_telemetry };
  }

  async latest(): Promise<LatestAnswer> {
    return { mcp_telemetry: await this.#mcp(), container: this.#options.container() };
  }

  async #discover(): Promise<DiscoveryAnswer> {
    const [health, servers] = await Promise.all([
      within(this.#options.executorHealth(), EXECUTOR_MS, late).catch(() => ({
        running: false,
        details: {},
      })),
      Promise.all(this.#options.servers().map((server) => ping(server))),
    ]);
    const docker_health = health.running ? "healthy" : "critical";
    // What went wrong there may name hosts and paths; it is in the log.
    return {
      docker: { docker_health, container_status: health.running ? health.details : {} },
      mcp: { servers },
    };
  }

  async #askDocker(): Promise<AgentsAnswer["docker"]> {
    try {
      const { swarms, method } = await this.#options.swarms();
      return { swarms, method };
    } catch (thrown) {
      const { code, message } = asHivegateError(thrown);
      return { error: { code, message } };
    }
  }

  /** What all pools tell, merged as the picture would: an agent belongs to the first that tells of it. */
  async #askMcp(): Promise<McpTelemetry> {
    const pools = this.#options.pools();
    if (pools.length === 0) return { mcp_status: "disabled", telemetry: null };
    const reports = await Promise.allSettled(pools.map((pool) => within(pool.read(), MCP_MS, late)));
    const told = reports.flatMap((report) => (report.status === "fulfilled" ? [report.value] : []));
    if (told.length === 0) return { mcp_status: statusOf(reports), telemetry: null };
    const agents = new Map(
      told
        .flatMap((report) => report.agents)
        .reverse()
        .map((agent) => [agent.agent_id, agent]),
    );
    return {
      mcp_status: "available",
      telemetry: { agents: [...agents.values()].reverse(), swarms: told.flatMap((report) => report.swarms) },
    };
  }
}

async function ping({ name, pool, source, connection }: PingableServer): Promise<PingedServer> {
  const server = { server: name, pool, server_source: source, capabilities: connection.capabilities };
  try {
    // Our impatience alone: it must not count against the server, as a call that timed out would.
    const latency_ms = await within(connection.ping(), PING_MS, late);
    return { ...server, capabilities: connection.capabilities, status: "available", latency_ms };
  } catch (error) {
    return {
      ...server,
      status: isOpenCircuit(error) ? "circuit_breaker_open" : "unavailable",
      latency_ms: null,
    };
  }
}

const late = (): HivegateError => new HivegateError("timeout");

const isOpenCircuit = (error: unknown): boolean =>
  error instanceof HivegateError && error.code === "circuit_open";

const statusOf = (reports: readonly PromiseSettledResult<unknown>[]): McpStatus =>
  reports.every((report) => report.status === "rejected" && isOpenCircuit(report.reason))
    ? "circuit_breaker_open"
    : "timeout";
