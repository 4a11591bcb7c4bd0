/** `POST /api/v1/mcp/tools/call`: a call as the older system took it, which goes the way of all calls. */
import type { Context } from "hono";
import { z } from "zod";
import type { Identity } from "../../shared/auth/permission.ts";
import { asHivegateError, type ErrorCode, HivegateError } from "../../shared/errors.ts";
import type { McpAnswer } from "../../shared/protocol/mcp.ts";
import { qualifiedName, splitQualifiedName } from "../../shared/protocol/qualified-name.ts";
import { readFastApiBody } from "../../shared/wire/fastapi-body.ts";
import type { AppPorts } from "../app.ts";
import { bodyOf } from "../mcp/forward.ts";
import { traceOf } from "../mcp/stream-routes.ts";

const Call = z.object({
  server_name: z.string().min(1),
  tool_name: z.string().min(1),
  arguments: z.record(z.string(), z.unknown()).default({}),
});

export type OlderPorts = Pick<AppPorts, "gateway" | "now" | "defer"> & { hive: string; identity: Identity };

export async function callOlderTool(c: Context, ports: OlderPorts): Promise<Response> {
  const { gateway, now, defer, hive, identity } = ports;
  const { server_name, tool_name, arguments: given } = readFastApiBody(Call, await bodyOf(c.req.raw));
  const tool = qualifiedName(server_name, tool_name);
  if (!mayAsk(ports, server_name) || splitQualifiedName(tool)?.server !== server_name)
    throw unknownServer(server_name);
  const atMs = now();
  const outcome = await gateway.toolCalls
    .call({
      ...{ hive, identity, tool, arguments: given, isRequest: true },
      ...{ signal: c.req.raw.signal, defer, ...traceOf(c) },
      cacheControl: c.req.header("cache-control") ?? null,
    })
    .then(({ answer }) => outcomeOf(answer), failed);
  return c.json({ ...outcome, execution_time_ms: now() - atMs, tool_name, server_name });
}

/** @throws HivegateError `forbidden` when no server at all may be asked anything */
export const mayAsk = ({ gateway, identity }: OlderPorts, server: string): boolean =>
  gateway.policy.access(identity).server(server);

export const unknownServer = (name: string): HivegateError =>
  new HivegateError("unknown_server", `Server ${name.slice(0, 200)} not found`);

type Failure = { success: false; result: null; error: string };
type Outcome = { success: true; result: Record<string, unknown>; error: null } | Failure;

const Texts = z.object({ content: z.array(z.object({ text: z.string() }).partial()) });

function outcomeOf(answer: McpAnswer): Outcome {
  if ("error" in answer) return { success: false, result: null, error: answer.error.message };
  const { result } = answer;
  if (result.isError !== true) return { success: true, result, error: null };
  const said = Texts.safeParse(result).data?.content.flatMap(({ text }) => text ?? []) ?? [];
  return { success: false, result: null, error: said.join("\n") || "The tool failed." };
}

/** What went wrong with a tool or its server was an answer. All else is a refusal. */
const IS_ANSWER: ReadonlySet<ErrorCode> = new Set<ErrorCode>([
  ...(["unknown_tool", "mcp_unavailable", "mcp_failed", "circuit_open"] as const),
  ...(["timeout", "not_supported", "unknown_resource"] as const),
]);

export function failed(thrown: unknown): Failure {
  const { code, message } = asHivegateError(thrown);
  if (!IS_ANSWER.has(code)) throw thrown;
  return { success: false, result: null, error: message };
}
