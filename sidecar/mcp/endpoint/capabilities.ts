/** What a client can be asked for, and what it has to have said that it offers for that. */
import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import { isRecord } from "../record.ts";
import { PROTOCOL } from "./refused.ts";

type Capabilities = Record<string, unknown>;

/** The capability that a server's request needs, as a client would declare it; null: no client is asked that. */
export function neededFor({ method, params }: McpRequest): Capabilities | null {
  switch (method) {
    case "sampling/createMessage":
      return { sampling: params.tools === undefined && params.toolChoice === undefined ? {} : { tools: {} } };
    case "elicitation/create":
      return { elicitation: params.mode === "url" ? { url: {} } : {} };
    case "roots/list":
      return { roots: {} };
    default:
      return null;
  }
}

/** Whether the client declared all of `needed`. Who declares elicitation without a mode means forms. */
export function offers(capabilities: Capabilities, needed: Capabilities | null): boolean {
  if (needed === null) return false;
  return Object.entries(needed).every(([name, parts]) => {
    const offered = capabilities[name];
    if (!isRecord(offered)) return false;
    const isForms = name === "elicitation" && isRecord(parts) && Object.keys(parts).length === 0;
    if (isForms) return isRecord(offered.form) || !isRecord(offered.url);
    return isRecord(parts) && Object.keys(parts).every((part) => isRecord(offered[part]));
  });
}

/** What a server hears that asks a client for what it does not offer. */
export const NOT_OFFERED: McpAnswer = {
  error: { code: PROTOCOL.methodNotFound, message: "This client does not offer that." },
};
