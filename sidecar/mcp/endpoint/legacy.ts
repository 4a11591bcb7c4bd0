/** Requests of 2025 and before: sessions, streams of their own, and clients that can be asked while they wait. */
import { z } from "zod";
import { asHivegateError, HivegateError } from "../../../shared/errors.ts";
import type { McpAnswer } from "../../../shared/protocol/mcp.ts";
import { SSE_HEADERS } from "../../../shared/wire/sse.ts";
import { Answer, jsonResponse } from "./answer.ts";
import { failure } from "./exchange.ts";
import { failureIn, headersFor, SESSION_HEADER } from "./head.ts";
import { answerText, type ClientRequest, type Message } from "./json-rpc.ts";
import type { Incoming, Shared } from "./ports.ts";
import { invalidParams, Refused, type RpcError, rpcErrorOf } from "./refused.ts";
import { LEGACY_VERSIONS, NEVER_STREAMED, NEWEST_LEGACY_VERSION } from "./revisions.ts";
import type { Session } from "./session.ts";
import { listenFor, sessionAnswer } from "./session-requests.ts";
import { initializeResult } from "./translate/to-modern.ts";

const Initialize = z.object({
  protocolVersion: z.string(),
  capabilities: z.record(z.string(), z.unknown()).default({}),
  clientInfo: z.record(z.string(), z.unknown()).default({}),
});

/** A message that a client sends by POST. @throws Refused */
export async function serveLegacy(shared: Shared, incoming: Incoming, message: Message): Promise<Response> {
  if (message.kind === "request" && message.request.method === "initialize")
    return initialize(shared, incoming, message.request);
  const session = sessionOf(shared, incoming, message.kind === "request" ? message.request.id : null);
  switch (message.kind) {
    case "request":
      if (session.leaving) throw new Refused(404, UNKNOWN_SESSION, message.request.id);
      return serve(shared, incoming, session, message.request);
    case "answer":
      session.asked.answered(message.id, message.answer);
      break;
    case "notification":
      // Nothing else of what a client tells concerns the server: to it all clients are one.
      if (message.notification.method === "notifications/cancelled")
        session.cancel(message.notification.params.requestId);
  }
  return new Response(null, { status: 202, headers: headersFor(shared.ports) });
}

/** GET: the stream for what belongs to no request, or one that the client has lost. @throws Refused */
export function openStream(shared: Shared, incoming: Incoming): Response {
  const session = sessionOf(shared, incoming, null);
  const lastEventId = incoming.header("last-event-id");
  if (session.leaving && lastEventId === undefined) throw new Refused(404, UNKNOWN_SESSION);
  const body = lastEventId === undefined ? session.standalone.body : session.resume(lastEventId);
  if (body === null) throw new Refused(400, UNKNOWN_EVENT);
  if (!session.leaving) listenFor(incoming, session);
  return new Response(body, { headers: { ...headersFor(shared.ports), ...SSE_HEADERS } });
}

/** DELETE. @throws Refused */
export function endSession(shared: Shared, incoming: Incoming): Response {
  shared.sessions.end(sessionOf(shared, incoming, null));
  return new Response(null, { status: 204, headers: headersFor(shared.ports) });
}

async function initialize(shared: Shared, incoming: Incoming, request: ClientRequest): Promise<Response> {
  const { ports, sessions } = shared;
  const { client, server, upstream, head } = incoming;
  const asked = Initialize.safeParse(request.params);
  if (!asked.success)
    throw new Refused(400, invalidParams("Expected protocolVersion and capabilities."), request.id);
  const { protocolVersion, capabilities, clientInfo } = asked.data;
  const version = LEGACY_VERSIONS.includes(protocolVersion) ? protocolVersion : NEWEST_LEGACY_VERSION;
  let answer: McpAnswer;
  try {
    const info = await upstream.info();
    const id = ports.uuid();
    sessions.open({ id, client, server, version, capabilities, clientInfo });
    head.sessionId = id;
    answer = { result: initializeResult(info, version) };
  } catch (thrown) {
    answer = failure(thrown, ports.log);
  }
  return jsonResponse(answerText(request.id, answer), 200, headersFor(ports, head));
}

/** Somebody else's session does not exist either. @throws Refused */
function sessionOf({ sessions }: Shared, incoming: Incoming, requestId: ClientRequest["id"] | null): Session {
  const id = incoming.header(SESSION_HEADER);
  if (id === undefined) throw new Refused(400, NO_SESSION, requestId);
  const session = sessions.find(id, incoming.client, incoming.server);
  if (!session) throw new Refused(404, UNKNOWN_SESSION, requestId);
  return session;
}

function serve(
  shared: Shared,
  incoming: Incoming,
  session: Session,
  request: ClientRequest,
): Promise<Response> {
  const { signal } = begun(session, request);
  const answer = new Answer({
    pulse: shared.pulse,
    headers: () => headersFor(shared.ports, incoming.head),
    mayStream: !NEVER_STREAMED.has(request.method) && acceptsEvents(incoming),
    openSink: () => session.openChannel(),
  });
  // Nobody can come back for an answer of which nothing was said yet. One that is a stream goes on without its reader.
  incoming.signal.addEventListener("abort", () => {
    if (answer.isUndecided) session.cancel(request.id);
  });
  const end = (outcome: McpAnswer): void => {
    incoming.head.failure = failureIn(outcome);
    answer.end(answerText(request.id, outcome));
    session.done(request.id);
  };
  sessionAnswer(shared, incoming, session, request, { answer, signal })
    .then(end)
    .catch((thrown) => end(failure(thrown, shared.ports.log)));
  return answer.response;
}

/** @throws Refused */
function begun(session: Session, { id }: ClientRequest): AbortController {
  try {
    return session.begin(id);
  } catch (thrown) {
    const error = asHivegateError(thrown);
    throw new Refused(error.httpStatus, rpcErrorOf(error), id);
  }
}

const acceptsEvents = ({ header }: Incoming): boolean => {
  const accept = header("accept");
  return accept === undefined || /text\/(?:event-stream|\*)|\*\/\*/.test(accept);
};

const NO_SESSION: RpcError = rpcErrorOf(
  new HivegateError(
    "invalid_request",
    "Send initialize first, and its Mcp-Session-Id with all that follows.",
  ),
);
const UNKNOWN_SESSION: RpcError = rpcErrorOf(
  new HivegateError("not_found", "There is no such session. Open one by sending initialize."),
);
const UNKNOWN_EVENT: RpcError = rpcErrorOf(
  new HivegateError("invalid_request", "Last-Event-ID: this event's stream is not known any more."),
);
