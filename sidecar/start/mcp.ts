/** What clients reach of MCP: each server, all as one, their tools, and calls that are streamed. */
import { randomUUID } from "node:crypto";
import { platformClock } from "../../shared/clock.ts";
import { type McpFront, mcpFront } from "../mcp/front.ts";
import type { McpServers } from "../mcp/servers.ts";
import { ToolStreams } from "../mcp/streams/streams.ts";
import { tracedUpstreams } from "../trace/traced-upstream.ts";
import { createTracer } from "../trace/tracer.ts";
import type { Ground } from "./ground.ts";

export type McpPart = {
  front: McpFront;
  toolStreams: ToolStreams;
  /** Ends what clients have open. The servers are not this one's to close. */
  close(): void;
  /** Sends what is known of calls to the collector of traces. */
  flushTraces(): Promise<void>;
};

/** `version` is the gateway's, as clients are told it. */
export function openMcp({ config, metrics, log }: Ground, servers: McpServers, version: string): McpPart {
  const tracer = createTracer(config.traces, version, log);
  const upstream = tracedUpstreams((name) => servers.upstream(name), tracer);
  const toolStreams = new ToolStreams({ upstream, clock: platformClock, uuid: randomUUID });
  const front = mcpFront({
    ...{ servers, upstream },
    clock: platformClock,
    ...{ version, log },
  });
  metrics.watchMcp(front);
  metrics.watchToolStreams(toolStreams);
  return {
    ...{ front, toolStreams },
    close: () => {
      toolStreams.close();
      front.close();
    },
    flushTraces: () => tracer.flush(),
  };
}
