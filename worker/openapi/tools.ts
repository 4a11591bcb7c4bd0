import { z } from "zod";
import { LIMITS } from "../../shared/limits.ts";
import { JsonRpcError } from "../../shared/protocol/mcp.ts";
import { RegistryServer, ToolQuery } from "../../shared/protocol/tools.ts";
import { BatchAnswer, BatchRequest } from "../mcp/batch.ts";
import type { Content, Operation } from "./operation.ts";

const TOOLS = "/v1/hives/:hive/tools";
const KEY = { "Idempotency-Key": "Under the same key the same client makes the call once." };

const Called = z.object({ result: z.record(z.string(), z.unknown()) });
/** What the tool's server had against it, beside what we say. */
const Refused = z.object({
  code: z.string(),
  message: z.string(),
  retryable: z.boolean(),
  error: JsonRpcError,
});
const Chunks: Content = {
  media: "text/event-stream",
  description: "One `stream {stream_id}`, then a `ToolChunk` in each event's data, numbered from 1.",
};
const counts = { hits: z.int(), misses: z.int(), joined: z.int() };
const rate = z.number().min(0).max(1).nullable();
const CacheReport = z.object({
  ...counts,
  ...{ hit_rate: rate, kept: z.int() },
  tools: z.array(
    z.object({
      tool: z.string(),
      ...counts,
      hit_rate: rate,
      kept: z.int(),
      oldest_ms: z.number().nullable(),
    }),
  ),
});
const ms = z.number().nullable();
const figures = {
  ...{ count: z.int(), errors: z.int(), refused: z.int(), cancelled: z.int(), cache_hits: z.int() },
  ...{ average_ms: ms, p50_ms: ms, p95_ms: ms, p99_ms: ms },
};
const Stats = z.object({
  since: z.int().describe("When counting began."),
  tools: z.array(z.object({ server: z.string(), tool: z.string(), ...figures })),
  servers: z.array(z.object({ server: z.string(), ...figures })),
});

const mcp = (
  method: "get" | "post" | "delete",
  path: string,
  summary: string,
  answers: Operation["answers"],
) =>
  ({
    ...{ method, path, summary, tag: "Tools", needs: "token", answers },
    description: "MCP, Streamable HTTP, revision 2026-07-28 and the sessions of 2025.",
    ...(method === "post" && {
      body: { media: "application/json", description: "One JSON-RPC message." },
    }),
  }) satisfies Operation;

const Message: Content = {
  media: "application/json",
  description: "A JSON-RPC answer, or an event stream of it.",
};
const Events: Content = { media: "text/event-stream", description: "JSON-RPC messages." };

const ofEndpoint = (path: string, whose: string): Operation[] => [
  mcp("post", path, `Ask ${whose}`, { 200: Message, 202: null }),
  mcp("get", path, `Listen to ${whose}, in a session of 2025`, { 200: Events }),
  mcp("delete", path, "End a session of 2025", { 204: null }),
];

export const TOOL_OPERATIONS: readonly Operation[] = [
  {
    ...{ method: "get", path: TOOLS, tag: "Tools", needs: "token", query: ToolQuery },
    summary: "The tools that the token may call",
    answers: { 200: z.object({ servers: z.array(RegistryServer) }) },
  },
  {
    ...{ method: "post", path: `${TOOLS}/:tool`, tag: "Tools", needs: "token", headers: KEY },
    summary: "Call a tool by its server's name and its own: `claude-flow__agent_list`",
    description: "With `stream=1` it is told what the call does, as it happens.",
    query: z.object({
      stream: z.literal("1").optional(),
      id: z.string().max(200).optional(),
      timeoutMs: z.int().min(1).max(LIMITS.mostToolStreamSilenceMs).optional(),
    }),
    body: z.record(z.string(), z.unknown()),
    answers: { 200: Called, 502: Refused },
  },
  {
    ...{ method: "post", path: `${TOOLS}/batch`, tag: "Tools", needs: "token", body: BatchRequest },
    summary: `Call many tools in one request, ${LIMITS.batchCallsAtOnce} at a time`,
    answers: { 200: BatchAnswer },
  },
  {
    ...{ method: "get", path: `${TOOLS}/cache`, tag: "Tools", needs: "token" },
    summary: "What was answered from the cache of the gateway that answers",
    answers: { 200: CacheReport },
  },
  {
    ...{ method: "get", path: `${TOOLS}/stats`, tag: "Tools", needs: "telemetry:read" },
    summary: "How often tools were called, how long they took, what went wrong",
    answers: { 200: Stats },
  },
  {
    ...{ method: "get", path: `${TOOLS}/streams/:id`, tag: "Tools", needs: "token" },
    summary: "Go on reading a streamed call",
    query: z.object({ after: z.int().nonnegative().optional() }),
    headers: { "Last-Event-ID": "in place of `after`" },
    answers: { 200: Chunks },
  },
  {
    ...{ method: "delete", path: `${TOOLS}/streams/:id`, tag: "Tools", needs: "token" },
    summary: "Cancel a streamed call",
    answers: { 200: z.object({ stream_id: z.uuid(), done: z.boolean() }) },
  },
  ...ofEndpoint("/mcp", "all MCP servers as one"),
  ...ofEndpoint("/mcp/:server", "one MCP server"),
];
