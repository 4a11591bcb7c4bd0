import { LIMITS } from "../../shared/limits.ts";
import type { Observe } from "../../shared/metrics/timed.ts";
import type { BreakerRules, BreakerState } from "../../shared/pressure/breaker.ts";
import type { Logger } from "../log.ts";
import { inOrder } from "./balance.ts";
import { McpConnection } from "./connection.ts";
import { GenericTools } from "./generic-tools.ts";
import { type McpProfileName, type McpServerConfig, placeOf, poolOf } from "./server-config.ts";
import type { Era, Upstream } from "./upstream.ts";
import type { DockerAccess } from "./wires/docker-exec.ts";
import { openWire } from "./wires/open-wire.ts";

export type McpServer = {
  name: string;
  pool: string;
  profile: McpProfileName;
  generic: GenericTools;
  /** Whether it tells of agents: else its tools are all that is known of it. */
  tellsOfAgents: boolean;
  connection: McpConnection;
};

/** Where the states of circuit breakers outlive a restart. */
export type BreakerStore = {
  /** What was saved last under this name; null when there is nothing. */
  load(name: string): unknown;
  save(name: string, state: BreakerState): void;
};

export type McpServersOptions = {
  callTimeoutMs: number;
  rules: BreakerRules;
  breakers: BreakerStore;
  /** For servers in containers; without it none of them can be reached. */
  docker?: DockerAccess;
  log: Logger;
  /** Hears how each request to a server went. */
  observe?: (server: string, ...how: Parameters<Observe>) => void;
  /** Whole milliseconds since the epoch. */
  now: () => number;
  /** In [0, 1). */
  random: () => number;
};

/** All configured MCP servers, with exactly one connection to each, whatever the number of users. */
export class McpServers {
  readonly #servers: ReadonlyMap<string, McpServer>;
  #turn = 0;

  /** `configs` as `McpServerConfigs` accepts them: the names differ. */
  constructor(configs: readonly McpServerConfig[], options: McpServersOptions) {
    this.#servers = new Map(configs.map((config) => [config.name, serverOf(config, options)]));
    for (const { name, eager = false } of configs) if (eager) this.#connect(name);
  }

  /** What goes wrong is in the log, and whoever asks hears of it. */
  #connect(name: string): void {
    void this.get(name)
      ?.connection.info()
      .catch(() => {});
  }

  get(name: string): McpServer | null {
    return this.#servers.get(name) ?? null;
  }

  all(): McpServer[] {
    return [...this.#servers.values()];
  }

  /** As whoever brings a client's requests to it uses it; null when there is none of this name. */
  upstream(name: string): Upstream | null {
    return this.get(name)?.connection ?? null;
  }

  upstreams(): Upstream[] {
    return this.all().map(({ connection }) => connection);
  }

  /**
   * The servers of each pool that tells of agents, in the order in which they were configured. Every pool has one at
   * least.
   */
  pools(): McpServer[][] {
    const telling = this.all().filter(({ tellsOfAgents }) => tellsOfAgents);
    return [...Map.groupBy(telling, ({ pool }) => pool).values()];
  }

  /**
   * A server of the first pool, another one at each call: it is asked about tasks. One that fails is given only
   * where the others fail as well. Null when there is none.
   */
  primary(): McpServer | null {
    const members = this.pools()[0] ?? [];
    const [first] = inOrder(
      members.map((server) => ({ server, ...standingOf(server.connection) })),
      this.#turn++,
    );
    return first?.server ?? null;
  }

  /** Resolves when every connection and every process has ended. */
  async close(): Promise<void> {
    await Promise.all(this.all().map(({ connection }) => connection.close()));
  }
}

const standingOf = ({ isFailing, retryInMs, pending }: McpConnection) => ({ isFailing, retryInMs, pending });

function serverOf(
  config: McpServerConfig,
  { rules, breakers, observe, docker, ...options }: McpServersOptions,
): McpServer {
  const { name, profile } = config;
  const breakerName = `mcp:${name}@${placeOf(config)}`;
  const connection = new McpConnection({
    name,
    wire: openWire(config, { docker: docker ?? null, log: options.log }),
    token: config.type === "tcp" ? (config.token ?? null) : null,
    era: greetedFirst(config),
    connectTimeoutMs: isProcess(config) ? LIMITS.mcpStartTimeoutMs : LIMITS.mcpConnectTimeoutMs,
    breaker: {
      rules,
      saved: breakers.load(breakerName),
      save: (state) => breakers.save(breakerName, state),
    },
    ...(observe && { observe: (outcome, durationMs) => observe(name, outcome, durationMs) }),
    ...options,
  });
  return {
    name,
    pool: poolOf(config),
    profile: profile ?? "generic",
    generic: config.generic ?? GenericTools.parse({}),
    tellsOfAgents: profile !== undefined,
    connection,
  };
}

const isProcess = ({ type }: McpServerConfig): boolean => type === "stdio" || type === "docker-exec";

/** Swarms that we know, and whatever is behind a bare port, are older than 2026 and take questions they do not know ill. */
const greetedFirst = ({ type, profile = "generic" }: McpServerConfig): Era =>
  type === "tcp" || profile !== "generic" ? "2025" : "2026";
