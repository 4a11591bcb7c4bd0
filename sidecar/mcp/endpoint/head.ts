import type { McpAnswer } from "../../../shared/protocol/mcp.ts";
import {
  JOINED_HEADER,
  OUTCOME_HEADER,
  REGISTRY_HEADER,
  SERVER_HEADER,
} from "../../../shared/protocol/tools.ts";
import type { EndpointPorts, Head } from "./ports.ts";

export const SESSION_HEADER = "mcp-session-id";

export const emptyHead = (): Head => ({ isJoined: false, sessionId: null, answeredBy: null, failure: null });

/** What goes out with an answer beside its type. Read when its head is sent. */
export function headersFor(
  { registryVersion }: Pick<EndpointPorts, "registryVersion">,
  { isJoined, sessionId, answeredBy, failure }: Head = emptyHead(),
): Record<string, string> {
  const headers: Record<string, string> = { [REGISTRY_HEADER]: registryVersion() };
  if (isJoined) headers[JOINED_HEADER] = "1";
  if (sessionId !== null) headers[SESSION_HEADER] = sessionId;
  if (answeredBy !== null) headers[SERVER_HEADER] = answeredBy;
  if (failure !== null) headers[OUTCOME_HEADER] = failure;
  return headers;
}

/** For `Head.failure`. */
export function failureIn(answer: McpAnswer): string | null {
  if ("error" in answer) return String(answer.error.code);
  return answer.result.isError === true ? "tool" : null;
}
