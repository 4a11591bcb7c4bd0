/** A tool's call in the words of its server's era, by a client that can be told things but cannot be asked any. */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  LOG_LEVEL_META_KEY,
  PROTOCOL_VERSION_META_KEY,
} from "@modelcontextprotocol/client";
import { HivegateError } from "../../../shared/errors.ts";
import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import type { Exchange, ServerInfo, Upstream } from "../upstream.ts";

export type ToolCall = {
  tool: string;
  arguments: Record<string, unknown>;
  /** Unique among the calls of this client: progress bears it. */
  progressToken: string;
};

/**
 * The server's own answer.
 * @throws HivegateError as `Upstream.exchange`, and `not_supported` when the server wants its caller to answer something
 */
export async function callTool(
  upstream: Upstream,
  call: ToolCall,
  exchange: Omit<Exchange, "onRequest">,
): Promise<McpAnswer> {
  const request = requestOf(call, await upstream.info());
  exchange.signal.throwIfAborted();
  const answer = await upstream.exchange(request, exchange);
  if ("result" in answer && answer.result.resultType === "input_required")
    throw new HivegateError(
      "not_supported",
      "This tool asks its caller something. Call it over MCP: a streamed call cannot answer.",
    );
  return answer;
}

function requestOf(call: ToolCall, { era, protocolVersion }: ServerInfo): McpRequest {
  const { tool: name, arguments: given, progressToken } = call;
  const envelope = {
    [PROTOCOL_VERSION_META_KEY]: protocolVersion,
    [CLIENT_INFO_META_KEY]: { name: "hivegate", version: "1" },
    [CLIENT_CAPABILITIES_META_KEY]: {},
    // Without it such a server says nothing of what it does.
    [LOG_LEVEL_META_KEY]: "info",
  };
  const _meta = { progressToken, ...(era === "2026" && envelope) };
  return { method: "tools/call", params: { name, arguments: given, _meta } };
}
