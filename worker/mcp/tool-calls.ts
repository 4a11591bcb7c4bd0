/**
 * How the gateway calls a tool for whoever asks it by other means than MCP: over REST, in a batch, on a socket. All that
 * is decided of a call over MCP is decided of these too, in the same order.
 */

import type { Identity } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import {
  GATEWAY_SERVER,
  JOINED_HEADER,
  OWN_CALL_HEADER,
  REGISTRY_HEADER,
} from "../../shared/protocol/tools.ts";
import type { TraceHeaders } from "../../shared/trace/tracer.ts";
import type { SidecarClient } from "../sidecar-client.ts";
import { readAnswer } from "./answer.ts";
import type { AnswerCache } from "./cache.ts";
import type { Defer, ToolEvent } from "./events.ts";
import { clientOf } from "./forward.ts";
import { encoded, envelopeOf, REVISION } from "./mcp-headers.ts";
import { type Policy, unknownTool } from "./policy.ts";
import { type Asked, type RecordPorts, recorded } from "./recorded.ts";

/** `tool` as its server calls it. */
export type ToolCall = {
  hive: string;
  identity: Identity;
  server: string;
  tool: string;
  arguments: Record<string, unknown>;
  /** Aborting it cancels the call. */
  signal: AbortSignal;
  defer: Defer;
  /** The client's. */
  trace?: TraceHeaders;
  /** The client's `Cache-Control`, where it has one. */
  cacheControl?: string | null;
};

/** What a server answered, its errors too. `cache` null: the cache had nothing to do with it. */
export type CalledTool = { answer: McpAnswer; cache: "hit" | "miss" | "joined" | null };

export type ToolCallsPorts = {
  policy: Policy;
  cache: AnswerCache;
  sidecar(hive: string): Pick<SidecarClient, "mcp">;
} & RecordPorts;

export class ToolCalls {
  readonly #ports: ToolCallsPorts;

  constructor(ports: ToolCallsPorts) {
    this.#ports = ports;
  }

  /**
   * Whether this call may be made; it counts against the client's rates.
   * @throws HivegateError `forbidden`, `unknown_tool`, `rate_limited`, `body_too_large`
   */
  authorize({
    identity,
    server,
    tool,
    arguments: given,
  }: Pick<ToolCall, "identity" | "server" | "tool" | "arguments">): void {
    // The gateway's own tools are for MCP's clients: whoever asks otherwise has routes that do the same.
    if (server === GATEWAY_SERVER) throw unknownTool(tool);
    this.#ports.policy.takeCall(
      identity,
      { server, tool, argumentBytes: bytesOf(given).length },
      this.#ports.now(),
    );
  }

  /**
   * It is remembered as a request of its own, however it ends.
   * @throws HivegateError as `authorize`, and what keeps the sidecar from answering
   */
  call(call: ToolCall): Promise<CalledTool> {
    const { hive, identity, server, tool, arguments: given, defer } = call;
    const asked: Asked = {
      ...{ hive, method: METHOD, server, tool, client: identity.subject, arguments: given },
      requestBytes: bytesOf(given).length,
      ...{ traceparent: call.trace?.traceparent, tracestate: call.trace?.tracestate },
    };
    const { trace: _, ...untraced } = call;
    const act = (trace: TraceHeaders | null) => this.#call({ ...untraced, ...(trace && { trace }) });
    return recorded(this.#ports, asked, defer, act, outcomeOf);
  }

  async #call(call: ToolCall): Promise<CalledTool> {
    this.authorize(call);
    const params = {
      name: call.tool,
      arguments: call.arguments,
      _meta: { ...envelopeOf(GATEWAY), ...call.trace },
    };
    const { hive, identity, server, cacheControl = null, defer } = call;
    const found = await this.#ports.cache.find(
      { hive, identity, server, method: METHOD, params, protocolVersion: REVISION, cacheControl },
      defer,
    );
    if (found.kind === "hit") return { answer: resultFrom(found.result), cache: "hit" };
    const join = found.kind === "miss" ? found.join : null;
    const response = await this.#send(call, params, join);
    const answer = await readAnswer(response);
    if (found.kind === "none") return { answer: final(answer), cache: null };
    const joined = response.headers.has(JOINED_HEADER);
    const isPlain = response.headers.get("content-type")?.startsWith("application/json");
    if ("result" in answer && isPlain)
      found.keep(answer.result, { registry: response.headers.get(REGISTRY_HEADER), joined });
    return { answer: final(answer), cache: joined ? "joined" : "miss" };
  }

  async #send(
    { hive, identity, server, tool, trace, signal }: ToolCall,
    params: Record<string, unknown>,
    join: string | null,
  ): Promise<Response> {
    return this.#ports.sidecar(hive).mcp(
      {
        ...{ method: "POST", server, join },
        client: await clientOf(hive, identity),
        headers: {
          accept: "application/json, text/event-stream",
          "content-type": "application/json",
          "mcp-protocol-version": REVISION,
          "mcp-method": METHOD,
          "mcp-name": encoded(tool),
          [OWN_CALL_HEADER]: "1",
          ...trace,
        },
        body: bytesOf({ jsonrpc: "2.0", id: 1, method: METHOD, params }),
      },
      AbortSignal.any([signal, AbortSignal.timeout(LIMITS.toolCallMs)]),
    );
  }
}

/** That a tool failed is the tool's own word, and has no code. */
const outcomeOf = ({ answer, cache }: CalledTool): Pick<ToolEvent, "outcome" | "code" | "cache"> => {
  if ("error" in answer) return { outcome: "error", code: answer.error.code, cache };
  return { outcome: answer.result.isError === true ? "error" : "ok", code: null, cache };
};

const METHOD = "tools/call";
const GATEWAY = { name: "hivegate", version: "1" };
const encoder = new TextEncoder();
const bytesOf = (value: unknown): Uint8Array => encoder.encode(JSON.stringify(value));

const resultFrom = (text: string): McpAnswer => ({ result: JSON.parse(text) });

/** Who called has no way to answer a question of the tool's. */
function final(answer: McpAnswer): McpAnswer {
  if ("result" in answer && answer.result.resultType === "input_required")
    throw new HivegateError("not_supported", "This tool asks its caller something: call it over MCP.");
  return answer;
}
