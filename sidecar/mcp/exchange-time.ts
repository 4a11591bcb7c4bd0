import { LIMITS } from "../../shared/limits.ts";
import type { McpRequest } from "../../shared/protocol/mcp.ts";
import type { Exchange } from "./upstream.ts";

/** What a subscription of 2026 is asked for by; its answer comes at its end. */
export const LISTEN = "subscriptions/listen";

export const timeoutOf = ({ method }: McpRequest, { timeoutMs }: Exchange): number =>
  timeoutMs ?? (method === LISTEN ? Infinity : LIMITS.mcpExchangeMs);

/** Whether silence for so long says nothing about the server: its client is in a hurry. */
export const isHasty = ({ timeoutMs }: Exchange): boolean =>
  timeoutMs !== undefined && timeoutMs < LIMITS.mcpConnectTimeoutMs;
