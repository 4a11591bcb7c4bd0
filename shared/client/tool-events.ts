/** A tool's streamed call over Server-Sent Events: made once, and read on across broken connections until it has ended. */
import { type Clock, pause } from "../clock.ts";
import { HivegateError } from "../errors.ts";
import { type Backoff, backoffMs } from "../pressure/backoff.ts";
import type { ToolChunk } from "../protocol/tools.ts";
import { errorFromRpc, mayRetry } from "./client-errors.ts";
import { newIdempotencyKey } from "./create-task.ts";
import { readStreamId, readToolChunk } from "./decode.ts";
import { readEvents } from "./event-stream.ts";
import type { CallListener, ToolResult } from "./streamed-calls.ts";

export type ToolEventsPorts = {
  /** Begins the call, or finds what was begun under this key, and reads it from its first chunk. */
  start(idempotencyKey: string, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  /** Reads it after chunk number `after`. */
  resume(streamId: string, after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  cancel(streamId: string): Promise<unknown>;
  clock: Clock;
  random(): number;
};

const RETRY: Backoff = { firstMs: 250, mostMs: 15_000 };

/**
 * The tool's result, at last.
 * @throws HivegateError; ToolFailed what its server said; the reason of `signal`
 */
export async function streamTool(
  ports: ToolEventsPorts,
  { onChunk, signal }: CallListener,
): Promise<ToolResult> {
  const key = newIdempotencyKey();
  let streamId: string | null = null;
  let seen = 0;
  let attempt = 0;
  const open = (either: AbortSignal) =>
    streamId === null ? ports.start(key, either) : ports.resume(streamId, seen, either);
  /** Over one connection. Null: it ended before the call did. */
  const read = async (): Promise<ToolChunk | null> => {
    for await (const { event, data } of readEvents(open, ports.clock, signal)) {
      if (event === "stream") streamId = readStreamId(data);
      const chunk = event === "chunk" ? readToolChunk(data) : null;
      if (!chunk || chunk.seq <= seen) continue;
      seen = chunk.seq;
      attempt = 0;
      onChunk?.(chunk);
      if (chunk.done) return chunk;
    }
    return null;
  };
  /** The last chunk, over as many connections as it takes. */
  const readToEnd = async (): Promise<ToolChunk> => {
    for (; ; attempt++) {
      signal?.throwIfAborted();
      try {
        const last = await read();
        if (last) return last;
      } catch (thrown) {
        if (signal?.aborted || !mayRetry(thrown)) throw thrown;
      }
      await pause(ports.clock, backoffMs(RETRY, attempt, ports.random()), signal);
    }
  };
  const last = await readToEnd().catch((thrown: unknown) => {
    const isRefused = thrown instanceof HivegateError && !signal?.aborted;
    // Nobody has to wait until the gateway has heard of it: a call that nobody reads ends by itself.
    if (streamId !== null && !isRefused) void ports.cancel(streamId).catch(() => {});
    signal?.throwIfAborted();
    throw thrown;
  });
  return resultOf(last);
}

function resultOf({ data }: ToolChunk): ToolResult {
  if ("result" in data) return data.result;
  throw "error" in data ? errorFromRpc(data.error) : new HivegateError("internal");
}
