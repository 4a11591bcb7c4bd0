/** Tools, called over the stream's connection. */
import { HivegateError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import type { GatewayFrame } from "../protocol/gateway.ts";
import { ANSWER_TIMEOUT_MS } from "./answer-timeout.ts";
import type { Answer, Request } from "./answers.ts";
import { errorFromRpc } from "./client-errors.ts";
import {
  type CallListener,
  StreamedCalls,
  type StreamedCallsPorts,
  type ToolResult,
} from "./streamed-calls.ts";

export type CallToolOptions = CallListener & {
  /**
   * The call survives a broken connection, tells what it does (`onChunk`), and is cancelled by its signal. Without it none
   * of these: on a socket the signal ends the waiting alone.
   */
  stream?: boolean;
  /** How long to wait for the result; of a streamed call, for whatever its server says next. */
  timeoutMs?: number;
};

export type ToolsPorts = Pick<StreamedCallsPorts, "clock" | "random" | "resume" | "cancel"> & {
  call(
    frame: { type: "call_tool" } & Request<"call_tool">,
    options?: { timeoutMs: number },
  ): Promise<Answer<"call_tool">>;
};

export class Tools {
  readonly #ports: ToolsPorts;
  readonly #streamed: StreamedCalls;

  constructor(ports: ToolsPorts) {
    this.#ports = ports;
    const start = async (call: Parameters<StreamedCallsPorts["start"]>[0]) =>
      streamOf(await ports.call({ type: "call_tool", ...call }));
    this.#streamed = new StreamedCalls({ ...ports, start });
  }

  /** @throws HivegateError; ToolFailed what its server said; GatewayUnreachable; the reason of `signal` */
  async call(
    tool: string,
    args: Record<string, unknown>,
    { stream = false, timeoutMs, ...listener }: CallToolOptions,
  ): Promise<ToolResult> {
    if (stream)
      return this.#streamed.call(
        { tool, arguments: args, ...(timeoutMs !== undefined && { timeoutMs }) },
        listener,
      );
    listener.signal?.throwIfAborted();
    const waitMs = timeoutMs ?? LIMITS.toolCallMs + ANSWER_TIMEOUT_MS;
    const answer = this.#ports.call({ type: "call_tool", tool, arguments: args }, { timeoutMs: waitMs });
    return resultOf(await unlessAborted(answer, listener.signal));
  }

  /** The connection is there again. */
  resume(): void {
    this.#streamed.resume();
  }

  /** A frame that answers no request. */
  receive(frame: GatewayFrame): void {
    if (frame.type === "tool_chunk") this.#streamed.chunk(frame.chunk);
    else if (frame.type === "tool_lost") this.#streamed.lost(frame.stream_id);
  }

  /** There will be no connection any more. */
  failAll(error: Error): void {
    this.#streamed.failAll(error);
  }
}

const anotherKind = () => new HivegateError("internal", "The gateway's answer is of another kind.");

function streamOf(answer: Answer<"call_tool">): { stream_id: string } {
  if (answer.type === "tool_stream") return answer;
  throw anotherKind();
}

function resultOf(answer: Answer<"call_tool">): ToolResult {
  if (answer.type !== "tool_result") throw anotherKind();
  if (answer.error) throw errorFromRpc(answer.error);
  if (answer.result) return answer.result;
  throw anotherKind();
}

/** The same, or the signal's reason, whichever comes first. */
async function unlessAborted<T>(promise: Promise<T>, signal: AbortSignal | undefined): Promise<T> {
  if (!signal) return promise;
  const { promise: aborted, reject } = Promise.withResolvers<never>();
  const abort = () => reject(signal.reason);
  signal.addEventListener("abort", abort, { once: true });
  try {
    return await Promise.race([promise, aborted]);
  } finally {
    signal.removeEventListener("abort", abort);
  }
}
