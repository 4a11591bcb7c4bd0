import { JOINED_HEADER, REGISTRY_HEADER, SERVER_HEADER } from "../../../shared/protocol/tools.ts";
import type { EndpointPorts, Head } from "./ports.ts";

export const SESSION_HEADER = "mcp-session-id";

export const emptyHead = (): Head => ({ isJoined: false, sessionId: null, answeredBy: null });

/** What goes out with an answer beside its type. Read when its head is sent. */
export function headersFor(
  { registryVersion }: Pick<EndpointPorts, "registryVersion">,
  { isJoined, sessionId, answeredBy }: Head = emptyHead(),
): Record<string, string> {
  const headers: Record<string, string> = { [REGISTRY_HEADER]: registryVersion() };
  if (isJoined) headers[JOINED_HEADER] = "1";
  if (sessionId !== null) headers[SESSION_HEADER] = sessionId;
  if (answeredBy !== null) headers[SERVER_HEADER] = answeredBy;
  return headers;
}
