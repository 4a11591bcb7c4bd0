import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../log.ts";
import type { Notification } from "../mcp/json-rpc-session.ts";
import type { McpServer } from "../mcp/servers.ts";
import { Collector } from "./collector.ts";
import { Member } from "./member.ts";
import { Pool } from "./pool.ts";
import { telemetryProfileOf } from "./profiles.ts";

type Servers = readonly [McpServer, ...McpServer[]];

/** A pool of servers, what brings its news, and how to ask it at once. */
export type Source = { pool: Pool; collector: Collector };

/** One source for each pool of servers, as `McpServers.pools` gives them. `timeoutMs` is for each call. */
export const sourcesOf = (
  pools: readonly (readonly McpServer[])[],
  options: { timeoutMs: number; log: Logger; clock: Clock },
): Source[] => pools.flatMap(([first, ...others]) => (first ? [sourceOf([first, ...others], options)] : []));

function sourceOf(
  servers: Servers,
  { clock, ...options }: { timeoutMs: number; log: Logger; clock: Clock },
): Source {
  const profile = telemetryProfileOf(servers[0]);
  const members = servers.map(
    (server) =>
      new Member({ server, profile: telemetryProfileOf(server), now: () => clock.now(), ...options }),
  );
  const pool = new Pool(servers[0].pool, profile.serverSource, members);
  const listen = (wake: () => void) => listenTo(pool, servers, wake);
  return { pool, collector: new Collector({ pool, listen, notifies: profile.notifies, clock }) };
}

/** What a server says beside its work. One that logs each call would be asked again for every answer it gives. */
const BESIDE = new Set(["notifications/message", "notifications/progress", "notifications/cancelled"]);

function listenTo(pool: Pool, servers: Servers, wake: () => void): () => void {
  const heard = ({ method }: Notification) => {
    if (!BESIDE.has(method)) wake();
  };
  const stops = [
    pool.onReturn(wake),
    ...servers.flatMap(({ connection }) => [connection.onNotification(heard), connection.onTrouble(wake)]),
  ];
  return () => stops.forEach((stop) => void stop());
}
