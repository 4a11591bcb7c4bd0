import { Gauge, type Registry } from "prom-client";
import type { ToolStreams } from "../mcp/streams/streams.ts";

/** Read when somebody asks for the metrics. */
export function watchToolStreams(registry: Registry, { figures }: Pick<ToolStreams, "figures">): void {
  const registers = [registry];
  new Gauge({
    name: "hivegate_tool_streams",
    help: "Streamed calls of tools: under way, over and kept, and who reads them.",
    labelNames: ["what"],
    registers,
    collect() {
      const { underWay, kept, readers } = figures();
      this.set({ what: "under_way" }, underWay);
      this.set({ what: "kept" }, kept);
      this.set({ what: "readers" }, readers);
    },
  });
  new Gauge({
    name: "hivegate_tool_stream_bytes",
    help: "What streamed calls of tools told, and is kept for their readers.",
    registers,
    collect() {
      this.set(figures().bytes);
    },
  });
}
