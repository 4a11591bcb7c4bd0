/** An MCP server whose calls the test answers, and a reader of what streamed calls tell. */
import type { McpAnswer, McpRequest } from "../../../shared/protocol/mcp.ts";
import { ToolChunk } from "../../../shared/protocol/tools.ts";
import { LineSplitter, readLines } from "../../../shared/wire/lines.ts";
import { EventParser } from "../../../shared/wire/sse.ts";
import { ToolStreams } from "../../../sidecar/mcp/streams/streams.ts";
import type { Era, Exchange, Upstream } from "../../../sidecar/mcp/upstream.ts";
import { ManualClock } from "../../support/manual-clock.ts";

export type Call = {
  request: McpRequest;
  exchange: Exchange;
  answer(answer: McpAnswer): void;
  fail(error: Error): void;
  progress(progress: number): void;
};

export function scriptedUpstream({ name = "demo", era = "2025" }: { name?: string; era?: Era } = {}) {
  const calls: Call[] = [];
  const upstream: Upstream = {
    ...{ name, connections: 1 },
    info: async () => ({
      ...{ era, protocolVersion: era === "2025" ? "2025-11-25" : "2026-07-28", capabilities: {} },
      ...{ serverInfo: null, instructions: null },
    }),
    exchange(request, exchange) {
      const { promise, resolve, reject } = Promise.withResolvers<McpAnswer>();
      exchange.signal.addEventListener("abort", () => reject(exchange.signal.reason));
      const progress = (progress: number) =>
        exchange.onNotification?.({ method: "notifications/progress", params: { progress } });
      calls.push({ request, exchange, answer: resolve, fail: reject, progress });
      return promise;
    },
    notify: () => {},
    onNotification: () => () => {},
  };
  return { upstream, calls };
}

export function startStreams(options: { era?: Era } = {}) {
  const clock = new ManualClock();
  const { upstream, calls } = scriptedUpstream(options);
  const streams = new ToolStreams({
    upstream: (name) => (name === upstream.name ? upstream : null),
    uuid: () => crypto.randomUUID(),
    clock,
  });
  return { clock, calls, streams };
}

/** Every chunk until the stream ends, each with the number that its event bears. */
export async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<ToolChunk, void, void> {
  const parser = new EventParser();
  for await (const line of readLines(stream, new LineSplitter(16 * 1024 * 1024, { keepEmpty: true }))) {
    const event = parser.push(line);
    if (!event) continue;
    const chunk = ToolChunk.parse(JSON.parse(event.data));
    if (event.id !== String(chunk.seq)) throw new Error("an event bears another number than its chunk");
    yield chunk;
  }
}

/** Lets promises that are already settled have their say. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
