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
import { type Offered, Registry } from "./registry/registry.ts";
import { registryRoutes } from "./registry/routes.ts";
import { settingsOf } from "./registry/tool-entry.ts";
import type { McpServers } from "./servers.ts";
import type { Upstream } from "./upstream.ts";

export type McpFrontOptions = {
  /** Followed for as long as this is open. */
  servers: Pick<McpServers, "configs" | "onChange">;
  /** Each of them as it is used here: always the same object for the same server. */
  upstream(name: string): Upstream | null;
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
  /** What this server offers, as far as it is known; null when there is none of this name. */
  registered(name: string): Pick<RegisteredServer, "listing" | "upToDate"> | null;
  /** Ends what clients have open here. The servers are not this one's to close. */
  close(): void;
};

export function mcpFront({ servers, upstream, version, clock, log }: McpFrontOptions): McpFront {
  const offered = (): Offered[] =>
    servers.configs.flatMap((config) => {
      const found = upstream(config.name);
      return found ? [{ upstream: found, settings: settingsOf(config) }] : [];
    });
  const registry = new Registry({ servers: offered(), epoch: randomUUID(), clock, log });
  const all = new JoinedServers(registry, version);
  const joined = new JoinedCalls();
  const endpoint = mcpEndpoint({
    upstream: (name) => (name === null ? all : upstream(name)),
    joined: {
      // What was asked before servers changed shares no answer with what is asked after that.
      exchange: (send, request, exchange, key) =>
        joined.exchange(send, request, exchange, `${registry.applied} ${key}`),
    },
    registryVersion: () => registry.version,
    mayRepeat: (server, request) => registry.mayRepeat(server, request),
    mirrored: (server, tool) => mirroredOf(registry.get(server), tool),
    uuid: randomUUID,
    ...{ clock, log },
  });
  const stopFollowing = servers.onChange(({ changed, removed }) => {
    const gone = removed.flatMap((name) => registry.get(name)?.upstream ?? []);
    registry.apply(offered(), new Set(changed));
    for (const server of gone) endpoint.removed(server);
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
    registered: (name) => registry.get(name),
    close: () => {
      stopFollowing();
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
