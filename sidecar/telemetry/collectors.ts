import type { Clock } from "../../shared/clock.ts";
import type { Logger } from "../log.ts";
import type { McpServer } from "../mcp/servers.ts";
import { Collector } from "./collector.ts";
import { Member } from "./member.ts";
import { Pool } from "./pool.ts";
import { telemetryProfileOf } from "./profiles.ts";

/**
 * One collector for each pool of servers, as `McpServers.pools` gives them. `timeoutMs` is for each of a
 * poll's calls.
 */
export const collectorsOf = (
  pools: readonly (readonly McpServer[])[],
  options: { timeoutMs: number; log: Logger; clock: Clock },
): Collector[] =>
  pools.flatMap(([first, ...others]) => (first ? [collectorOf([first, ...others], options)] : []));

function collectorOf(
  servers: readonly [McpServer, ...McpServer[]],
  { clock, ...options }: { timeoutMs: number; log: Logger; clock: Clock },
): Collector {
  const profile = telemetryProfileOf(servers[0]);
  const members = servers.map(
    (server) => new Member({ server, profile: telemetryProfileOf(server), now: clock.now, ...options }),
  );
  return new Collector({
    pool: new Pool(servers[0].pool, profile.serverSource, members),
    listen: (wake) => {
      const stops = servers.flatMap(({ connection }) => [
        connection.onNotification(wake),
        connection.onTrouble(wake),
      ]);
      return () => stops.forEach((stop) => void stop());
    },
    notifies: profile.notifies,
    clock,
  });
}
