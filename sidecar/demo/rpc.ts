import {
  type JsonRpcRequest,
  type JsonRpcResponse,
  TCP_PROTOCOL_VERSION,
} from "../../shared/protocol/mcp.ts";
import type { Tool } from "./tools.ts";

/** Answers a request; null for a notification. */
export type Rpc = (request: JsonRpcRequest) => Promise<JsonRpcResponse | null>;

type Id = JsonRpcResponse["id"];

export const RPC = { parse: -32700, invalid: -32600, unknown: -32601, unauthenticated: -32000 } as const;

export const rpcResult = (id: Id, result: unknown): JsonRpcResponse => ({ jsonrpc: "2.0", id, result });
export const rpcError = (id: Id, code: number, message: string): JsonRpcResponse => ({
  jsonrpc: "2.0",
  id,
  error: { code, message },
});

/** MCP as far as a server with nothing but tools needs it. The same over TCP and over the WebSocket. */
export function createRpc(tools: readonly Tool[]): Rpc {
  const byName = new Map(tools.map((tool) => [tool.name, tool]));
  const listed = tools.map(({ name, description, inputSchema }) => ({ name, description, inputSchema }));

  return async ({ id, method, params }) => {
    if (id === undefined) return null;
    switch (method) {
      case "initialize":
        return rpcResult(id, {
          protocolVersion: TCP_PROTOCOL_VERSION,
          serverInfo: { name: "hivegate-demo", version: "0.1.0" },
          capabilities: { tools: { listChanged: false } },
        });
      case "ping":
        return rpcResult(id, {});
      case "tools/list":
        return rpcResult(id, { tools: listed });
      case "tools/call": {
        const tool = byName.get(String(params?.name));
        if (!tool) return rpcError(id, RPC.unknown, "There is no such tool. See tools/list.");
        return rpcResult(id, await tool.call(params?.arguments));
      }
      default:
        return rpcError(id, RPC.unknown, "There is no such method.");
    }
  };
}
