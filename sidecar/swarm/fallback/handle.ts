/** By what a task that an MCP server has is found again after a restart of the sidecar. */
import { z } from "zod";
import { UpstreamId } from "./orchestrator.ts";

/** `id` is null from right before the server is asked until it has named the task. */
const McpHandle = z.object({ server: z.string(), id: UpstreamId.nullable() });
export type McpHandle = z.infer<typeof McpHandle>;

/** No executor's handle begins like this. */
const PREFIX = "mcp:";

export const writeHandle = (handle: McpHandle): string => `${PREFIX}${JSON.stringify(handle)}`;

/** Null for a handle of an executor's. */
export function readHandle(handle: string | null): McpHandle | null {
  if (!handle?.startsWith(PREFIX)) return null;
  return McpHandle.parse(JSON.parse(handle.slice(PREFIX.length)));
}
