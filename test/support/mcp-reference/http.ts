/** The reference server over Streamable HTTP: sessions for clients of 2025, and 2026-07-28 without. */
import { randomUUID } from "node:crypto";
import {
  createMcpHandler,
  type EventStore,
  hostHeaderValidationResponse,
  isLegacyRequest,
  type JSONRPCMessage,
  localhostAllowedHostnames,
  localhostAllowedOrigins,
  originValidationResponse,
  WebStandardStreamableHTTPServerTransport,
} from "@modelcontextprotocol/server";
import type { Changes } from "./change-tools.ts";
import { referenceServer } from "./server.ts";

type Session = { transport: WebStandardStreamableHTTPServerTransport; changes: Changes };

/** How long a client should wait until it comes back for an answer whose stream was closed. */
const RETRY_MS = 500;

/** @returns what answers requests to it, whatever their path. */
export function referenceHandler({
  only2025,
}: {
  only2025: boolean;
}): (request: Request) => Promise<Response> {
  const sessions = new Map<string, Session>();
  const tellAll = (tell: (changes: Changes) => void) => {
    tell(modern.notify);
    for (const { changes } of sessions.values()) tell(changes);
  };
  const changes: Changes = {
    toolsChanged: () => tellAll((each) => each.toolsChanged()),
    promptsChanged: () => tellAll((each) => each.promptsChanged()),
    resourceUpdated: (uri) => tellAll((each) => each.resourceUpdated(uri)),
  };
  const modern = createMcpHandler((context) => referenceServer({ ...context, changes }).server, {
    legacy: "reject",
  });

  const open = async (request: Request): Promise<Response> => {
    const { server, own } = referenceServer({ era: "legacy", changes });
    const transport = new WebStandardStreamableHTTPServerTransport({
      sessionIdGenerator: randomUUID,
      eventStore: eventStore(),
      retryInterval: RETRY_MS,
      onsessioninitialized: (id) => void sessions.set(id, { transport, changes: own }),
      onsessionclosed: (id) => void sessions.delete(id),
    });
    await server.connect(transport);
    return transport.handleRequest(request);
  };

  return async (request) => {
    const refused =
      hostHeaderValidationResponse(request, localhostAllowedHostnames()) ??
      originValidationResponse(request, localhostAllowedOrigins());
    if (refused) return refused;
    if (!only2025 && !(await isLegacyRequest(request))) return modern.fetch(request);
    const id = request.headers.get("mcp-session-id");
    if (id === null) return open(request);
    const session = sessions.get(id);
    return session ? session.transport.handleRequest(request) : noSession();
  };
}

const noSession = () =>
  Response.json(
    { jsonrpc: "2.0", error: { code: -32001, message: "Session not found" }, id: null },
    { status: 404 },
  );

/** Events of one session, kept as long as it is: a test's is short. */
function eventStore(): EventStore {
  const events: { streamId: string; message: JSONRPCMessage }[] = [];
  return {
    storeEvent: async (streamId, message) => String(events.push({ streamId, message }) - 1),
    replayEventsAfter: async (lastEventId, { send }) => {
      const last = Number(lastEventId);
      const streamId = events[last]?.streamId ?? "";
      for (const [index, event] of events.entries())
        if (index > last && event.streamId === streamId && Object.keys(event.message).length > 0)
          await send(String(index), event.message);
      return streamId;
    },
  };
}
