import type { McpConnection } from "../mcp/connection.ts";
import type { McpProfileName } from "../mcp/servers.ts";
import { claudeFlowProfile } from "./claude-flow-profile.ts";
import { demoProfile } from "./demo-profile.ts";
import type { TelemetryProfile } from "./profile.ts";

export const TELEMETRY_PROFILES: Record<McpProfileName, TelemetryProfile> = {
  demo: demoProfile,
  "claude-flow@3": claudeFlowProfile,
};

/**
 * What a server says of a task, in its own words (H2).
 * @throws HivegateError as `McpConnection.call`; `mcp_failed` when it does not know the task
 */
export function taskStatus(
  connection: McpConnection,
  taskId: string,
  options: { timeoutMs?: number } = {},
): Promise<unknown> {
  return connection.call("task_status", { taskId }, options);
}
