/** The answer to a call that the gateway itself makes, out of what the sidecar sends. */
import { z } from "zod";
import { ERROR_CODES, ERRORS, type ErrorCode, HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { JsonRpcError, type McpAnswer } from "../../shared/protocol/mcp.ts";
import { LineSplitter, readLines } from "../../shared/wire/lines.ts";
import { EventParser } from "../../shared/wire/sse.ts";
import { brokenOff } from "../sidecar-client.ts";

const Answer = z.union([
  z.object({ result: z.record(z.string(), z.unknown()) }),
  z.object({ error: JsonRpcError }),
]);

/**
 * A server's own answer. What comes before it, such as progress, is passed over.
 * @param signal what the request was sent with
 * @throws HivegateError the sidecar's own, `mcp_failed` when it is none, and as `brokenOff`
 */
export async function readAnswer(response: Response, signal: AbortSignal): Promise<McpAnswer> {
  const isStream = response.headers.get("content-type")?.startsWith("text/event-stream");
  const text = await (isStream ? lastMessage(response) : response.text()).catch((cause) => {
    throw brokenOff(signal, cause);
  });
  const parsed = Answer.safeParse(jsonIn(text));
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

async function lastMessage({ body }: Response): Promise<string> {
  const parser = new EventParser();
  let last = "";
  if (!body) return last;
  for await (const line of readLines(body, new LineSplitter(LIMITS.mcpLineBytes, { keepEmpty: true }))) {
    const event = parser.push(line);
    if (event?.data) last = event.data;
  }
  return last;
}

function jsonIn(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return null;
  }
}
