/** A client of 2025 at a server of 2026: what it says gets the envelope, what it hears loses what it does not know. */
import type { McpAnswer, McpRequest } from "../../../../shared/protocol/mcp.ts";
import { isRecord } from "../../record.ts";
import type { ServerInfo } from "../../upstream.ts";
import { recordOr, without } from "../fields.ts";
import { META, MODERN_VERSION } from "../revisions.ts";

/** What a session knows of its client. */
export type LegacyClient = {
  capabilities: Record<string, unknown>;
  clientInfo: Record<string, unknown>;
  logLevel: string | null;
};

export const modernRequest = (
  { method, params }: McpRequest,
  { capabilities, clientInfo, logLevel }: LegacyClient,
): McpRequest => ({
  method,
  params: {
    ...params,
    _meta: {
      ...recordOr(params._meta),
      [META.version]: MODERN_VERSION,
      [META.clientInfo]: clientInfo,
      [META.capabilities]: capabilities,
      ...(logLevel !== null && { [META.logLevel]: logLevel }),
    },
  },
});

/** The answer to `initialize`, from what the server said of itself: in either era. */
export function initializeResult(info: ServerInfo, version: string): Record<string, unknown> {
  return {
    protocolVersion: version,
    // What one client would put there, another could read: the sidecar is the server's only client.
    capabilities: without(info.capabilities, "tasks"),
    serverInfo: info.serverInfo ?? { name: "unknown", version: "unknown" },
    ...(info.instructions !== null && { instructions: info.instructions }),
  };
}

/** An answer of 2026 in the words of 2025. Fields that nobody knows stay: each revision allows for them. */
export function legacyAnswer(method: string, answer: McpAnswer): McpAnswer {
  if ("error" in answer) return answer;
  const result = without(answer.result, "resultType");
  if (method === "tools/call" && "structuredContent" in result && !isRecord(result.structuredContent))
    return { result: without(result, "structuredContent") };
  if (method === "tools/list" && Array.isArray(result.tools))
    return { result: { ...result, tools: result.tools.map(legacyTool) } };
  return { result };
}

/** Before 2026 a tool's structured content was an object, and so was its schema. */
const legacyTool = (tool: unknown): unknown =>
  isRecord(tool) && isRecord(tool.outputSchema) && tool.outputSchema.type !== "object"
    ? without(tool, "outputSchema")
    : tool;
