/** One request over MCP, from who asks to the answer, and what is remembered of it. */
import { type Identity, mayUseHive } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import { GATEWAY_SERVER } from "../../shared/protocol/tools.ts";
import type { Trace } from "../../shared/trace/tracer.ts";
import { brokenOff, type McpForward } from "../sidecar-client.ts";
import { type BodyEnd, watchedBody } from "../watched-body.ts";
import type { Miss } from "./cache.ts";
import { hitResponse, missResponse } from "./cache-response.ts";
import { callOneFor } from "./call-one.ts";
import type { McpPorts } from "./endpoint.ts";
import { bodyOf, clientOf, forwardedHeaders, returnedHeaders } from "./forward.ts";
import { isList, seenText } from "./lists.ts";
import { agreedVersion } from "./mcp-headers.ts";
import { type McpMessage, parseMessage } from "./message.ts";
import { type Outcome, outcomeBehind, outcomeIn, outcomeOf } from "./outcome.ts";
import { checkMessage, type ToolPlace } from "./permitted.ts";

/** `server` null: all servers as one. */
export type Asked = { hive: string; server: string | null; request: Request };

type Sent = { identity: Identity } & Pick<McpForward, "method" | "body">;
type Posted = Sent & { message: McpMessage };

const NO_BODY = new Uint8Array();

export class Exchange {
  readonly #ports: McpPorts;
  readonly #asked: Asked;
  readonly #atMs: number;
  #identity: Identity | null = null;
  #message: McpMessage | null = null;
  #tool: ToolPlace = null;
  #requestBytes = 0;
  #isRecorded = false;
  #begun: Trace | null = null;

  constructor(ports: McpPorts, asked: Asked) {
    this.#ports = ports;
    this.#asked = asked;
    this.#atMs = ports.now();
  }

  /** Of the request; null until it is known. */
  get id(): string | number | null {
    return this.#message?.id ?? null;
  }

  /** @throws HivegateError */
  async answer(identity: Identity): Promise<Response> {
    this.#identity = identity;
    const { gateway, now } = this.#ports;
    const { hive, server, request } = this.#asked;
    const { method } = request;
    if (!mayUseHive(identity, hive)) throw new HivegateError("unknown_hive");
    const access = gateway.policy.access(identity);
    gateway.policy.takeRequest(identity, now());
    if (server !== null && !access.server(server)) throw new HivegateError("unknown_server");
    if (method === "GET" || method === "DELETE")
      return this.#passedOn({ identity, method, body: NO_BODY }, null);
    if (method !== "POST") return this.#notAllowed();
    const body = await bodyOf(request);
    this.#requestBytes = body.length;
    const message = parseMessage(body);
    this.#message = message;
    const version = agreedVersion(message, request.headers);
    this.#tool = checkMessage(message, server, access);
    const posted = { identity, method, message, body } as const;
    if (this.#tool) this.#takeCall(posted, this.#tool);
    if (this.#tool?.server === GATEWAY_SERVER && server === null) return this.#ownTool(posted, version);
    if (isList(message.method)) return this.#list(posted);
    return this.#cached(posted, version);
  }

  /** What a token may call and how often is decided before the cache is asked. */
  #takeCall({ identity, message, body }: Posted, { server, tool }: NonNullable<ToolPlace>): void {
    const { policy } = this.#ports.gateway;
    const given = message.params.arguments;
    // Without rules about them the whole body's limit is theirs: it is not worth a copy to know better.
    const argumentBytes = policy.hasSizes ? encoder.encode(JSON.stringify(given ?? {})).length : body.length;
    policy.takeCall(identity, { server, tool, argumentBytes }, this.#ports.now());
  }

  async #cached(posted: Posted, protocolVersion: string | null): Promise<Response> {
    const { identity, message } = posted;
    const { hive, server, request } = this.#asked;
    if (message.kind !== "request") return this.#passedOn(posted, null);
    const { cache } = this.#ports.gateway;
    const { method, params } = message;
    const cacheControl = request.headers.get("cache-control");
    const call = { hive, identity, server, method, params, protocolVersion, cacheControl };
    const finding = cache.find(call, this.#ports.defer);
    // What is known is known at once: a promise would have every request wait its turn.
    const found = finding instanceof Promise ? await finding : finding;
    if (found.kind === "hit") {
      this.#record({ outcome: "ok", code: null, cache: "hit" }, found.result.length);
      return hitResponse(found, JSON.stringify(message.id));
    }
    return this.#passedOn(posted, found.kind === "none" ? null : found);
  }

  /** The sidecar's answer: as it comes, but for headers that are between it and us. */
  async #passedOn(sent: Sent, miss: Miss | null): Promise<Response> {
    const answer = await this.#forward(sent, miss?.join ?? null);
    const response = miss ? await this.#whole(missResponse(miss, answer)) : answer;
    const headers = returnedHeaders(response.headers);
    const outcome = outcomeIn(answer.headers, response.headers);
    if (!response.body || !isStream(response)) {
      this.#record(outcome, Number(headers["content-length"]) || null);
      return new Response(response.body, { status: response.status, headers });
    }
    const watched = watchedBody(response.body, {
      lifeMs: sent.identity.expiresMs - this.#ports.now(),
      onEnd: (end, last) => this.#record(this.#atEnd(end, last, outcome), null),
    });
    return new Response(watched, { status: response.status, headers });
  }

  /** Of a stream that began with this outcome. */
  #atEnd(end: BodyEnd, last: Uint8Array | null, begun: Outcome): Outcome {
    if (end === "done") return (last && outcomeBehind(last, begun.cache)) ?? begun;
    if (end === "cancelled") return { ...begun, outcome: "cancelled" };
    return { ...outcomeOf(brokenOff(this.#asked.request.signal, end.broken)), cache: begun.cache };
  }

  async #forward({ identity, method, body }: Sent, join: string | null): Promise<Response> {
    const { hive, server, request } = this.#asked;
    const client = await clientOf(hive, identity);
    const headers = forwardedHeaders(request.headers, this.#trace.headers);
    return this.#ports.gateway
      .sidecar(hive)
      .mcp({ method, server, client, join, headers, body }, request.signal);
  }

  /** What is read of an answer behind its head. @throws as `brokenOff` */
  #whole<T>(reading: Promise<T>): Promise<T> {
    return reading.catch((cause) => {
      throw brokenOff(this.#asked.request.signal, cause);
    });
  }

  async #list(posted: Posted): Promise<Response> {
    const { identity, message } = posted;
    const { gateway } = this.#ports;
    const { server } = this.#asked;
    const access = gateway.policy.access(identity);
    const own = server === null && message.method === "tools/list" && message.params.cursor === undefined;
    if (access.all && !own) return this.#passedOn(posted, null);
    const answer = await this.#forward(posted, null);
    const added = own ? this.#ports.gatewayTools.list(identity, access) : [];
    const text = seenText(await this.#whole(answer.text()), message.method, { server, access, added });
    const { "content-length": _, ...headers } = returnedHeaders(answer.headers);
    this.#record(outcomeIn(answer.headers, answer.headers), text.length);
    return new Response(text, { status: answer.status, headers });
  }

  async #ownTool({ identity, message }: Posted, version: string | null): Promise<Response> {
    const { gateway, gatewayTools, defer, log } = this.#ports;
    const { hive, request } = this.#asked;
    const trace = this.#trace.headers;
    const caller = {
      hive,
      identity,
      defer,
      ...(trace && { trace }),
      cacheControl: request.headers.get("cache-control"),
    };
    const result = await gatewayTools.call(
      String(message.params.name),
      message.params.arguments,
      {
        ...{ hive, identity, signal: request.signal },
        access: gateway.policy.access(identity),
        callTool: callOneFor(caller, { gateway, log }),
      },
      version ?? OLDEST_REVISION,
    );
    this.#record({ outcome: result.isError ? "error" : "ok", code: null, cache: null }, null);
    return Response.json({ jsonrpc: "2.0", id: message.id, result });
  }

  /** In the headers, as HTTP has it, or in the message, as MCP has it. */
  get #trace(): Trace {
    if (this.#begun) return this.#begun;
    const { headers } = this.#asked.request;
    const meta = this.#message?.params._meta;
    const said = (name: "traceparent" | "tracestate") => headers.get(name) ?? textIn(meta, name);
    this.#begun = this.#ports.gateway.tracer.begin(said("traceparent"), said("tracestate"));
    return this.#begun;
  }

  #notAllowed(): Response {
    this.#record({ outcome: "refused", code: "invalid_request", cache: null }, null);
    return new Response(null, { status: 405, headers: { allow: "POST, GET, DELETE" } });
  }

  /** It ended with this. */
  refused(error: HivegateError): void {
    this.#record(outcomeOf(error), null);
  }

  #record(outcome: Outcome, responseBytes: number | null): void {
    if (this.#isRecorded) return;
    this.#isRecorded = true;
    const { gateway, now, uuid, defer } = this.#ports;
    const { hive, server, request } = this.#asked;
    gateway.events.record(
      {
        ...{ hive, atMs: this.#atMs, requestId: uuid(), client: this.#identity?.subject ?? null },
        method: this.#message?.method || `${request.method} MCP`,
        server: this.#tool?.server ?? server,
        tool: this.#tool?.tool ?? null,
        ...outcome,
        durationMs: Math.max(0, now() - this.#atMs),
        requestBytes: this.#requestBytes,
        responseBytes,
        ...{ traceId: this.#trace.traceId, trace: this.#trace },
        ...(this.#tool && { arguments: this.#message?.params.arguments }),
      },
      defer,
    );
  }
}

function textIn(meta: unknown, name: string): string | null {
  if (typeof meta !== "object" || meta === null) return null;
  const value: unknown = Reflect.get(meta, name);
  return typeof value === "string" ? value : null;
}

const encoder = new TextEncoder();
/** A client that does not say is one of before it was usual. */
const OLDEST_REVISION = "2025-03-26";

const isStream = ({ headers }: Response): boolean =>
  headers.get("content-type")?.startsWith("text/event-stream") ?? false;
