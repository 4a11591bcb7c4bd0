/** The sidecar's streamed calls over a server `demo` whose answers the test gives, when it likes. */
import { randomUUID } from "node:crypto";
import type { Clock } from "../../shared/clock.ts";
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import { ToolStreams } from "../../sidecar/mcp/streams/streams.ts";
import type { Era, Exchange } from "../../sidecar/mcp/upstream.ts";
import { FakeUpstream } from "./fake-upstream.ts";

export type PlayedCall = {
  request: McpRequest;
  exchange: Exchange;
  answer(answer: McpAnswer): void;
  fail(error: Error): void;
  progress(progress: number): void;
};

export function streamedTools(clock: Clock, { era = "2025" }: { era?: Era } = {}) {
  const calls: PlayedCall[] = [];
  const upstream = new FakeUpstream(era, (request, exchange) => {
    const { promise, resolve, reject } = Promise.withResolvers<McpAnswer>();
    const progress = (progress: number) =>
      exchange.onNotification?.({ method: "notifications/progress", params: { progress } });
    calls.push({ request, exchange, answer: resolve, fail: reject, progress });
    return promise;
  });
  const streams = new ToolStreams({
    upstream: (name) => (name === "demo" ? upstream : null),
    uuid: randomUUID,
    clock,
  });
  return { streams, calls };
}
