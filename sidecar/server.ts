/** The sidecar's HTTP side: the routes of `shared/protocol/sidecar.ts`, open to nobody but the gateway. */
import { Hono } from "hono";
import { z } from "zod";
import { asHivegateError, HivegateError } from "../shared/errors.ts";
import { CreateTask, Demand, type HybridHealth } from "../shared/protocol/sidecar.ts";
import { OrchestratorsChange } from "../shared/relay/orchestrators.ts";
import { SSE_HEADERS } from "../shared/wire/sse.ts";
import type { Lookout } from "./health/lookout.ts";
import {
  type AuthenticateOptions,
  type Authentication,
  authenticate,
  type Signed,
} from "./http/authenticate.ts";
import {
  parseBody,
  parseEventsQuery,
  parseLastEventId,
  parseSwarmIds,
  parseTelemetryRequest,
} from "./http/parse.ts";
import { logRequests } from "./http/request-log.ts";
import type { Logger } from "./log.ts";
import type { McpFront } from "./mcp/front.ts";
import { toolStreamRoutes } from "./mcp/streams/routes.ts";
import type { ToolStreams } from "./mcp/streams/streams.ts";
import { type MetricsPorts, metricsRoute } from "./metrics/route.ts";
import type { Orchestrators } from "./relay/orchestrators.ts";
import type { Tasks } from "./swarm/tasks.ts";
import type { TelemetryHub } from "./telemetry/hub.ts";

export type ServerPorts = {
  auth: AuthenticateOptions;
  tasks: Tasks;
  health(): Promise<HybridHealth>;
  lookout: Pick<Lookout, "agents" | "discovery" | "latest">;
  telemetry: Pick<TelemetryHub, "open" | "demand">;
  orchestrators: Pick<Orchestrators, "change" | "answer">;
  mcp: Pick<McpFront, "routes">;
  /** Which MCP servers there are. */
  configs: { routes(app: Hono<Signed>): void };
  toolStreams: Pick<ToolStreams, "start" | "get" | "read" | "cancel">;
  metrics: MetricsPorts;
  log: Logger;
};

const Control = z.enum(["stop", "pause", "resume"]);

/** `refusals` counts the requests that were not let in, by reason; `checkUpgrade` is for those that Hono never sees. */
export function createServer(
  ports: ServerPorts,
): { app: Hono<Signed> } & Pick<Authentication, "refusals" | "checkUpgrade"> {
  const { tasks, log } = ports;
  const { middleware, refusals, checkUpgrade } = authenticate({ ...ports.auth, log });
  const app = new Hono<Signed>();

  app.use(logRequests(log));
  app.get("/healthz", (c) => c.json({ ok: true }));
  app.get("/metrics", (c) => metricsRoute(c, ports.metrics));
  app.use(middleware);

  app.post("/v1/tasks", async (c) => c.json(await tasks.create(parseBody(CreateTask, c.get("body")))));
  app.get("/v1/tasks", (c) => c.json({ tasks: tasks.list(parseSwarmIds(c.req.queries("swarmId"))) }));
  app.get("/v1/tasks/:id", (c) => c.json({ task: tasks.get(c.req.param("id")) }));
  app.post("/v1/tasks/:id/:control", async (c) => {
    const control = Control.safeParse(c.req.param("control"));
    if (!control.success) throw new HivegateError("not_found");
    return c.json({ task: await tasks.control(c.req.param("id"), control.data) });
  });
  app.get("/v1/tasks/:id/events", (c) => {
    const after = parseLastEventId(c.req.header("last-event-id"));
    const reader = { after, ...parseEventsQuery(c.req.query()) };
    return c.body(tasks.events(c.req.param("id"), reader), 200, SSE_HEADERS);
  });
  app.get("/v1/swarms", async (c) => c.json(await tasks.swarms()));
  app.get("/v1/status", async (c) => c.json(await tasks.status(parseSwarmIds(c.req.queries("swarmId")))));
  app.get("/v1/health", async (c) => c.json(await ports.health()));
  app.get("/v1/agents", async (c) => c.json(await ports.lookout.agents()));
  app.get("/v1/discovery", async (c) => c.json(await ports.lookout.discovery()));
  app.get("/v1/latest", async (c) => c.json(await ports.lookout.latest()));
  app.get("/v1/telemetry", (c) => {
    const request = parseTelemetryRequest(c.req.query());
    return c.body(ports.telemetry.open(request), 200, NDJSON_HEADERS);
  });
  app.post("/v1/telemetry/:reader", (c) => {
    const { intervalMs } = parseBody(Demand, c.get("body"));
    ports.telemetry.demand(c.req.param("reader"), intervalMs);
    return c.json({ ok: true });
  });

  app.get("/v1/relay/orchestrators", (c) => c.json(ports.orchestrators.answer()));
  app.put("/v1/relay/orchestrators", (c) => {
    ports.orchestrators.change(parseBody(OrchestratorsChange, c.get("body")).urls);
    return c.json(ports.orchestrators.answer());
  });

  ports.mcp.routes(app);
  toolStreamRoutes(app, ports.toolStreams);
  ports.configs.routes(app);

  app.notFound((c) => {
    const error = new HivegateError("not_found");
    return c.json(error.toBody(), error.httpStatus);
  });
  app.onError((thrown, c) => {
    const error = asHivegateError(thrown);
    if (error.code === "internal") log.error({ err: thrown, path: c.req.path }, "request failed");
    else log.debug({ err: error, path: c.req.path }, "request refused");
    return c.json(error.toBody(), error.httpStatus);
  });
  return { app, refusals, checkUpgrade };
}

const NDJSON_HEADERS = { "content-type": "application/x-ndjson", "cache-control": "no-store" };
