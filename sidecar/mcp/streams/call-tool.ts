/** A tool's call in the words of its server's era, by a client that can be told things but cannot be asked any. */
import { LOG_LEVEL_META_KEY } from "@modelcontextprotocol/client";
import { HivegateError } from "../../../shared/errors.ts";
import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import { ENVELOPE } from "../handshake.ts";
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
  const request = requestOf(call, await upstream.info(exchange));
  exchange.signal.throwIfAborted();
  const answer = await upstream.exchange(request, exchange);
  if ("result" in answer && answer.result.resultType === "input_required")
    throw new HivegateError(
      "not_supported",
      "This tool asks its caller something. Call it over MCP: a streamed call cannot answer.",
    );
  return answer;
}

function requestOf(
  { tool: name, arguments: given, progressToken }: ToolCall,
  { era }: ServerInfo,
): McpRequest {
  // A server of 2026 says nothing of what it does to who does not ask for it.
  const envelope = { ...ENVELOPE, [LOG_LEVEL_META_KEY]: "info" };
  const _meta = { progressToken, ...(era === "2026" && envelope) };
  return { method: "tools/call", params: { name, arguments: given, _meta } };
}
