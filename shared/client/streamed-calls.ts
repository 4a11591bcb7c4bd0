/** Tools whose calls are streamed: each is made once, and read from the last chunk seen whenever the way there was lost. */
import type { Clock } from "../clock.ts";
import { HivegateError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type Backoff, backoffMs } from "../pressure/backoff.ts";
import type { CallToolRequest } from "../protocol/client.ts";
import type { ToolChunk } from "../protocol/tools.ts";
import { errorFromRpc, GatewayUnreachable, mayRetry } from "./client-errors.ts";
import { createOnce, newIdempotencyKey } from "./create-task.ts";

export type ToolResult = Record<string, unknown>;
export type StreamedCall = Pick<CallToolRequest, "tool" | "arguments" | "timeoutMs">;

export type CallListener = {
  /** Each chunk once and in order, the last one too. What it throws the call is cancelled for, and rejected with. */
  onChunk?: ((chunk: ToolChunk) => void) | undefined;
  /** Aborting it cancels the call. */
  signal?: AbortSignal | undefined;
};

export type StreamedCallsPorts = {
  clock: Clock;
  random(): number;
  start(
    call: StreamedCall & { id: string; stream: true; idempotencyKey: string },
  ): Promise<{ stream_id: string }>;
  /** Asks the gateway for a call's chunks after number `after`. */
  resume(streamId: string, after: number): Promise<unknown>;
  cancel(streamId: string): void;
};

type Call = {
  listener: CallListener;
  resolve(result: ToolResult): void;
  reject(reason: unknown): void;
  /** Null: nobody knows yet whether it was made. */
  streamId: string | null;
  seen: number;
  attempt: number;
  /** Nobody wants its result any more. */
  isAbandoned: boolean;
  cancelRetry(): void;
  onAbort(): void;
};

const RETRY: Backoff = { firstMs: 500, mostMs: 15_000 };

export class StreamedCalls {
  readonly #ports: StreamedCallsPorts;
  /** By the id that comes back in their chunks: these may come before it is heard what the stream is called. */
  readonly #calls = new Map<string, Call>();

  constructor(ports: StreamedCallsPorts) {
    this.#ports = ports;
  }

  /**
   * The tool's result, at last.
   * @throws HivegateError; ToolFailed what its server said; the reason of `signal`
   */
  call(request: StreamedCall, listener: CallListener): Promise<ToolResult> {
    return new Promise((resolve, reject) => {
      listener.signal?.throwIfAborted();
      if (this.#calls.size >= LIMITS.toolStreamsPerSession) throw new HivegateError("overloaded");
      const id = newIdempotencyKey();
      const call: Call = {
        ...{ listener, resolve, reject, streamId: null, seen: 0, attempt: 0, isAbandoned: false },
        cancelRetry: () => {},
        onAbort: () => this.#abandon(id, call, listener.signal?.reason),
      };
      this.#calls.set(id, call);
      listener.signal?.addEventListener("abort", call.onAbort);
      void this.#start(id, call, request);
    });
  }

  /** The connection is there again. */
  resume(): void {
    for (const [id, call] of this.#calls) void this.#ask(id, call);
  }

  chunk(chunk: ToolChunk): void {
    const { id, seq, data } = chunk;
    const call = typeof id === "string" ? this.#calls.get(id) : undefined;
    if (!call || typeof id !== "string" || seq <= call.seen) return;
    call.seen = seq;
    call.attempt = 0;
    if (chunk.done) this.#end(id, call);
    try {
      call.listener.onChunk?.(chunk);
    } catch (thrown) {
      this.#abandon(id, call, thrown);
    }
    if ("result" in data) call.resolve(data.result);
    else if ("error" in data) call.reject(errorFromRpc(data.error));
  }

  /** The gateway sends no more, though the last chunk has not come. */
  lost(streamId: string): void {
    for (const [id, call] of this.#calls) if (call.streamId === streamId) this.#retry(id, call);
  }

  /** No chunk will come any more. */
  failAll(error: Error): void {
    for (const [id, call] of this.#calls) this.#fail(id, call, error);
  }

  async #start(id: string, call: Call, request: StreamedCall): Promise<void> {
    try {
      const once = { ...request, id, stream: true as const, idempotencyKey: id };
      const { stream_id } = await createOnce(once, (frame) => this.#ports.start(frame), this.#ports);
      call.streamId = stream_id;
      if (call.isAbandoned) this.#ports.cancel(stream_id);
    } catch (thrown) {
      this.#fail(id, call, thrown);
    }
  }

  async #ask(id: string, call: Call): Promise<void> {
    call.cancelRetry();
    if (call.streamId === null) return;
    try {
      await this.#ports.resume(call.streamId, call.seen);
    } catch (thrown) {
      // Without a connection there is nothing to do: `resume` asks again.
      if (thrown instanceof GatewayUnreachable) return;
      if (mayRetry(thrown)) this.#retry(id, call);
      else this.#fail(id, call, thrown);
    }
  }

  #retry(id: string, call: Call): void {
    call.cancelRetry();
    if (this.#calls.get(id) !== call) return;
    const delayMs = backoffMs(RETRY, call.attempt++, this.#ports.random());
    call.cancelRetry = this.#ports.clock.after(delayMs, () => void this.#ask(id, call));
  }

  #abandon(id: string, call: Call, reason: unknown): void {
    call.isAbandoned = this.#calls.has(id);
    if (call.isAbandoned && call.streamId !== null) this.#ports.cancel(call.streamId);
    this.#fail(id, call, reason);
  }

  #fail(id: string, call: Call, reason: unknown): void {
    this.#end(id, call);
    call.reject(reason);
  }

  #end(id: string, call: Call): void {
    call.cancelRetry();
    call.listener.signal?.removeEventListener("abort", call.onAbort);
    this.#calls.delete(id);
  }
}
