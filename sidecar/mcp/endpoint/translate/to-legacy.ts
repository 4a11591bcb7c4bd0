/** A client of 2026 at a server of 2025: what it says loses its envelope, what it hears says that it is complete. */
import type { McpAnswer, McpRequest } from "../../../../shared/protocol/mcp.ts";
import { isRecord } from "../../record.ts";
import type { ServerInfo } from "../../upstream.ts";
import { neededFor } from "../capabilities.ts";
import { recordOr, without } from "../fields.ts";
import { PROTOCOL } from "../refused.ts";
import { CACHEABLE, META, MODERN_VERSION } from "../revisions.ts";

const ENVELOPE: ReadonlySet<string> = new Set([
  META.version,
  META.clientInfo,
  META.capabilities,
  META.logLevel,
]);

export function legacyRequest({ method, params }: McpRequest): McpRequest {
  const kept: Record<string, unknown> = {};
  for (const field in params)
    if (field !== "inputResponses" && field !== "requestState" && field !== "_meta")
      kept[field] = params[field];
  const meta = legacyMeta(params._meta);
  if (meta !== null) kept._meta = meta;
  return { method, params: kept };
}

function legacyMeta(meta: unknown): Record<string, unknown> | null {
  if (!isRecord(meta)) return null;
  let kept: Record<string, unknown> | null = null;
  for (const key in meta) {
    if (ENVELOPE.has(key)) continue;
    kept ??= {};
    kept[key] = meta[key];
  }
  return kept;
}

/** The answer to `server/discover`, from the server's answer to `initialize`. */
export const discoverResult = (info: ServerInfo): Record<string, unknown> =>
  complete(
    "server/discover",
    {
      supportedVersions: [MODERN_VERSION],
      capabilities: without(info.capabilities, "tasks"),
      ...(info.instructions !== null && { instructions: info.instructions }),
    },
    info,
  );

/** An answer of 2025 in the words of 2026. */
export function modernAnswer(method: string, answer: McpAnswer, info: ServerInfo): McpAnswer {
  if ("result" in answer) return { result: complete(method, answer.result, info) };
  const { error } = answer;
  if (error.code === PROTOCOL.resourceNotFound) return { error: { ...error, code: PROTOCOL.invalidParams } };
  return answer;
}

/** A 2025 server says nothing of how long its answers hold, or for whom: they hold for nobody else, and not at all. */
function complete(
  method: string,
  result: Record<string, unknown>,
  { serverInfo }: ServerInfo,
): Record<string, unknown> {
  return {
    ...(CACHEABLE.has(method) && { ttlMs: 0, cacheScope: "private" }),
    ...result,
    resultType: "complete",
    ...(serverInfo !== null && {
      _meta: { ...recordOr(result._meta), [META.serverInfo]: serverInfo },
    }),
  };
}

/**
 * What a 2025-11-25 server wants its client to open in a browser before it asks again, as 2026 says it; null when the
 * answer is another one.
 */
export function urlElicitations(answer: McpAnswer): Record<string, McpRequest> | null {
  if (!("error" in answer) || answer.error.code !== PROTOCOL.urlElicitationRequired) return null;
  const wanted = isRecord(answer.error.data) ? answer.error.data.elicitations : null;
  if (!Array.isArray(wanted) || wanted.length === 0) return null;
  return Object.fromEntries(
    wanted
      .filter(isRecord)
      .map((params, n) => [
        `url-${n + 1}`,
        { method: "elicitation/create", params: { ...params, mode: "url" } },
      ]),
  );
}

/** The answer that asks the client for more. `requestState` is what it has to bring back, if anything. */
export const inputRequired = (
  inputRequests: Record<string, McpRequest>,
  requestState: string | null,
): McpAnswer => ({
  result: {
    resultType: "input_required",
    inputRequests,
    ...(requestState !== null && { requestState }),
  },
});

/** What has to be declared to be asked all of these; 2026 wants it named. */
export const missingCapabilities = (requests: McpRequest[]): McpAnswer => ({
  error: {
    code: PROTOCOL.missingCapability,
    message: "The server asks for something that this client does not offer.",
    data: { requiredCapabilities: Object.assign({}, ...requests.map((request) => neededFor(request) ?? {})) },
  },
});
