import type { McpRequest } from "../../../shared/protocol/mcp.ts";
import type { ServerInfo } from "../upstream.ts";

/** A request of the sidecar's own, for no client, in the words of the server's era. */
export function ownRequest(info: ServerInfo, method: string, params: Record<string, unknown>): McpRequest {
  if (info.era === "2025") return { method, params };
  const envelope = {
    "io.modelcontextprotocol/protocolVersion": info.protocolVersion,
    "io.modelcontextprotocol/clientInfo": { name: "hivegate", version: "1" },
    "io.modelcontextprotocol/clientCapabilities": {},
  };
  return { method, params: { ...params, _meta: envelope } };
}
