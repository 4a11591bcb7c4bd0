import { platformClock } from "../../shared/clock.ts";
import type { Telemetry } from "../../shared/protocol/sidecar.ts";
import type { McpServer, McpServers } from "../mcp/servers.ts";
import { McpRunner } from "../swarm/fallback/mcp-runner.ts";
import { upstreamsOf } from "../swarm/fallback/upstreams.ts";
import { profileOf } from "../swarm/profiles/index.ts";
import { Tasks, type TelemetrySource } from "../swarm/tasks.ts";
import type { TelemetryHub } from "../telemetry/hub.ts";
import { taskStatus } from "../telemetry/profiles.ts";
import type { Ground } from "./ground.ts";

/** The hive's tasks. Whatever becomes of one is told to the telemetry's readers and to the metrics. */
export function openTasks(ground: Ground, servers: McpServers, hub: TelemetryHub): Tasks {
  const { config, ledger, executor, metrics, log } = ground;
  const { mcpTelemetry, mcpFallback, dockerPrimary } = config.enable;
  const mcp = new McpRunner({
    upstreams: () => upstreamsOf(mcpTelemetry || mcpFallback ? servers.all() : []),
    clock: platformClock,
    log,
  });
  if (!dockerPrimary) warnOfNobody(servers, mcp, log);
  return new Tasks({
    ...{ ledger, executor, log, now: Date.now },
    profile: profileOf(config.profile),
    cli: config.cli,
    mcp,
    hybrid: config.enable,
    telemetry: telemetryOf(() => (mcpTelemetry ? servers.primary() : null)),
    telemetryTimeoutMs: config.telemetryTimeoutMs,
    commandTimeoutMs: config.commandTimeoutMs,
    limits: { runningTasks: config.maxRunningTasks },
    onChange: (task) => {
      hub.taskChanged(task);
      metrics.tasks.changed(task);
    },
  });
}

/** Where the swarm's own commands come second, tasks may depend on there being a server that takes them. */
function warnOfNobody(servers: McpServers, mcp: McpRunner, log: Ground["log"]): void {
  let takesTasks = true;
  const look = () => {
    if (mcp.takesTasks === takesTasks) return;
    takesTasks = mcp.takesTasks;
    if (takesTasks) log.info("there is an MCP server that takes tasks again");
    else log.warn("no MCP server that takes tasks is configured, and ENABLE_DOCKER_PRIMARY is false");
  };
  look();
  servers.onChange(look);
}

/** A server of the first pool is asked about tasks; without one there is no telemetry. */
function telemetryOf(primary: () => McpServer | null): TelemetrySource {
  const ask = async (question: (server: McpServer) => Promise<unknown>): Promise<Telemetry> => {
    const server = primary();
    if (!server) return { status: "telemetry_unavailable" };
    return { status: "available", server: server.name, data: await question(server) };
  };
  return {
    taskStatus: (taskId) => ask(({ connection }) => taskStatus(connection, taskId)),
    swarmStatus: () => ask(({ connection }) => connection.call("swarm_status", {})),
  };
}
