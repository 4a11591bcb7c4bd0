/** Puts the sidecar together: ledger, executor, MCP connections, telemetry and the signed HTTP server. */
import manifest from "../package.json" with { type: "json" };
import type { Config } from "./config.ts";
import type { RefusalCounts } from "./http/authenticate.ts";
import { macKeys } from "./http/keys.ts";
import { createLogger, type Logger } from "./log.ts";
import type { McpServers } from "./mcp/servers.ts";
import { createServer } from "./server.ts";
import { openConfigPart } from "./start/configs.ts";
import { type Ground, openGround } from "./start/ground.ts";
import { openHealth, watchState } from "./start/health.ts";
import { createHttpServer, listen } from "./start/http.ts";
import { openMcp } from "./start/mcp.ts";
import { openRelay } from "./start/relay.ts";
import { openServers } from "./start/servers.ts";
import { openTasks } from "./start/tasks.ts";
import { openTelemetry } from "./start/telemetry.ts";
import type { Executor } from "./swarm/executor.ts";
import { withinMs } from "./swarm/tasks-deadline.ts";

/** How long open answers may take to end when the sidecar stops. */
const DRAIN_MS = 1_000;
/** How long a change of the configuration may take to end then. */
const CONFIGS_END_MS = 400;
/** How long the processes of MCP servers may take to end then: those that hang are killed, in containers by another process. */
const SERVERS_END_MS = 2_500;

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
  const ground = openGround(config, deps.executor, log);
  const { ledger, executor, metrics } = ground;
  const { orchestrators, serve } = openRelay(ground);
  const servers = openServers(ground);
  const { configs, ...configPart } = await openConfigPart(ground, servers).catch((thrown: unknown) =>
    giveUp(ground, servers, thrown),
  );
  const telemetry = openTelemetry(ground, servers);
  const { hub } = telemetry;
  hub.watchConfigs(configs);
  const tasks = openTasks(ground, servers, hub);
  const watched = { servers, telemetry, tasks, orchestrators };
  const health = openHealth(ground, watched);
  const mcp = openMcp(ground, servers, manifest.version);
  const { app, refusals, checkUpgrade } = createServer({
    auth: { keys: macKeys(config.keys), hive: config.hive, now: Date.now },
    health: health.check,
    lookout: health.lookout,
    telemetry: hub,
    mcp: mcp.front,
    configs: { routes: (app) => configPart.routes(app, mcp.front) },
    toolStreams: mcp.toolStreams,
    metrics: { scrape: () => metrics.scrape(), token: config.metricsToken },
    ...{ tasks, orchestrators, log },
  });
  metrics.tasks.restore(ledger.unfinished().map(({ task }) => task));
  watchState(ground, watched, refusals);
  const relay = serve(checkUpgrade);
  const server = createHttpServer(app.fetch);
  server.on("upgrade", (request, socket, head) => void relay.upgrade(request, socket, head));

  const close = async (): Promise<void> => {
    const closed = new Promise<void>((done) => server.close(() => done()));
    // The executor first: output that it delivered to tasks let go of would be lost.
    const executorClosed = executor.close();
    tasks.close();
    hub.close();
    mcp.close();
    await Promise.all([withinMs(closed, DRAIN_MS, undefined), relay.close()]);
    server.closeAllConnections();
    // A change that is under way is applied to servers that are still there.
    await withinMs(configPart.close(), CONFIGS_END_MS, undefined);
    await withinMs(servers.close(), SERVERS_END_MS, undefined);
    await withinMs(mcp.flushTraces(), DRAIN_MS, undefined);
    await executorClosed;
    health.memory.close();
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

/** Closes what was opened before something could not be. */
async function giveUp({ executor, ledger }: Ground, servers: McpServers, thrown: unknown): Promise<never> {
  await Promise.all([servers.close(), executor.close()]);
  ledger.close();
  throw thrown;
}

/** A swarm that is down does not keep the sidecar from starting: its health says so, and it may come up. */
async function warnIfDown(executor: Executor, log: Logger): Promise<void> {
  const { running, details } = await executor.health();
  if (!running) log.warn({ details }, "the swarm cannot be reached yet");
}
