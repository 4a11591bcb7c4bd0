import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import type { LiveConnection } from "../mcp/live-connection.ts";
import type { McpServer } from "../mcp/servers.ts";
import { claudeFlow2Profile } from "./claude-flow-2-profile.ts";
import { claudeFlow3Profile } from "./claude-flow-3-profile.ts";
import { demoProfile } from "./demo-profile.ts";
import { genericProfile } from "./generic-profile.ts";
import type { TelemetryProfile } from "./profile.ts";
import { ruvSwarmProfile } from "./ruv-swarm-profile.ts";

/** How this server is asked about its agents. */
export function telemetryProfileOf({
  profile,
  pool,
  generic,
}: Pick<McpServer, "profile" | "pool" | "generic">): TelemetryProfile {
  switch (profile) {
    case "demo":
      return demoProfile;
    case "claude-flow@3":
      return claudeFlow3Profile;
    case "claude-flow@2":
      return claudeFlow2Profile;
    case "ruv-swarm":
      return ruvSwarmProfile;
    case "generic":
      return genericProfile(generic, pool);
  }
}

const NotFound = z.object({ status: z.literal("not_found") });

/**
 * What a server says of a task, in its own words (H2).
 * @throws HivegateError as `LiveConnection.call`; `mcp_failed` when it does not know the task
 */
export async function taskStatus(
  connection: Pick<LiveConnection, "call">,
  taskId: string,
  options: { timeoutMs?: number } = {},
): Promise<unknown> {
  const data = await connection.call("task_status", { taskId }, options);
  // claude-flow says so in a result like any other.
  if (NotFound.safeParse(data).success) {
    throw new HivegateError("mcp_failed", undefined, {
      cause: new Error("the server does not know the task"),
    });
  }
  return data;
}
