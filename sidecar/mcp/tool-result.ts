import { z } from "zod";
import { HivegateError } from "../../shared/errors.ts";
import { ToolResult } from "../../shared/protocol/mcp.ts";
import { parseJson } from "../../shared/wire/json.ts";
import { UnreadableAnswer } from "./unreadable-answer.ts";

/**
 * The data in the answer to `tools/call`: the structured content, else the JSON in the first text, else that
 * text itself, else null. What the server says of a failure is the error's cause: it is for the log alone,
 * since servers put paths and addresses into it.
 * @throws HivegateError `mcp_failed` when the tool failed, by `isError` or by `success: false` in its data, or
 * is none of the server's
 */
export function toolData(result: unknown): unknown {
  const parsed = ToolResult.safeParse(result);
  if (!parsed.success) throw new UnreadableAnswer(parsed.error);
  const text = parsed.data.content.find((part) => part.type === "text")?.text;
  const data = parsed.data.structuredContent ?? (text === undefined ? null : jsonOrText(text));
  if (parsed.data.isError) throw failed(text ?? "the tool failed without a word");
  // Some servers report a failure inside a result that counts as a success for the protocol.
  if (saysItFailed(data))
    throw failed(typeof data.error === "string" ? data.error : "the tool says that it failed");
  if (standsForNoTool(data)) throw failed("there is no such tool");
  return data;
}

function jsonOrText(text: string): unknown {
  try {
    return parseJson(text);
  } catch {
    return text;
  }
}

const saysItFailed = (data: unknown): data is { success: false; error?: unknown } =>
  typeof data === "object" && data !== null && "success" in data && data.success === false;

const NoTool = z.object({ tool: z.string(), message: z.string() });

/** claude-flow 2 says of every tool that it does not have: "Tool NAME executed successfully". */
function standsForNoTool(data: unknown): boolean {
  const answer = NoTool.safeParse(data);
  return answer.success && answer.data.message === `Tool ${answer.data.tool} executed successfully`;
}

const failed = (reason: string): HivegateError =>
  new HivegateError("mcp_failed", undefined, { cause: new Error(reason) });
