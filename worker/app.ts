/** The gateway's routes. Everything that differs between hosts comes in through `AppPorts`. */
import { type Context, Hono } from "hono";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import { z } from "zod";
import type { NamedPermission } from "../shared/auth/permission.ts";
import { asHivegateError, ERRORS, HivegateError, isOurFault } from "../shared/errors.ts";
import { METRICS_TYPE } from "../shared/metrics/text.ts";
import {
  CreateTaskRequest,
  HelloQuery,
  IdempotencyKey,
  NO_FILTERS,
  type RelayHello,
  RelayQuery,
} from "../shared/protocol/client.ts";
import { TaskId } from "../shared/protocol/ids.ts";
import { OnlyEvents } from "../shared/protocol/sidecar.ts";
import { OrchestratorsChange } from "../shared/relay/orchestrators.ts";
import { isWholeHive } from "../shared/swarm/view.ts";
import { SSE_HEADERS } from "../shared/wire/sse.ts";
import { REFUSAL, recordRequests } from "./audit/record-requests.ts";
import { auditRoutes } from "./audit/routes.ts";
import { acceptedProtocol, authenticate } from "./authenticate.ts";
import { configRoutes } from "./configs/routes.ts";
import { createTask } from "./create-task.ts";
import type { Gateway } from "./gateway.ts";
import type { AuditPage } from "./hive/records.ts";
import type { StatsReport } from "./hive/tool-figures.ts";
import { LOOK_UPS } from "./look-ups.ts";
import { batchRoutes } from "./mcp/batch-routes.ts";
import { mcpPorts, mcpRoutes } from "./mcp/endpoint.ts";
import type { Defer } from "./mcp/events.ts";
import { streamRoutes } from "./mcp/stream-routes.ts";
import { toolRoutes } from "./mcp/tool-routes.ts";
import { pageResponse } from "./page-response.ts";
import { invalid, readJson } from "./read-json.ts";
import { rightsOf } from "./relay/roles.ts";
import { ScopedSidecar } from "./scoped-sidecar.ts";
import type { DialectName } from "./session/dialect.ts";
import type { Hello, SessionState } from "./session/session.ts";
import { VISIONFLOW_HELLO } from "./session/visionflow.ts";
import type { TaskAction } from "./sidecar-client.ts";
import { watchedBody } from "./watched-body.ts";

/** A client that may open a session. `protocol` is the subprotocol to answer with. */
export type OpenSession = Hello & { hive: string; protocol: string | null };

export type AppPorts = {
  gateway: Gateway;
  page: string;
  now(): number;
  uuid(): string;
  /** Hands the upgrade to a shard. @throws HivegateError `overloaded` */
  openSession(request: Request, session: OpenSession): Promise<Response>;
  /** Accepts the upgrade only to say why it is refused: browsers show no other answer to their scripts. */
  refuseSession(request: Request, error: HivegateError, protocol: string | null): Response;
  /** A hive's metrics, as Prometheus text. */
  metrics(hive: string): Promise<string>;
  /** A hive's audit log from number `after` on, at most `limit` entries of it. */
  audit(hive: string, after: number, limit: number): Promise<AuditPage>;
  toolStats(hive: string): Promise<StatsReport>;
  /** Goes on with it after the answer was given. */
  defer: Defer;
  log(message: string, error: unknown): void;
};

export function createApp(ports: AppPorts): Hono {
  const { gateway } = ports;
  const app = new Hono();

  /** Clients that were there before Hivegate know of one hive only. */
  const hiveOf = (c: Context): string => c.req.param("hive") ?? c.req.query("hive") ?? gateway.firstHive;

  const authenticated = (c: Context, permission: NamedPermission | null) =>
    authenticate(c.req.raw, { hive: hiveOf(c), permission }, gateway.tokens, ports.now());

  /** Who makes this request, which counts against their rate, and the sidecar as they may see it. */
  const identify = async (c: Context, permission: NamedPermission) => {
    const identity = await authenticated(c, permission);
    gateway.requests.take(identity.subject, ports.now());
    return { identity, sidecar: new ScopedSidecar(gateway.sidecar(hiveOf(c)), identity) };
  };

  app.use(recordRequests(ports));
  app.onError((thrown, c) => {
    const error = asHivegateError(thrown);
    if (isOurFault(error)) ports.log(`${c.req.method} ${c.req.path}`, error);
    const status: ContentfulStatusCode = error.httpStatus;
    const body = error.toBody();
    if (body.retry_after !== undefined) c.header("retry-after", `${body.retry_after}`);
    return c.json(body, status);
  });
  app.notFound((c) => c.json(new HivegateError("not_found").toBody(), 404));

  app.get("/", () => pageResponse(ports.page));
  app.get("/healthz", (c) => c.json({ ok: true }));
  app.get("/health/hybrid", async (c) => {
    const health = await gateway.health(hiveOf(c), ports.now);
    return c.json(health, health.components.docker_hive_mind.status === "critical" ? 503 : 200);
  });

  const metrics = async (c: Context) => {
    const { identity } = await identify(c, "metrics:read");
    if (!isWholeHive(identity.scope))
      throw new HivegateError("forbidden", "Metrics are of a whole hive, and the token shows a part of one.");
    return c.body(await ports.metrics(hiveOf(c)), 200, { "content-type": METRICS_TYPE });
  };
  app.get("/metrics", metrics);
  app.get("/v1/hives/:hive/metrics", metrics);
  auditRoutes(app, { ...ports, policy: gateway.policy, identify, hiveOf });
  const mcp = mcpPorts(ports);
  mcpRoutes(app, mcp, hiveOf);
  configRoutes(app, { ...ports, mcp, hiveOf });
  batchRoutes(app, { ...ports, identify: (c) => authenticated(c, null), hiveOf });
  toolRoutes(app, { ...ports, identify: (c) => authenticated(c, null), hiveOf });
  streamRoutes(app, { ...ports, identify: (c) => authenticated(c, null), hiveOf });

  const session =
    (kind: SessionState["kind"], permission: NamedPermission, dialect: DialectName) => async (c: Context) => {
      const request = c.req.raw;
      if (request.headers.get("upgrade")?.toLowerCase() !== "websocket")
        throw new HivegateError("upgrade_required");
      const protocol = acceptedProtocol(request.headers);
      try {
        const { hives: _, ...identity } = await authenticated(c, permission);
        const hive = hiveOf(c);
        gateway.sidecar(hive);
        const relay = kind === "relay" ? relayOf(c) : undefined;
        if (relay) rightsOf(identity, relay.mode, gateway.relay.roles);
        gateway.sessions.take(identity.subject, ports.now());
        return await ports.openSession(request, {
          ...(relay ? { ...RELAY_HELLO, relay } : helloOf(c, dialect)),
          hive,
          kind,
          dialect,
          identity,
          protocol,
        });
      } catch (thrown) {
        const error = asHivegateError(thrown);
        c.set(REFUSAL, error);
        if (isOurFault(error)) ports.log(c.req.path, error);
        return ports.refuseSession(request, error, protocol);
      }
    };
  app.get("/v1/hives/:hive/stream", session("stream", "telemetry:read", "hivegate"));
  app.get("/v1/hives/:hive/relay", session("relay", "relay:read", "hivegate"));
  app.get("/api/multi-mcp/ws", session("stream", "telemetry:read", "visionflow"));

  app.post("/v1/hives/:hive/tasks", async (c) => {
    const { identity, sidecar } = await identify(c, "tasks:write");
    const request = CreateTaskBody.safeParse(await readJson(c));
    if (!request.success) throw invalid(request.error);
    const key = IdempotencyKey.optional().safeParse(c.req.header("idempotency-key"));
    if (!key.success) throw new HivegateError("invalid_request", "Idempotency-Key: 1 to 200 characters.");
    const idempotencyKey = key.data ?? request.data.idempotencyKey;
    const result = await createTask(
      { ...request.data, idempotencyKey },
      { hive: hiveOf(c), identity, sidecar, uuid: ports.uuid },
    );
    const { taskId, swarmId, method, note, state } = result.task;
    const answer = { success: true, taskId, swarmId, method, note, state, timestamp: ports.now(), ...result };
    return c.json(answer, result.created ? 201 : 200);
  });

  app.get("/v1/hives/:hive/tasks", async (c) => {
    const { sidecar } = await identify(c, "tasks:read");
    return c.json({ tasks: await sidecar.tasks() });
  });

  app.get("/v1/hives/:hive/tasks/:id", async (c) => {
    const { sidecar } = await identify(c, "tasks:read");
    return c.json({ task: await sidecar.task(taskIdOf(c)) });
  });

  for (const action of ["stop", "pause", "resume"] satisfies TaskAction[]) {
    app.post(`/v1/hives/:hive/tasks/:id/${action}`, async (c) => {
      const { sidecar } = await identify(c, "tasks:write");
      return c.json({ task: await sidecar.control(taskIdOf(c), action) });
    });
  }

  app.get("/v1/hives/:hive/tasks/:id/events", async (c) => {
    const { identity, sidecar } = await identify(c, "tasks:read");
    const after = LastEventId.safeParse(c.req.header("last-event-id") ?? c.req.query("after"));
    if (!after.success) throw new HivegateError("invalid_request", "Last-Event-ID: the number of an event.");
    const only = OnlyEvents.optional().safeParse(c.req.query("only"));
    if (!only.success) throw new HivegateError("invalid_request", "only: expected state, if anything.");
    const { subject, expiresMs } = identity;
    const request = { taskId: taskIdOf(c), after: after.data, only: only.data ?? null, subject };
    const events = await sidecar.eventStream(request, c.req.raw.signal);
    const lifeMs = expiresMs - ports.now();
    return new Response(watchedBody(events, { lifeMs }), { headers: SSE_HEADERS });
  });

  // Where a relay leads is of the whole hive, whatever a token shows of it.
  app.get("/v1/hives/:hive/relay/orchestrators", async (c) => {
    await identify(c, "relay:admin");
    return c.json(await gateway.sidecar(hiveOf(c)).orchestrators());
  });
  app.put("/v1/hives/:hive/relay/orchestrators", async (c) => {
    await identify(c, "relay:admin");
    const change = OrchestratorsChange.safeParse(await readJson(c));
    if (!change.success) throw invalid(change.error);
    return c.json(await gateway.sidecar(hiveOf(c)).useOrchestrators(change.data));
  });

  app.get("/v1/hives/:hive/swarms", async (c) => {
    const { sidecar } = await identify(c, "tasks:read");
    return c.json(await sidecar.swarms());
  });

  for (const [name, lookUp] of Object.entries(LOOK_UPS)) {
    app.get(`/v1/hives/:hive/${name}`, async (c) => {
      const { identity, sidecar } = await identify(c, "telemetry:read");
      const answer = await lookUp((parameter) => c.req.query(parameter), {
        ...{ sidecar, now: ports.now },
        lookUp: () => gateway.lookUps.take(identity.subject, ports.now()),
        // Over HTTP each request is a client of its own.
        session: () => ({ client_id: ports.uuid() }),
      });
      return answer.type === "error" ? c.json(answer, ERRORS[answer.code].http) : c.json(answer);
    });
  }

  app.get("/v1/hives/:hive/status", async (c) => {
    const { sidecar } = await identify(c, "tasks:read");
    return c.json(await sidecar.status(c.req.query("swarmId")));
  });

  return app;
}

const CreateTaskBody = CreateTaskRequest.strict();
const LastEventId = z.coerce.number().int().nonnegative().default(0);

/** How a session begins, as its address says. @throws HivegateError `invalid_request` */
function helloOf(
  c: Context,
  dialect: DialectName,
): Pick<Hello, "filters" | "mode" | "encoding" | "position"> {
  const query = HelloQuery.safeParse(dialect === "hivegate" ? c.req.query() : {});
  if (!query.success) throw invalid(query.error);
  if (dialect === "visionflow") return VISIONFLOW_HELLO;
  const { epoch, offset, view, ...hello } = query.data;
  const position = epoch !== undefined && offset !== undefined ? { epoch, offset, view } : null;
  return { ...hello, position };
}

/** A relay shows no telemetry. */
const RELAY_HELLO = { filters: NO_FILTERS, mode: "normal", encoding: "json", position: null } as const;

/** How a relay is opened, likewise. @throws HivegateError `invalid_request` */
function relayOf(c: Context): RelayHello {
  const query = RelayQuery.safeParse(c.req.query());
  if (!query.success) throw invalid(query.error);
  return query.data;
}

function taskIdOf(c: Context): string {
  const id = TaskId.safeParse(c.req.param("id"));
  if (!id.success) throw new HivegateError("unknown_task");
  return id.data;
}
