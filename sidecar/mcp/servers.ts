import { z } from "zod";
import { LIMITS } from "../../shared/limits.ts";
import type { Observe } from "../../shared/metrics/timed.ts";
import type { BreakerRules, BreakerState } from "../../shared/pressure/breaker.ts";
import type { Logger } from "../log.ts";
import { inOrder } from "./balance.ts";
import { McpConnection } from "./connection.ts";
import { GenericTools } from "./generic-tools.ts";

/** What a server's tools are called, and how its answers are read: see `telemetry/profiles.ts`. */
export const McpProfileName = z.enum(["demo", "claude-flow@3", "claude-flow@2", "ruv-swarm", "generic"]);
export type McpProfileName = z.infer<typeof McpProfileName>;

/** What a swarm's own server is called where nobody gave it a name: its kind, without the version. */
export const serverNameOf = (profile: McpProfileName): string => profile.replace(/@.*$/, "");

const ServerName = z
  .string()
  .regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "a server's name is a-z, 0-9, _ and -, at most 63");

export const McpServerConfig = z
  .object({
    name: ServerName,
    /** Servers of one pool tell of the same agents, and any one of them is asked. The server's own name when not given. */
    pool: ServerName.optional(),
    profile: McpProfileName,
    host: z.string().min(1),
    port: z.number().int().min(1).max(65_535),
    token: z.string().min(1).nullish(),
    generic: GenericTools.optional(),
  })
  .refine(({ profile, generic }) => generic === undefined || profile === "generic", {
    path: ["generic"],
    message: "expected only with the profile generic",
  });
export type McpServerConfig = z.infer<typeof McpServerConfig>;

const poolOf = ({ pool, name }: McpServerConfig): string => pool ?? name;

export const McpServerConfigs = z
  .array(McpServerConfig)
  .refine((configs) => new Set(configs.map(({ name }) => name)).size === configs.length, {
    message: "every MCP server needs a name of its own",
  })
  .refine(
    (configs) =>
      new Map(configs.map((one) => [`${poolOf(one)} ${one.profile}`, one])).size === poolsIn(configs),
    { message: "the MCP servers of a pool need the same profile" },
  );

const poolsIn = (configs: readonly McpServerConfig[]): number => new Set(configs.map(poolOf)).size;

export type McpServer = {
  name: string;
  pool: string;
  profile: McpProfileName;
  generic: GenericTools;
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
  }

  get(name: string): McpServer | null {
    return this.#servers.get(name) ?? null;
  }

  all(): McpServer[] {
    return [...this.#servers.values()];
  }

  /** The servers of each pool, in the order in which they were configured. Every pool has one at least. */
  pools(): McpServer[][] {
    return [...Map.groupBy(this.all(), ({ pool }) => pool).values()];
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

  close(): void {
    for (const { connection } of this.#servers.values()) connection.close();
  }
}

const standingOf = ({ isFailing, retryInMs, pending }: McpConnection) => ({ isFailing, retryInMs, pending });

function serverOf(
  config: McpServerConfig,
  { rules, breakers, observe, ...options }: McpServersOptions,
): McpServer {
  const { name, profile, host, port, token } = config;
  // With its address: a server that was moved is not the one that failed.
  const breakerName = `mcp:${name}@${host}:${port}`;
  const connection = new McpConnection({
    ...{ name, host, port, token: token ?? null },
    connectTimeoutMs: LIMITS.mcpConnectTimeoutMs,
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
    profile,
    generic: config.generic ?? GenericTools.parse({}),
    connection,
  };
}
