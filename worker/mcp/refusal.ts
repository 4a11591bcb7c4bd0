import type { ErrorCode, HivegateError } from "../../shared/errors.ts";

/** What is not there is the answer to a request that was taken: MCP's clients read no body of another status. */
const TAKEN: ReadonlySet<ErrorCode> = new Set(["unknown_tool", "unknown_prompt", "unknown_resource"]);

/** An error as the answer to an MCP request. */
export function refusal(
  error: HivegateError,
  id: string | number | null,
  headers: Record<string, string>,
): Response {
  const wait = error.toBody().retry_after;
  return Response.json(
    { jsonrpc: "2.0", id, error: error.toRpcError() },
    {
      status: TAKEN.has(error.code) ? 200 : error.httpStatus,
      headers: { ...headers, ...(wait !== undefined && { "retry-after": `${wait}` }) },
    },
  );
}
