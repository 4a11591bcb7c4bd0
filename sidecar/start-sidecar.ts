/** Puts the sidecar together: ledger, executor, MCP connections, telemetry and the signed HTTP server. */
import { randomUUID } from "node:crypto";
import type { Server } from "node:http";
import { resolve } from "node:path";
import { createAdaptorServer } from "@hono/node-server";
import Dockerode from "dockerode";
import manifest from "../package.json" with { type: "json" };
import { platformClock } from "../shared/clock.ts";
import { LIMITS } from "../shared/limits.ts";
import type { Telemetry } from "../shared/protocol/sidecar.ts";
import type { Config } from "./config.ts";
import { HybridHealthCheck } from "./health/hybrid.ts";
import { kept } from "./health/kept.ts";
import { Lookout } from "./health/lookout.ts";
import { MemoryWatch } from "./health/memory.ts";
import type { RefusalCounts } from "./http/authenticate.ts";
import { macKeys } from "./http/keys.ts";
import { createLogger, type Logger } from "./log.ts";
import { breakerRules } from "./mcp/breaker-rules.ts";
import { mcpFront } from "./mcp/front.ts";
import { type McpServer, McpServers } from "./mcp/servers.ts";
import { ToolStreams } from "./mcp/streams/streams.ts";
import { SidecarMetrics } from "./metrics/metrics.ts";
import { observedExecutor } from "./metrics/observed-executor.ts";
import { RelayAudit } from "./relay/audit.ts";
import { RelayMetrics } from "./relay/metrics.ts";
import { Orchestrators } from "./relay/orchestrators.ts";
import { RelayServer } from "./relay/relay-server.ts";
import { createServer } from "./server.ts";
import { createDockerExecutor } from "./swarm/docker/executor.ts";
import { GuardedExecutor } from "./swarm/docker/guarded-executor.ts";
import { type WatchContainer, watchNothing, watchStats } from "./swarm/docker/stats.ts";
import type { Executor } from "./swarm/executor.ts";
import { McpRunner } from "./swarm/fallback/mcp-runner.ts";
import { upstreamsOf } from "./swarm/fallback/upstreams.ts";
import { Ledger } from "./swarm/ledger.ts";
import { createProcessExecutor } from "./swarm/process/executor.ts";
import { profileOf } from "./swarm/profiles/index.ts";
import { Tasks, type TelemetrySource } from "./swarm/tasks.ts";
import { withinMs } from "./swarm/tasks-deadline.ts";
import { sourcesOf } from "./telemetry/collectors.ts";
import { TelemetryHub } from "./telemetry/hub.ts";
import { taskStatus } from "./telemetry/profiles.ts";
import { tracedUpstreams } from "./trace/traced-upstream.ts";
import { createTracer } from "./trace/tracer.ts";

const MCP_CALL_TIMEOUT_MS = 5_000;
/** A request that takes longer than this to arrive is broken off. */
const REQUEST_TIMEOUT_MS = 30_000;
/** How long open answers may take to end when the sidecar stops. */
const DRAIN_MS = 1_000;
/** How long the processes of MCP servers may take to end then: those that hang are killed, in containers by another process. */
const SERVERS_END_MS = 2_500;
/** How long the swarm may take to show that it is up, and how long that is believed when metrics are asked for. */
const HEALTH_MS = 500;
const HEALTH_KEPT_MS = 1_000;

/** The sidecar cannot start: one line for the one who started it. */
export class StartError extends Error {}

export type Sidecar = {
  port: number;
  /** How many requests were not let in, by reason. */
  refusals: Readonly<RefusalCounts>;
  /** Ends streams and connections; running tasks go on. Takes five seconds at most. */
  close(): Promise<void>;
};

/**
 * Starts a sidecar; it listens when this resolves, and knows again what became of its tasks.
 * @throws StartError
 */
export async function startSidecar(
  config: Config,
  deps: { executor?: Executor; log?: Logger } = {},
): Promise<Sidecar> {
  const log = deps.log ?? createLogger({ level: config.logLevel });
  const now = Date.now;
  const opened = openState(config, deps.executor);
  const { ledger } = opened;
  const metrics = new SidecarMetrics({ hive: config.hive, method: opened.executor.method });
  const observed = observedExecutor(opened.executor, metrics.command);
  const guard = guardOf(config, observed, ledger, log);
  const executor = guard ?? observed;
  const { mcpTelemetry, mcpFallback } = config.enable;
  const servers = new McpServers(config.mcpServers, {
    callTimeoutMs: MCP_CALL_TIMEOUT_MS,
    rules: breakerRules(config.breaker),
    breakers: ledger.breakers(log),
    observe: metrics.mcpRequest,
    docker: {
      docker: new Dockerode({ socketPath: config.dockerSocket }),
      allowed: config.allowedContainers,
    },
    random: Math.random,
    ...{ log, now },
  });
  const sources = sourcesOf(mcpTelemetry ? servers.pools() : [], {
    ...{ timeoutMs: MCP_CALL_TIMEOUT_MS, log, clock: platformClock },
  });
  const hub = new TelemetryHub({
    sources: sources.map(({ collector }) => metrics.observedSource(collector)),
    watchContainer: containerWatch(config, log),
    tasks: ledger.list(),
    epoch: randomUUID(),
    ...{ log, now },
  });
  const tasks = new Tasks({
    ...{ ledger, executor, log, now },
    profile: profileOf(config.profile),
    cli: config.cli,
    mcp: new McpRunner({
      upstreams: upstreamsOf(mcpTelemetry || mcpFallback ? servers.all() : []),
      clock: platformClock,
      log,
    }),
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
  const memory = new MemoryWatch({
    measure: () => {
      const { rss, heapUsed } = process.memoryUsage();
      return { rss_bytes: rss, heap_used_bytes: heapUsed };
    },
    limitBytes: LIMITS.sidecarMemoryBytes,
    log,
  });
  const health = new HybridHealthCheck({
    memory: () => memory.memory,
    executorHealth: () => executor.health(),
    circuit: () => guard?.circuit ?? null,
    mcpEnabled: mcpTelemetry,
    servers: config.mcpServers.filter((server) => server.type === "tcp"),
    orchestratorUrls: () => orchestrators.urls,
    orchestratorToken: config.orchestrator.token,
    healthUrl: config.healthUrl,
    ...{ log, now },
  });
  const lookout = new Lookout({
    pools: sources.map(({ pool }) => pool),
    servers: sources.flatMap(({ pool }) =>
      servers
        .all()
        .filter((server) => server.pool === pool.name)
        .map((server) => ({ ...server, source: pool.source })),
    ),
    swarms: () => tasks.swarmsByCommand(),
    executorHealth: () => executor.health(),
    container: () => hub.container,
    now,
  });
  const relayMetrics = new RelayMetrics();
  const audit = openAudit(config, relayMetrics, log);
  const orchestrators = new Orchestrators({
    urls: config.orchestratorUrls,
    rules: config.orchestrator,
    breakers: ledger.breakers(log),
    metrics: relayMetrics,
    ...{ audit, clock: platformClock, random: Math.random, log },
  });
  const { version } = manifest;
  const tracer = createTracer(config.traces, version, log);
  const upstream = tracedUpstreams((name) => servers.upstream(name), tracer);
  const toolStreams = new ToolStreams({
    upstream,
    clock: platformClock,
    uuid: randomUUID,
  });
  const mcp = mcpFront({
    servers: { upstream },
    configs: config.mcpServers,
    version,
    clock: platformClock,
    log,
  });
  const { app, refusals, checkUpgrade } = createServer({
    auth: { keys: macKeys(config.keys), hive: config.hive, now },
    tasks,
    health: health.check,
    telemetry: hub,
    lookout,
    orchestrators,
    toolStreams,
    mcp,
    metrics: { scrape: () => metrics.scrape(), token: config.metricsToken },
    log,
  });
  metrics.tasks.restore(ledger.unfinished().map(({ task }) => task));
  metrics.watchMcp(mcp);
  metrics.watchToolStreams(toolStreams);
  const relayed = () => orchestrators.answer().orchestrators;
  metrics.watchRelay({ counts: relayMetrics, orchestrators: relayed });
  metrics.watchState({
    swarmIsUp: kept(() => isUp(executor), HEALTH_KEPT_MS, now),
    circuits: () => [
      ...servers.all().map(({ name, connection }) => [`mcp:${name}`, connection.circuit] as const),
      ...(guard ? [["docker", guard.circuit] as const] : []),
      ...relayed().map(({ url, circuit }) => [`orchestrator:${url}`, circuit] as const),
    ],
    servers: () => sources.flatMap(({ collector }) => collector.servers()),
    telemetry: hub,
    ...{ refusals, now },
  });
  const relay = new RelayServer({
    ...{ orchestrators, checkUpgrade, clock: platformClock, metrics: relayMetrics, audit, log },
  });
  const server = createHttpServer(app.fetch);
  server.on("upgrade", (request, socket, head) => void relay.upgrade(request, socket, head));

  const close = async (): Promise<void> => {
    const closed = new Promise<void>((done) => server.close(() => done()));
    // The executor first: output that it delivered to tasks let go of would be lost.
    const executorClosed = executor.close();
    tasks.close();
    hub.close();
    toolStreams.close();
    mcp.close();
    await Promise.all([withinMs(closed, DRAIN_MS, undefined), relay.close()]);
    server.closeAllConnections();
    await withinMs(servers.close(), SERVERS_END_MS, undefined);
    await withinMs(tracer.flush(), DRAIN_MS, undefined);
    await executorClosed;
    memory.close();
    ledger.close();
  };
  try {
    await warnIfDown(executor, log);
    await tasks.recover();
    const port = await listen(server, config);
    return { port, refusals, close };
  } catch (thrown) {
    await close();
    throw thrown;
  }
}

function containerWatch(config: Config, log: Logger): WatchContainer {
  if (config.executor === "process") return watchNothing;
  return watchStats({
    docker: new Dockerode({ socketPath: config.dockerSocket }),
    container: config.container,
    allowed: config.allowedContainers,
    ...{ clock: platformClock, random: Math.random, log },
  });
}

function openAudit(config: Config, metrics: RelayMetrics, log: Logger): RelayAudit {
  try {
    const file = resolve(config.stateDir, "relay-audit.jsonl");
    return new RelayAudit({ file, withContent: config.auditContent, now: Date.now, metrics, log });
  } catch (cause) {
    throw new StartError(`SIDECAR_STATE_DIR: ${cause instanceof Error ? cause.message : cause}`, { cause });
  }
}

function openState(config: Config, given: Executor | undefined): { ledger: Ledger; executor: Executor } {
  try {
    const executor = given ?? executorFor(config);
    return { executor, ledger: new Ledger(config.stateDir) };
  } catch (cause) {
    const why = cause instanceof Error ? cause.message : String(cause);
    throw new StartError(`SIDECAR_STATE_DIR: ${why}`, { cause });
  }
}

function executorFor(config: Config): Executor {
  if (config.executor === "process") {
    const cwd = config.workdir === null ? {} : { cwd: config.workdir };
    return createProcessExecutor({
      stateDir: resolve(config.stateDir, "processes"),
      env: config.swarmEnv,
      ...cwd,
    });
  }
  return createDockerExecutor({
    docker: new Dockerode({ socketPath: config.dockerSocket }),
    container: config.container,
    allowed: config.allowedContainers,
    commandTimeoutMs: config.commandTimeoutMs,
    ...(config.workdir === null ? {} : { workdir: config.workdir }),
  });
}

/** Docker is behind a circuit breaker; processes of this host do not go away by themselves. */
function guardOf(config: Config, executor: Executor, ledger: Ledger, log: Logger): GuardedExecutor | null {
  if (executor.method !== "docker-exec") return null;
  return new GuardedExecutor({
    executor,
    name: `docker:${config.container}@${config.dockerSocket}`,
    breakers: ledger.breakers(log),
    clock: platformClock,
    random: Math.random,
    log,
  });
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

const isUp = async (executor: Executor): Promise<boolean> =>
  (await withinMs(executor.health(), HEALTH_MS, { running: false, details: {} })).running;

/** A swarm that is down does not keep the sidecar from starting: its health says so, and it may come up. */
async function warnIfDown(executor: Executor, log: Logger): Promise<void> {
  const { running, details } = await executor.health();
  if (!running) log.warn({ details }, "the swarm cannot be reached yet");
}

function createHttpServer(fetch: Parameters<typeof createAdaptorServer>[0]["fetch"]): Server {
  const server = createAdaptorServer({ fetch, serverOptions: { requestTimeout: REQUEST_TIMEOUT_MS } });
  if (!("closeAllConnections" in server)) throw new Error("an HTTP/1 server was asked for");
  server.maxConnections = LIMITS.sidecarConnections;
  return server;
}

function listen(server: Server, { host, port }: Config): Promise<number> {
  return new Promise((listening, reject) => {
    server.once("error", (cause: NodeJS.ErrnoException) => {
      const isBusy = cause.code === "EADDRINUSE";
      const why = isBusy ? "is in use: free it, or set SIDECAR_PORT" : `cannot be used: ${cause.code}`;
      reject(new StartError(`port ${port} on ${host} ${why}`, { cause }));
    });
    server.listen(port, host, () => {
      const address = server.address();
      listening(typeof address === "object" && address ? address.port : port);
    });
  });
}
