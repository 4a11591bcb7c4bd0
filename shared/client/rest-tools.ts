/** Tools, called over HTTP. */
import type { Clock } from "../clock.ts";
import { HivegateError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { ANSWER_TIMEOUT_MS } from "./answer-timeout.ts";
import { errorFromRpc } from "./client-errors.ts";
import type { GatewayHttp } from "./http.ts";
import type { ToolResult } from "./streamed-calls.ts";
import { streamTool } from "./tool-events.ts";
import type { CallToolOptions } from "./tools.ts";

export type RestToolsPorts = {
  http: GatewayHttp;
  /** Where the hive's tools are. */
  path: string;
  clock: Clock;
  random(): number;
};

/** @throws HivegateError; ToolFailed what its server said; GatewayUnreachable; the reason of `signal` */
export async function callTool(
  ports: RestToolsPorts,
  tool: string,
  args: Record<string, unknown>,
  { stream = false, timeoutMs, ...listener }: CallToolOptions,
): Promise<ToolResult> {
  const { http, path } = ports;
  const toolPath = `${path}/${encodeURIComponent(tool)}`;
  if (stream) return streamTool(streamPorts(ports, toolPath, args, timeoutMs), listener);
  listener.signal?.throwIfAborted();
  const answering = http.json<{ result?: ToolResult; error?: RpcError }>("POST", toolPath, {
    body: args,
    isAnswer: isServersError,
    timeoutMs: timeoutMs ?? LIMITS.toolCallMs + ANSWER_TIMEOUT_MS,
    signal: listener.signal,
  });
  const answer = await answering.catch((thrown: unknown) => {
    listener.signal?.throwIfAborted();
    throw thrown;
  });
  if (answer.error) throw errorFromRpc(answer.error);
  if (answer.result) return answer.result;
  throw new HivegateError("internal", "The gateway's answer is of another kind.");
}

type RpcError = { code: number; message: string; data?: unknown };

/** What a tool's server answered is told beside our own error. */
const isServersError = (body: unknown): boolean =>
  typeof body === "object" && body !== null && "error" in body && typeof body.error === "object";

function streamPorts(
  { http, path, clock, random }: RestToolsPorts,
  toolPath: string,
  args: Record<string, unknown>,
  timeoutMs: number | undefined,
): Parameters<typeof streamTool>[0] {
  const events = { accept: "text/event-stream" };
  const streamPath = (streamId: string) => `${path}/streams/${streamId}`;
  const query = timeoutMs === undefined ? "stream=1" : `stream=1&timeoutMs=${timeoutMs}`;
  return {
    start(idempotencyKey, signal) {
      const headers = { ...events, "content-type": "application/json", "idempotency-key": idempotencyKey };
      return http.stream(`${toolPath}?${query}`, headers, signal, { body: args });
    },
    resume: (streamId, after, signal) =>
      http.stream(streamPath(streamId), { ...events, "last-event-id": String(after) }, signal),
    cancel: (streamId) => http.json("DELETE", streamPath(streamId)),
    ...{ clock, random },
  };
}
