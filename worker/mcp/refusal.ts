import type { ErrorCode, HivegateError } from "../../shared/errors.ts";
import { REVISION } from "./mcp-headers.ts";

/** What is not there is the answer to a request that was taken: MCP's clients read no body of another status. */
const TAKEN: ReadonlySet<ErrorCode> = new Set(["unknown_tool", "unknown_prompt", "unknown_resource"]);

/** An error as the answer to an MCP request of this revision. */
export function refusal(
  error: HivegateError,
  { id, version }: { id: string | number | null; version: string | null },
  headers: Record<string, string>,
): Response {
  const wait = error.toBody().retry_after;
  return Response.json(
    { jsonrpc: "2.0", id, error: error.toRpcError() },
    {
      status: statusOf(error, version),
      headers: { ...headers, ...(wait !== undefined && { "retry-after": `${wait}` }) },
    },
  );
}

function statusOf({ code, httpStatus }: HivegateError, version: string | null): number {
  // In 2025 a 404 would say that the session has ended.
  if (code === "unknown_message") return version === REVISION ? 404 : 200;
  return TAKEN.has(code) ? 200 : httpStatus;
}
