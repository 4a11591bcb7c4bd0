/** How a server is greeted, in the words of either era, and what it says of itself. */
import {
  CLIENT_CAPABILITIES_META_KEY,
  CLIENT_INFO_META_KEY,
  PROTOCOL_VERSION_META_KEY,
  SERVER_INFO_META_KEY,
} from "@modelcontextprotocol/client";
import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import { LostConnection } from "./lost-connection.ts";
import type { Era, ServerInfo } from "./upstream.ts";

export const VERSION_OF: Record<Era, string> = { "2025": "2025-11-25", "2026": "2026-07-28" };

const clientInfo = { name: "hivegate", version: "0.1.0" };
/** What some client behind us may be able to do; one that is not says so when it is asked. */
const capabilities = { sampling: {}, elicitation: { form: {}, url: {} }, roots: { listChanged: true } };

/** What every request of 2026 carries; what a client said of itself goes before it. */
export const ENVELOPE = {
  [PROTOCOL_VERSION_META_KEY]: VERSION_OF["2026"],
  [CLIENT_INFO_META_KEY]: clientInfo,
  [CLIENT_CAPABILITIES_META_KEY]: {},
};

const Details = z.record(z.string(), z.unknown());
/** As much of the answers as is of use. Servers that say nothing of themselves are no worse for it. */
const Welcome = z.object({
  protocolVersion: z.string().optional().catch(undefined),
  capabilities: Details.catch({}).default({}),
  serverInfo: Details.nullable().catch(null).default(null),
  instructions: z.string().nullable().catch(null).default(null),
});
const Discovered = Welcome.extend({
  supportedVersions: z.array(z.string()).refine((versions) => versions.includes(VERSION_OF["2026"])),
  _meta: Details.catch({}).default({}),
});

export type HandshakeOptions = {
  /** Sent in an `authenticate` line before anything else; null where the server wants none. */
  token: string | null;
  /** Which era's words are tried first: a server of the other one says that it does not know them. */
  first: Era;
  /** For each step. */
  timeoutMs: number;
  /** How long silence is taken for an answer of a server that does not know the words of 2026. */
  probeMs: number;
  /** @throws HivegateError */
  ask(request: McpRequest, timeoutMs: number): Promise<McpAnswer>;
};

/** @throws HivegateError `mcp_failed` (it refuses), `mcp_unavailable`, `timeout` */
export async function shakeHands(options: HandshakeOptions): Promise<ServerInfo> {
  const { token, ask, timeoutMs, first } = options;
  if (token !== null) accepted(await ask({ method: "authenticate", params: { token } }, timeoutMs));
  if (first === "2026") return (await discover(options)) ?? welcomed(await initialize(options));
  const answer = await initialize(options);
  // A server of 2026 alone does not know `initialize`.
  if ("error" in answer) return (await discover(options)) ?? welcomed(answer);
  return welcomed(answer);
}

const initialize = ({ ask, timeoutMs }: HandshakeOptions): Promise<McpAnswer> =>
  ask(
    { method: "initialize", params: { protocolVersion: VERSION_OF["2025"], capabilities, clientInfo } },
    timeoutMs,
  );

function welcomed(answer: McpAnswer): ServerInfo {
  const { protocolVersion, ...rest } = Welcome.parse(accepted(answer));
  return { era: "2025", protocolVersion: protocolVersion ?? VERSION_OF["2025"], ...rest };
}

/** Null: it is none of 2026, as far as it can be told. */
async function discover({ ask, timeoutMs, probeMs }: HandshakeOptions): Promise<ServerInfo | null> {
  const request = { method: "server/discover", params: { _meta: ENVELOPE } };
  const answer = await ask(request, Math.min(timeoutMs, probeMs)).catch((thrown: unknown) => {
    // Whatever ails it: it is asked in the words of 2025, and says what it has against those.
    if (thrown instanceof HivegateError && !(thrown instanceof LostConnection)) return null;
    throw thrown;
  });
  const { success, data } = Discovered.safeParse(answer && "result" in answer ? answer.result : null);
  if (!success) return null;
  const serverInfo = Details.safeParse(data._meta[SERVER_INFO_META_KEY]).data ?? data.serverInfo;
  const { capabilities, instructions } = data;
  return { era: "2026", protocolVersion: VERSION_OF["2026"], capabilities, serverInfo, instructions };
}

function accepted(answer: McpAnswer): Record<string, unknown> {
  if ("result" in answer) return answer.result;
  const { code, message } = answer.error;
  throw new HivegateError("mcp_failed", undefined, { cause: new Error(`${code} ${message}`) });
}
