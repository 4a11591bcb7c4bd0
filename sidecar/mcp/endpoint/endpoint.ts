/** Streamable HTTP in front of `Upstream`s, for clients of either era: the sidecar's `/v1/mcp` and `/v1/mcp/{server}`. */
import type { Context, Hono } from "hono";
import { asHivegateError, HivegateError } from "../../../shared/errors.ts";
import { JoinKey, REGISTRY_HEADER } from "../../../shared/protocol/tools.ts";
import type { Signed } from "../../http/authenticate.ts";
import type { Upstream } from "../upstream.ts";
import { jsonResponse } from "./answer.ts";
import { isEnveloped } from "./envelope.ts";
import { KeepAlive } from "./event-stream.ts";
import { emptyHead, headersFor, SESSION_HEADER } from "./head.ts";
import { HeldCalls } from "./held-calls.ts";
import { answerText, type Message, parseMessage, type RequestId } from "./json-rpc.ts";
import { endSession, openStream, serveLegacy } from "./legacy.ts";
import { Listens } from "./listen.ts";
import { LogLevels } from "./log-levels.ts";
import { serveModern } from "./modern.ts";
import { OpenRequests } from "./open-requests.ts";
import type { EndpointPorts, Incoming, Shared } from "./ports.ts";
import { Refused, rpcErrorOf, unsupportedVersion } from "./refused.ts";
import { LEGACY_VERSIONS, MODERN_VERSION } from "./revisions.ts";
import { Sessions } from "./sessions.ts";
import { Subscriptions } from "./subscriptions.ts";

export type McpEndpoint = {
  /** Answers any method on `/v1/mcp` and `/v1/mcp/:server`. Never throws: what is wrong it says in JSON-RPC. */
  handle(c: Context<Signed>): Promise<Response>;
  /** What is held at the moment. */
  counts(): {
    sessions: number;
    /** That wait for their answers. */
    requests: number;
    streams: number;
    heldCalls: number;
    subscriptions: number;
    eventBytes: number;
  };
  /**
   * This server is there no more. What is under way is answered still, as far as the server does; streams of its changes
   * end, and so do its sessions after that.
   */
  removed(server: Upstream): void;
  /** Ends all sessions and streams. */
  close(): void;
};

export function mcpEndpoint(ports: EndpointPorts): McpEndpoint {
  const open = new OpenRequests();
  const pulse = new KeepAlive(ports.clock, open);
  const shared: Shared = {
    ports,
    open,
    pulse,
    sessions: new Sessions(ports.clock, pulse),
    held: new HeldCalls(ports.clock, ports.uuid),
    listens: new Listens(),
    subscriptions: new Subscriptions(ports.clock),
    logLevels: new LogLevels(),
  };
  const { sessions, held, listens, subscriptions, logLevels } = shared;
  return {
    handle: async (c) => {
      try {
        return await answerTo(shared, incomingOf(shared, c), c);
      } catch (thrown) {
        return refusal(ports, thrown);
      }
    },
    counts: () => ({
      sessions: sessions.size,
      requests: open.size - pulse.size,
      streams: pulse.size,
      heldCalls: held.size,
      subscriptions: subscriptions.size,
      eventBytes: sessions.eventBytes,
    }),
    removed: (server) => {
      sessions.leave(server);
      for (const known of [held, listens, subscriptions, logLevels]) known.forget(server.name);
    },
    close: () => {
      held.close();
      listens.close();
      sessions.close();
    },
  };
}

function answerTo(shared: Shared, incoming: Incoming, c: Context<Signed>): Promise<Response> | Response {
  switch (c.req.method) {
    case "POST":
      return postedOrRefused(shared, incoming, parseMessage(c.get("body")));
    case "GET":
    case "DELETE":
      // 2026 has neither, and says so by this status.
      if (isModern(incoming)) return notAllowed(shared.ports);
      if (c.req.method === "DELETE") return endSession(shared, incoming);
      return letIn(shared, incoming, () => openStream(shared, incoming));
    default:
      return notAllowed(shared.ports);
  }
}

/** What ends something, or answers, is always taken. */
function postedOrRefused(shared: Shared, incoming: Incoming, message: Message): Promise<Response> | Response {
  if (message.kind !== "request") return posted(shared, incoming, message);
  return letIn(shared, incoming, () => posted(shared, incoming, message));
}

/** A client that leaves has no connection any more, whatever becomes of its request. @throws HivegateError `overloaded` */
async function letIn(
  { open }: Shared,
  { client, signal }: Incoming,
  answer: () => Promise<Response> | Response,
): Promise<Response> {
  open.begin(client);
  let isOpen = true;
  const end = () => {
    if (isOpen) open.end(client);
    isOpen = false;
  };
  signal.addEventListener("abort", end);
  try {
    return await answer();
  } finally {
    end();
  }
}

/** The era is the message's own, whatever the server's is. */
function posted(shared: Shared, incoming: Incoming, message: Message): Promise<Response> | Response {
  if (message.kind === "request") {
    const { request } = message;
    if (isEnveloped(request) || isModern(incoming, request.id)) return serveModern(shared, incoming, request);
  } else if (isModern(incoming)) {
    if (message.kind === "answer")
      throw new Refused(400, rpcErrorOf(new HivegateError("invalid_request", "Send requests alone.")));
    // 2026 has none that would have to be passed on: who leaves cancels by that.
    return new Response(null, { status: 202, headers: headersFor(shared.ports) });
  }
  return serveLegacy(shared, incoming, message);
}

/** Whether the headers say so; a request of 2026 may say it by itself. @throws Refused where no such revision is spoken */
function isModern({ header }: Incoming, requestId: RequestId | null = null): boolean {
  const version = header("mcp-protocol-version");
  if (version === MODERN_VERSION) return true;
  if (version === undefined || LEGACY_VERSIONS.includes(version)) return false;
  throw new Refused(400, unsupportedVersion(version, false), requestId);
}

/** @throws HivegateError `invalid_request`, `unknown_server` */
function incomingOf({ ports, sessions }: Shared, c: Context<Signed>): Incoming {
  const { client, join } = c.req.query();
  if (!client || client.length > 200) throw new HivegateError("invalid_request", "Expected ?client=.");
  const server = c.req.param("server") ?? null;
  // What a server asked that was taken away since may still be answered.
  const leaving = () => sessions.find(c.req.header(SESSION_HEADER) ?? "", client, server)?.leaving;
  const found = ports.upstream(server) ?? leaving();
  if (!found) throw new HivegateError("unknown_server");
  const [traceparent, tracestate] = [c.req.header("traceparent"), c.req.header("tracestate")];
  return {
    client,
    server,
    upstream: found,
    join: join && JoinKey.safeParse(join).success ? join : null,
    header: (name) => c.req.header(name),
    trace: traceparent === undefined ? null : { traceparent, ...(tracestate && { tracestate }) },
    signal: c.req.raw.signal,
    head: emptyHead(),
  };
}

function refusal(ports: EndpointPorts, thrown: unknown): Response {
  if (thrown instanceof Refused)
    return jsonResponse(answerText(thrown.id, { error: thrown.error }), thrown.status, headersFor(ports));
  const error = asHivegateError(thrown);
  if (error.code === "internal") ports.log.warn({ err: thrown }, "an MCP request failed");
  return jsonResponse(answerText(null, { error: rpcErrorOf(error) }), error.httpStatus, headersFor(ports));
}

const notAllowed = ({ registryVersion }: EndpointPorts): Response =>
  new Response(null, { status: 405, headers: { allow: "POST", [REGISTRY_HEADER]: registryVersion() } });

/** `endpoint` at its addresses. */
export function mcpRoutes(app: Hono<Signed>, { handle }: Pick<McpEndpoint, "handle">): void {
  app.all("/v1/mcp", handle);
  app.all("/v1/mcp/:server", handle);
}
