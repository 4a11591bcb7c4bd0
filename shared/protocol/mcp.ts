/** The part of JSON-RPC 2.0 and of MCP that the sidecar and the demo swarm speak over TCP. */
import { z } from "zod";

export const JsonRpcId = z.union([z.string(), z.number(), z.null()]);

export const JsonRpcError = z.object({ code: z.number(), message: z.string(), data: z.unknown().optional() });

/** An answer: an id with either a result or an error. */
export const JsonRpcResponse = z.object({
  jsonrpc: z.literal("2.0"),
  id: JsonRpcId,
  result: z.unknown().optional(),
  error: JsonRpcError.optional(),
});
export type JsonRpcResponse = z.infer<typeof JsonRpcResponse>;

/** A request (with id) or a notification (without). */
export const JsonRpcRequest = z.object({
  jsonrpc: z.literal("2.0"),
  id: JsonRpcId.optional(),
  method: z.string(),
  params: z.record(z.string(), z.unknown()).optional(),
});
export type JsonRpcRequest = z.infer<typeof JsonRpcRequest>;

export const ToolResult = z.object({
  content: z.array(z.object({ type: z.string(), text: z.string().optional() }).loose()),
  structuredContent: z.record(z.string(), z.unknown()).optional(),
  isError: z.boolean().optional(),
});
export type ToolResult = z.infer<typeof ToolResult>;

/** The protocol revision spoken on a raw TCP line, where no later one is defined. */
export const TCP_PROTOCOL_VERSION = "2024-11-05";

/** A request without its id: whoever sends it chooses one. */
export type McpRequest = { method: string; params: Record<string, unknown> };

/** A server's answer without its id: exactly one of the two. */
export const McpAnswer = z.union([
  z.strictObject({ result: z.record(z.string(), z.unknown()) }),
  z.strictObject({ error: JsonRpcError }),
]);
export type McpAnswer = z.infer<typeof McpAnswer>;
