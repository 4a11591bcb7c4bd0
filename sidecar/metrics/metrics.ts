/** The sidecar's metrics. Nothing is global: each sidecar has a registry of its own. */
import { Counter, collectDefaultMetrics, Registry } from "prom-client";
import type { AlertKind } from "../alerts.ts";
import type { McpFront } from "../mcp/front.ts";
import type { ToolStreams } from "../mcp/streams/streams.ts";
import type { Executor } from "../swarm/executor.ts";
import type { CollectorNews, TelemetrySource } from "../telemetry/hub.ts";
import { type CallCounts, countCalls } from "./call-metrics.ts";
import { type ConfigSources, countAlerts, watchConfigs } from "./config-metrics.ts";
import { watchMcp } from "./mcp-metrics.ts";
import type { ObserveCommand } from "./observed-executor.ts";
import { type RelaySources, watchRelay } from "./relay-metrics.ts";
import { type StateSources, watchState } from "./state-metrics.ts";
import { TaskMetrics } from "./task-metrics.ts";
import { watchToolStreams } from "./tool-stream-metrics.ts";

export type MetricsOptions = {
  hive: string;
  /** What runs the swarm's commands. */
  method: Executor["method"];
};

const POLL_OUTCOMES = ["ok", "failed"];

export class SidecarMetrics {
  readonly tasks: TaskMetrics;
  readonly alert: (kind: AlertKind) => void;
  readonly #registry = new Registry();
  readonly #method: Executor["method"];
  readonly #commands: CallCounts<"method" | "kind">;
  readonly #mcp: CallCounts<"server">;
  readonly #polls: Counter;

  constructor({ hive, method }: MetricsOptions) {
    this.#method = method;
    this.#registry.setDefaultLabels({ hive });
    collectDefaultMetrics({ register: this.#registry });
    this.tasks = new TaskMetrics(this.#registry, [method, "mcp-fallback"]);
    this.alert = countAlerts(this.#registry);
    this.#commands = countCalls(this.#registry, {
      name: "hivegate_swarm_command",
      what: "Commands where the swarm lives (run: short ones, start: a task's)",
      labels: ["method", "kind"],
    });
    this.#mcp = countCalls(this.#registry, {
      name: "hivegate_mcp_request",
      what: "Requests to MCP servers",
      labels: ["server"],
    });
    this.#polls = new Counter({
      name: "hivegate_mcp_polls_total",
      help: "Times that a pool of MCP servers was asked about its agents, by outcome: ok or failed.",
      labelNames: ["pool", "outcome"],
      registers: [this.#registry],
    });
  }

  readonly command: ObserveCommand = (kind, outcome, durationMs) =>
    this.#commands.observe({ method: this.#method, kind }, outcome, durationMs);

  readonly mcpRequest = (server: string, outcome: string, durationMs: number): void =>
    this.#mcp.observe({ server }, outcome, durationMs);

  /** It is not configured any more. */
  forgetServer(server: string): void {
    this.#mcp.forget({ server });
  }

  /** The same source; its polls are counted as they come in. */
  observedSource(source: TelemetrySource): TelemetrySource {
    const { pool } = source;
    const count = ({ report }: CollectorNews) => this.#polls.inc({ pool, outcome: report ? "ok" : "failed" });
    for (const outcome of POLL_OUTCOMES) this.#polls.inc({ pool, outcome }, 0);
    return {
      pool,
      servers: () => source.servers(),
      watch: (intervalMs, tell) =>
        source.watch(intervalMs, (news) => {
          count(news);
          tell(news);
        }),
    };
  }

  /** None of its servers is configured any more. */
  forgetPool(pool: string): void {
    for (const outcome of POLL_OUTCOMES) this.#polls.remove({ pool, outcome });
  }

  /** Call it once. */
  watchState(sources: StateSources): void {
    watchState(this.#registry, sources);
  }

  /** Call it once. */
  watchRelay(sources: RelaySources): void {
    watchRelay(this.#registry, sources);
  }

  /** Call it once. */
  watchMcp(front: Pick<McpFront, "figures">): void {
    watchMcp(this.#registry, front);
  }

  /** Call it once. */
  watchConfigs(sources: ConfigSources): void {
    watchConfigs(this.#registry, sources);
  }

  /** Call it once. */
  watchToolStreams(streams: Pick<ToolStreams, "figures">): void {
    watchToolStreams(this.#registry, streams);
  }

  /** Prometheus text, format 0.0.4. */
  scrape(): Promise<string> {
    return this.#registry.metrics();
  }
}
