/** What a session asks: some of it is between its client and the sidecar, the rest is for the server. */
import { LIMITS } from "../../../shared/limits.ts";
import type { McpAnswer } from "../../../shared/protocol/mcp.ts";
import type { Notification } from "../json-rpc-session.ts";
import { routeOf } from "./exchange.ts";
import { type ClientRequest, notificationText } from "./json-rpc.ts";
import { legacyCall, type Under } from "./legacy-call.ts";
import type { Incoming, Shared } from "./ports.ts";
import { invalidParams, methodNotFound } from "./refused.ts";
import { isListChange, LOG_MESSAGE } from "./revisions.ts";
import type { Session } from "./session.ts";
import { isLogLevel, isWanted } from "./translate/log-level.ts";

const DONE: McpAnswer = { result: {} };

/** @throws HivegateError as `Upstream.exchange` */
export async function sessionAnswer(
  shared: Shared,
  incoming: Incoming,
  session: Session,
  request: ClientRequest,
  under: Under,
): Promise<McpAnswer> {
  const { method, params } = request;
  switch (method) {
    case "ping":
      return DONE;
    case "logging/setLevel":
      return setLevel(shared, incoming, session, params.level);
    case "resources/subscribe":
      return subscribe(shared, incoming, session, params.uri);
    case "resources/unsubscribe":
      session.stop(`resource ${params.uri}`);
      return DONE;
    default:
      // A task's id is all that it takes to read its result, and to the server all clients are one.
      if (NOT_FOR_SESSIONS.test(method)) return { error: methodNotFound(method) };
      return legacyCall(shared, incoming, session, request, under);
  }
}

const NOT_FOR_SESSIONS = /^(?:tasks\/|server\/discover$|subscriptions\/)/;

async function setLevel(
  { logLevels }: Shared,
  { upstream, client }: Incoming,
  session: Session,
  level: unknown,
): Promise<McpAnswer> {
  if (!isLogLevel(level)) return { error: invalidParams("level: expected one from debug to emergency.") };
  const refusal = await logLevels.want(level, upstream, client);
  if (refusal) return { error: refusal };
  session.logLevel = level;
  return DONE;
}

async function subscribe(
  { subscriptions }: Shared,
  incoming: Incoming,
  session: Session,
  uri: unknown,
): Promise<McpAnswer> {
  if (typeof uri !== "string" || uri.length > LIMITS.mcpWatchedUriChars)
    return { error: invalidParams(`uri: expected at most ${LIMITS.mcpWatchedUriChars} characters.`) };
  const name = `resource ${uri}`;
  if (session.has(name)) return DONE;
  const { upstream } = await routeOf(incoming, { method: "resources/subscribe", params: { uri } });
  const stop = await subscriptions.add(
    upstream,
    uri,
    incoming.client,
    (notification) => session.standalone.send(notificationText(notification)),
    () => session.stop(name),
  );
  if (typeof stop !== "function") return { error: stop };
  session.keep(name, stop);
  return DONE;
}

/** From its first stream on the session hears what its server tells all clients. */
export function listenFor({ upstream }: Incoming, session: Session): void {
  if (session.has("server")) return;
  const hear = (notification: Notification): void => {
    const { method } = notification;
    const isLog = method === LOG_MESSAGE && isWanted(notification, session.logLevel);
    if (isListChange(method) || isLog) session.standalone.send(notificationText(notification));
  };
  session.keep("server", upstream.onNotification(hear));
}
