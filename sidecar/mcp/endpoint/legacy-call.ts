/** A request of a session that a server answers, whichever era it is of. */
import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import type { Notification } from "../json-rpc-session.ts";
import type { Answer } from "./answer.ts";
import { NOT_OFFERED, neededFor, offers } from "./capabilities.ts";
import { type Destination, destinationOf, exchanged, type Part } from "./exchange.ts";
import { notificationText } from "./json-rpc.ts";
import type { Incoming, Shared } from "./ports.ts";
import { LOG_MESSAGE } from "./revisions.ts";
import type { Session } from "./session.ts";
import { fulfilled } from "./translate/fulfil.ts";
import { isWanted } from "./translate/log-level.ts";
import { legacyAnswer, modernRequest } from "./translate/to-modern.ts";

/** Where what comes before the answer goes, and what says that nobody wants it any more. */
export type Under = { answer: Answer; signal: AbortSignal };

/** @throws HivegateError as `Upstream.info` */
export async function legacyCall(
  shared: Shared,
  incoming: Incoming,
  session: Session,
  { method, params }: McpRequest,
  { answer, signal }: Under,
): Promise<McpAnswer> {
  const destination = await destinationOf(shared, incoming, { method, params }, signal);
  const { capabilities } = session.facts;
  const ask = (request: McpRequest, ended: AbortSignal): Promise<McpAnswer> =>
    offers(capabilities, neededFor(request))
      ? session.asked.ask(answer, request, ended)
      : Promise.resolve(NOT_OFFERED);
  const onNotification = (notification: Notification): void => {
    // A session that set no level leaves it to the server what it says.
    const isHeld = notification.method === LOG_MESSAGE && session.logLevel !== null;
    if (!isHeld || isWanted(notification, session.logLevel)) answer.before(notificationText(notification));
  };
  const part: Part = { signal, onNotification };
  if (destination.info.era === "2025")
    return exchanged(shared, incoming, destination, { ...part, onRequest: ask });
  return atModern(shared, incoming, session, destination, { part, ask, mayAsk: answer.mayStream });
}

async function atModern(
  shared: Shared,
  incoming: Incoming,
  { facts: { capabilities, clientInfo }, logLevel }: Session,
  { upstream, request }: Destination,
  { part, ask, mayAsk }: { part: Part; ask: NonNullable<Part["onRequest"]>; mayAsk: boolean },
): Promise<McpAnswer> {
  // Whoever cannot be asked on this answer offers nothing in it.
  const offered = mayAsk ? capabilities : {};
  const answer = await fulfilled(request, {
    capabilities: offered,
    ask: (asked) => ask(asked, part.signal),
    exchange: (again) =>
      exchanged(
        shared,
        incoming,
        { upstream, request: modernRequest(again, { capabilities: offered, clientInfo, logLevel }) },
        part,
      ),
  });
  return legacyAnswer(request.method, answer);
}
