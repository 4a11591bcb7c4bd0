/** The MCP servers that take tasks, and which of them is to have the next one. */
import { HivegateError } from "../../../shared/errors.ts";
import { inOrder } from "../../mcp/balance.ts";
import type { McpServer } from "../../mcp/servers.ts";
import { within } from "../../mcp/within.ts";
import type { CallTool, TelemetryProfile } from "../../telemetry/profile.ts";
import { telemetryProfileOf } from "../../telemetry/profiles.ts";
import type { Orchestrator } from "./orchestrator.ts";
import { ORCHESTRATORS } from "./orchestrators.ts";

type Connection = McpServer["connection"];

export type UpstreamServer = Pick<McpServer, "name" | "pool" | "profile" | "generic"> & {
  connection: Pick<Connection, "call" | "ping" | "isFailing" | "retryInMs" | "pending">;
};

export type Upstream = {
  name: string;
  pool: string;
  connection: UpstreamServer["connection"];
  orchestrator: Orchestrator;
  profile: TelemetryProfile;
  call: CallTool;
};

/** How long a server may take to show that it is there before it is asked for more. */
const PING_MS = 1_000;

export const upstreamsOf = (servers: readonly UpstreamServer[]): Upstream[] =>
  servers.flatMap((server) => {
    const { name, pool, connection } = server;
    const orchestrator = ORCHESTRATORS[server.profile];
    if (!orchestrator) return [];
    const call: CallTool = (tool, args) => connection.call(tool, args);
    return [{ name, pool, connection, orchestrator, call, profile: telemetryProfileOf(server) }];
  });

/**
 * What `work` comes to with the first that is there and does not fail: pool by pool, those of a pool that are equally
 * good by turns.
 * @throws HivegateError what the last one failed by; anything else at once, for that is no server's fault
 */
export async function firstOf<T>(
  upstreams: readonly Upstream[],
  turn: number,
  work: (upstream: Upstream) => Promise<T>,
): Promise<T> {
  const pools = Map.groupBy(upstreams, ({ pool }) => pool).values();
  let failure = unavailable();
  for (const upstream of [...pools].flatMap((members) => bestFirst(members, turn))) {
    try {
      await within(upstream.connection.ping(), PING_MS, unavailable);
      return await work(upstream);
    } catch (thrown) {
      if (!(thrown instanceof HivegateError)) throw thrown;
      failure = thrown;
    }
  }
  throw failure;
}

const bestFirst = (upstreams: readonly Upstream[], turn: number): Upstream[] =>
  inOrder(
    upstreams.map((upstream) => {
      const { isFailing, retryInMs, pending } = upstream.connection;
      return { upstream, isFailing, retryInMs, pending };
    }),
    turn,
  ).map(({ upstream }) => upstream);

const unavailable = () => new HivegateError("mcp_unavailable");
