/**
 * How the gateway calls a tool for whoever asks it by other means than MCP: over REST, in a batch, on a socket. All that
 * is decided of a call over MCP is decided of these too, in the same order.
 */

import type { Identity } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import { splitQualifiedName } from "../../shared/protocol/qualified-name.ts";
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
import type { Defer } from "./events.ts";
import { clientOf } from "./forward.ts";
import { encoded, envelopeOf, REVISION } from "./mcp-headers.ts";
import type { Outcome } from "./outcome.ts";
import { type Policy, unknownTool } from "./policy.ts";
import { type Asked, type RecordPorts, recorded } from "./recorded.ts";

export type ToolCall = {
  hive: string;
  identity: Identity;
  /** Its qualified name. */
  tool: string;
  arguments: Record<string, unknown>;
  /** Whether it counts as a request of its client's; not where the request that it came with has counted. */
  isRequest: boolean;
  /** Aborting it cancels the call. */
  signal: AbortSignal;
  defer: Defer;
  /** The client's. */
  trace?: TraceHeaders;
  /** The client's `Cache-Control`, where it has one. */
  cacheControl?: string | null;
};

/** `tool` as its server calls it. */
type PermittedCall = Omit<ToolCall, "trace"> & { server: string; trace: TraceHeaders | null };

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
   * It is remembered as a request of its own, however it ends.
   * @throws HivegateError `rate_limited`, `unknown_tool`, `forbidden`, `body_too_large`, and what keeps the sidecar from answering
   */
  call(call: ToolCall): Promise<CalledTool> {
    const { hive, identity, tool: qualified, arguments: given, isRequest, defer, trace } = call;
    const place = splitQualifiedName(qualified);
    const argumentBytes = bytesOf(given).length;
    const asked: Asked = {
      ...{ hive, method: METHOD, client: identity.subject, requestBytes: argumentBytes, arguments: given },
      ...{ server: place?.server ?? null, tool: place?.name ?? null },
      ...{ traceparent: trace?.traceparent, tracestate: trace?.tracestate },
    };
    const { policy, now } = this.#ports;
    const act = async (ownTrace: TraceHeaders | null): Promise<CalledTool> => {
      if (isRequest) policy.takeRequest(identity, now());
      // The gateway's own tools are for MCP's clients: whoever asks otherwise has routes that do the same.
      if (!place || place.server === GATEWAY_SERVER) throw unknownTool(qualified);
      const { server, name: tool } = place;
      policy.takeCall(identity, { server, tool, argumentBytes }, now());
      return this.#permitted({ ...call, server, tool, trace: ownTrace });
    };
    return recorded(this.#ports, asked, defer, act, outcomeOf);
  }

  async #permitted(call: PermittedCall): Promise<CalledTool> {
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
    const signal = AbortSignal.any([call.signal, AbortSignal.timeout(LIMITS.toolCallMs)]);
    const response = await this.#send({ ...call, signal }, params, join);
    const answer = await readAnswer(response, signal);
    if (found.kind === "none") return { answer: final(answer), cache: null };
    const joined = response.headers.has(JOINED_HEADER);
    const isPlain = response.headers.get("content-type")?.startsWith("application/json");
    if ("result" in answer && isPlain)
      found.keep(answer.result, { registry: response.headers.get(REGISTRY_HEADER), joined });
    return { answer: final(answer), cache: joined ? "joined" : "miss" };
  }

  async #send(
    { hive, identity, server, tool, trace, signal }: PermittedCall,
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
      signal,
    );
  }
}

/** That a tool failed is the tool's own word, and has no code. */
const outcomeOf = ({ answer, cache }: CalledTool): Outcome => {
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
