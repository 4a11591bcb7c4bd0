import { Gauge, type Registry } from "prom-client";
import type { McpFront } from "../mcp/front.ts";

/** Read when somebody asks for the metrics: calls cost no more for it. */
export function watchMcp(registry: Registry, { figures }: Pick<McpFront, "figures">): void {
  const registers = [registry];
  new Gauge({
    name: "hivegate_mcp_open",
    help: "What MCP clients have open: sessions, requests under way, streams, calls that wait for the client's answer, watched resources.",
    labelNames: ["what"],
    registers,
    collect() {
      for (const [what, count] of Object.entries(figures().open)) this.set({ what }, count);
    },
  });
  new Gauge({
    name: "hivegate_mcp_session_bytes",
    help: "Events that are kept for MCP clients that may come back for them.",
    registers,
    collect() {
      this.set(figures().eventBytes);
    },
  });
  new Gauge({
    name: "hivegate_mcp_tools",
    help: "Tools of each MCP server, as it was listed last; nothing before that.",
    labelNames: ["server"],
    registers,
    collect() {
      this.reset();
      for (const { server, tools } of figures().servers) if (tools !== null) this.set({ server }, tools);
    },
  });
}
