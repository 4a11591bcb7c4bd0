import { JOINED_HEADER, REGISTRY_HEADER } from "../../../shared/protocol/tools.ts";
import type { EndpointPorts, Incoming } from "./ports.ts";

export const SESSION_HEADER = "mcp-session-id";

/** What goes out with an answer beside its type. Read when its head is sent. */
export function headersFor(
  { registryVersion }: Pick<EndpointPorts, "registryVersion">,
  { isJoined, sessionId }: Incoming["head"] = { isJoined: false, sessionId: null },
): Record<string, string> {
  const headers: Record<string, string> = { [REGISTRY_HEADER]: registryVersion() };
  if (isJoined) headers[JOINED_HEADER] = "1";
  if (sessionId !== null) headers[SESSION_HEADER] = sessionId;
  return headers;
}
