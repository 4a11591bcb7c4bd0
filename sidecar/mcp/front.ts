/** What the gateway reaches of MCP: each server, all of them as one, and what they offer. */
import { randomUUID } from "node:crypto";
import type { Hono } from "hono";
import type { Clock } from "../../shared/clock.ts";
import type { Signed } from "../http/authenticate.ts";
import type { Logger } from "../log.ts";
import { mcpEndpoint, mcpRoutes } from "./endpoint/endpoint.ts";
import { JoinedCalls } from "./join.ts";
import type { Mirrored } from "./mirrored-arguments.ts";
import { JoinedServers } from "./registry/joined-servers.ts";
import type { RegisteredServer } from "./registry/registered-server.ts";
import { Registry } from "./registry/registry.ts";
import { registryRoutes } from "./registry/routes.ts";
import { settingsOf } from "./registry/tool-entry.ts";
import type { McpServerConfig } from "./server-config.ts";
import type { McpServers } from "./servers.ts";

export type McpFrontOptions = {
  servers: Pick<McpServers, "upstream">;
  /** Those of `servers`, in their order. */
  configs: readonly McpServerConfig[];
  /** The gateway's, as clients are told it. */
  version: string;
  clock: Clock;
  log: Logger;
};

export type McpFigures = {
  /** What clients have open. */
  open: { sessions: number; requests: number; streams: number; held_calls: number; subscriptions: number };
  /** Kept for clients that may come back for it. */
  eventBytes: number;
  /** `tools` null: it was not listed yet. */
  servers: { server: string; tools: number | null }[];
};

export type McpFront = {
  routes(app: Hono<Signed>): void;
  figures(): McpFigures;
  /** Ends what clients have open here. The servers are not this one's to close. */
  close(): void;
};

export function mcpFront({ servers, configs, version, clock, log }: McpFrontOptions): McpFront {
  const registered = configs.flatMap((config) => {
    const upstream = servers.upstream(config.name);
    return upstream ? [{ upstream, settings: settingsOf(config) }] : [];
  });
  const registry = new Registry({ servers: registered, epoch: randomUUID(), clock, log });
  const all = new JoinedServers(registry, version);
  const endpoint = mcpEndpoint({
    upstream: (name) => (name === null ? all : servers.upstream(name)),
    joined: new JoinedCalls(),
    registryVersion: () => registry.version,
    mayRepeat: (server, request) => registry.mayRepeat(server, request),
    mirrored: (server, tool) => mirroredOf(registry.get(server), tool),
    uuid: randomUUID,
    ...{ clock, log },
  });
  return {
    routes: (app) => {
      mcpRoutes(app, endpoint);
      registryRoutes(app, registry);
    },
    figures: () => {
      const { heldCalls, eventBytes, sessions, requests, streams, subscriptions } = endpoint.counts();
      const servers = registry.servers.map(({ name, listing }) => ({
        server: name,
        tools: listing?.tools.length ?? null,
      }));
      return {
        open: { sessions, requests, streams, held_calls: heldCalls, subscriptions },
        eventBytes,
        servers,
      };
    },
    close: () => {
      endpoint.close();
      registry.close();
    },
  };
}

/** A server that nobody has asked for its tools yet is asked first. */
function mirroredOf(
  server: RegisteredServer | null,
  tool: string,
): readonly Mirrored[] | Promise<readonly Mirrored[]> {
  if (!server || server.listing) return server?.mirrored(tool) ?? [];
  return server.upToDate().then(() => server.mirrored(tool));
}
