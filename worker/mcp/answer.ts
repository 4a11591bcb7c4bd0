/** The answer to a call that the gateway itself makes, out of what the sidecar sends. */
import { z } from "zod";
import { ERROR_CODES, ERRORS, type ErrorCode, HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { JsonRpcError, type McpAnswer } from "../../shared/protocol/mcp.ts";
import { LineSplitter, readLines } from "../../shared/wire/lines.ts";
import { EventParser } from "../../shared/wire/sse.ts";

const Answer = z.union([
  z.object({ result: z.record(z.string(), z.unknown()) }),
  z.object({ error: JsonRpcError }),
]);

/**
 * A server's own answer. What comes before it, such as progress, is passed over.
 * @throws HivegateError the sidecar's own, `mcp_failed` when it is none
 */
export async function readAnswer(response: Response): Promise<McpAnswer> {
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  const answer = isStream ? await lastMessage(response) : await response.json().catch(() => null);
  const parsed = Answer.safeParse(answer);
  if (!parsed.success) throw new HivegateError("mcp_failed", undefined, { cause: parsed.error });
  if ("result" in parsed.data) return { result: parsed.data.result };
  const { error } = parsed.data;
  const code = ownCodeOf(error);
  if (code !== null) throw new HivegateError(code, error.message);
  return { error };
}

/** What is between us and the server, and fails, says so by both codes. A server that does the same means the same. */
function ownCodeOf({ code, data }: z.infer<typeof JsonRpcError>): ErrorCode | null {
  const own = OwnData.safeParse(data);
  if (!own.success) return null;
  const { rpc, http } = ERRORS[own.data.code];
  return rpc === code && (http >= 500 || own.data.code === "unknown_server") ? own.data.code : null;
}

const OwnData = z.object({ code: z.enum(ERROR_CODES) });

async function lastMessage({ body }: Response): Promise<unknown> {
  const parser = new EventParser();
  let last: unknown = null;
  if (!body) return last;
  for await (const line of readLines(body, new LineSplitter(LIMITS.mcpLineBytes, { keepEmpty: true }))) {
    const event = parser.push(line);
    if (event?.data) last = JSON.parse(event.data);
  }
  return last;
}
