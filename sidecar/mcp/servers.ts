import { z } from "zod";
import { LIMITS } from "../../shared/limits.ts";
import type { Logger } from "../log.ts";
import { McpConnection } from "./connection.ts";

/** What a server's tools are called, and how its answers are read: see `telemetry/profiles.ts`. */
export const McpProfileName = z.enum(["demo", "claude-flow@3"]);
export type McpProfileName = z.infer<typeof McpProfileName>;

/** What a swarm's own server is called where nobody gave it a name: its kind, without the version. */
export const serverNameOf = (profile: McpProfileName): string => profile.replace(/@.*$/, "");

export const McpServerConfig = z.object({
  name: z.string().regex(/^[a-z0-9][a-z0-9_-]{0,62}$/, "a server's name is a-z, 0-9, _ and -, at most 63"),
  profile: McpProfileName,
  host: z.string().min(1),
  port: z.number().int().min(1).max(65_535),
  token: z.string().min(1).nullish(),
});
export type McpServerConfig = z.infer<typeof McpServerConfig>;

export const McpServerConfigs = z
  .array(McpServerConfig)
  .refine((configs) => new Set(configs.map(({ name }) => name)).size === configs.length, {
    message: "every MCP server needs a name of its own",
  });

export type McpServer = { name: string; profile: McpProfileName; connection: McpConnection };

/** All configured MCP servers, with exactly one connection to each, whatever the number of users. */
export class McpServers {
  readonly #servers: ReadonlyMap<string, McpServer>;

  /** `configs` as `McpServerConfigs` accepts them: the names differ. */
  constructor(
    configs: readonly McpServerConfig[],
    options: { callTimeoutMs: number; log: Logger; now: () => number; random: () => number },
  ) {
    this.#servers = new Map(
      configs.map(({ name, profile, host, port, token }) => {
        const connection = new McpConnection({
          ...{ name, host, port, token: token ?? null },
          connectTimeoutMs: LIMITS.mcpConnectTimeoutMs,
          ...options,
        });
        return [name, { name, profile, connection }];
      }),
    );
  }

  get(name: string): McpServer | null {
    return this.#servers.get(name) ?? null;
  }

  all(): McpServer[] {
    return [...this.#servers.values()];
  }

  /** The first one configured: it is asked about tasks. Null when there is none. */
  primary(): McpServer | null {
    return this.all()[0] ?? null;
  }

  close(): void {
    for (const { connection } of this.#servers.values()) connection.close();
  }
}
