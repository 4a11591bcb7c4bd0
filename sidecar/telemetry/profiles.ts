import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import type { McpConnection } from "../mcp/connection.ts";
import type { McpProfileName } from "../mcp/servers.ts";
import { claudeFlowProfile } from "./claude-flow-profile.ts";
import { demoProfile } from "./demo-profile.ts";
import type { TelemetryProfile } from "./profile.ts";

export const TELEMETRY_PROFILES: Record<McpProfileName, TelemetryProfile> = {
  demo: demoProfile,
  "claude-flow@3": claudeFlowProfile,
};

const NotFound = z.object({ status: z.literal("not_found") });

/**
 * What a server says of a task, in its own words (H2).
 * @throws HivegateError as `McpConnection.call`; `mcp_failed` when it does not know the task
 */
export async function taskStatus(
  connection: Pick<McpConnection, "call">,
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
