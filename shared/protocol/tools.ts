/**
 * What the gateway asks of the sidecar about tools. MCP itself passes at `POST|GET|DELETE /v1/mcp/{server}` and, for
 * all servers as one, `/v1/mcp`, with the client's own MCP headers, and `?client=` naming who asks: see
 * `docs/PROTOCOL.md`. Every answer carries `REGISTRY_HEADER`.
 */
import { z } from "zod";
import { LIMITS } from "../limits.ts";
import { JsonRpcError } from "./mcp.ts";

/** The registry's version: it changes whenever the tools of some server may have changed. */
export const REGISTRY_HEADER = "hivegate-registry";

/** Which server answered, where all of them were asked as one and the request was for one. */
export const SERVER_HEADER = "hivegate-server";

/** In `_meta` of lists of all servers together: whose a resource or a template is, and who is missing from the list. */
export const SERVER_META = "hivegate/server";
export const UNAVAILABLE_META = "hivegate/unavailable";

/** Between a server's name and its tool's: `claude-flow__agent_list`. No server's name holds it. */
export const QUALIFIER = "__";

/** Tools of the gateway's own are named as if they were this server's. No other one is called so. */
export const GATEWAY_SERVER = "hivegate";

/** Client's headers that reach the sidecar, and through it a server that is reached by HTTP; its trace does too. */
export const MCP_HEADERS = [
  "accept",
  "mcp-protocol-version",
  "mcp-session-id",
  "mcp-method",
  "mcp-name",
  "last-event-id",
] as const;

/** Of a call that the gateway makes for itself, where no client's headers repeat its arguments. No client's header is passed on as it. */
export const OWN_CALL_HEADER = "hivegate-own-call";

/**
 * Of an answer that is an error, or a result with `isError`: the error's code, or `tool`. A stream, whose head comes before
 * that is known, says it behind its last event, in a comment (`OUTCOME_COMMENT`).
 */
export const OUTCOME_HEADER = "hivegate-outcome";
export const outcomeComment = (failure: string): string => `: ${OUTCOME_HEADER} ${failure}\n\n`;
/** The same, at the end of a stream's text. */
export const OUTCOME_COMMENT = /\n: hivegate-outcome (\S{1,20})\n\n$/;

export const ToolEntry = z.object({
  /** As its server calls it. */
  name: z.string(),
  title: z.string().nullable(),
  description: z.string().nullable(),
  /** As configured, else as its name says; null when neither tells. */
  category: z.string().nullable(),
  /** The server's hints; null where it gives none. */
  readOnly: z.boolean().nullable(),
  idempotent: z.boolean().nullable(),
  /** Whether its answers may be kept: as configured for the server; null leaves it to the hints. */
  cacheable: z.boolean().nullable(),
  cacheTtlMs: z.number().int().positive().nullable(),
});
export type ToolEntry = z.infer<typeof ToolEntry>;

export const RegistryServer = z.object({
  name: z.string(),
  /** What is known of it comes from its last answer; `unavailable` ones keep what they had. */
  status: z.enum(["available", "unavailable", "unknown"]),
  era: z.enum(["2025", "2026"]).nullable(),
  category: z.string().nullable(),
  /** Changes whenever this server's tools may have changed, or it was connected to anew. */
  version: z.string(),
  tools: z.array(ToolEntry),
});
export type RegistryServer = z.infer<typeof RegistryServer>;

/** Which tools are wanted: all when nothing is said. */
export const ToolQuery = z.object({
  /** Words, or beginnings of words, of a tool's name, title or description; the best matches come first. */
  query: z.string().max(200).optional(),
  category: z.string().max(100).optional(),
  server: z.string().max(100).optional(),
  /** At most so many tools of all servers together. */
  limit: z.coerce.number().int().min(1).max(10_000).optional(),
});
export type ToolQuery = z.infer<typeof ToolQuery>;

/**
 * With `waitFor` only this server is waited for, and those of which it is not known now what they offer are left out: they
 * are listed meanwhile, after which the version is another one. Without it all are waited for, and told as far as they are known.
 */
export const RegistryQuery = ToolQuery.extend({ waitFor: z.string().max(100).optional() });
export type RegistryQuery = z.infer<typeof RegistryQuery>;

/** `GET /v1/registry?query=…&category=…&server=…&limit=…`: each server with those of its tools that are wanted. */
export const RegistryAnswer = z.object({ version: z.string(), servers: z.array(RegistryServer) });
export type RegistryAnswer = z.infer<typeof RegistryAnswer>;

/**
 * `?join=` of a call that may be answered from a cache: equal ones of the same client, under way at the same time,
 * reach the server once. The answer says so: `JOINED_HEADER: 1`.
 */
export const JoinKey = z.string().min(1).max(100);
export const JOINED_HEADER = "hivegate-joined";

/** The caller's own name for a call, as in JSON-RPC: it comes back in whatever answers it. */
export const CallId = z.union([z.string().max(200), z.number(), z.null()]);
export type CallId = z.infer<typeof CallId>;

/**
 * A streamed call: `POST /v1/tool-streams?client=…` starts it and is answered at once, `GET /v1/tool-streams/{id}/events`
 * tells of it (Server-Sent Events, one `ToolChunk` each, `Last-Event-ID` is the number of the last one seen), `GET
 * /v1/tool-streams/{id}` says what it is, `DELETE` cancels it. A stream is its client's alone: to others it does not exist.
 */
export const StartToolStream = z.strictObject({
  server: z.string().min(1).max(200),
  /** As its server calls it. */
  tool: z.string().min(1).max(500),
  arguments: z.record(z.string(), z.unknown()),
  id: CallId.default(null),
  /** How long the server may say nothing of the call. */
  timeoutMs: z.number().int().min(1).max(LIMITS.mostToolStreamSilenceMs).optional(),
  /** Under the same key the same client finds the stream that it started before. */
  key: z.string().min(1).max(200).optional(),
  /** W3C trace context, as it goes on to the server. */
  trace: z
    .strictObject({ traceparent: z.string().max(100), tracestate: z.string().max(512).exactOptional() })
    .optional(),
});
export type StartToolStream = z.input<typeof StartToolStream>;

export const ToolStream = z.object({
  streamId: z.uuid(),
  server: z.string(),
  tool: z.string(),
  id: CallId,
  /** Whether the last chunk is there. */
  done: z.boolean(),
  /** False: this key had started it before. */
  created: z.boolean(),
});
export type ToolStream = z.infer<typeof ToolStream>;

/**
 * What a chunk tells: something that the server said of the call (`notifications/progress`, `notifications/message`),
 * how many chunks are no longer kept, or, in the last one, how the call ended, as JSON-RPC would.
 */
export const ToolChunkData = z.union([
  z.strictObject({ method: z.string(), params: z.record(z.string(), z.unknown()) }),
  z.strictObject({ missed: z.number().int().positive() }),
  z.strictObject({ result: z.record(z.string(), z.unknown()) }),
  z.strictObject({ error: JsonRpcError }),
]);
export type ToolChunkData = z.infer<typeof ToolChunkData>;

/** Numbered from 1 without holes but those that `missed` accounts for: it bears the number of the last one lost. */
export const ToolChunk = z.object({
  jsonrpc: z.literal("2.0"),
  id: CallId,
  stream: z.literal(true),
  stream_id: z.uuid(),
  seq: z.number().int().positive(),
  data: ToolChunkData,
  done: z.boolean(),
});
export type ToolChunk = z.infer<typeof ToolChunk>;
