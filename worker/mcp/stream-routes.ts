/** Streamed calls over HTTP: as Server-Sent Events, which may break off and be taken up again. */
import type { Context, Hono } from "hono";
import { z } from "zod";
import type { Identity } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { CallToolRequest, IdempotencyKey } from "../../shared/protocol/client.ts";
import { parseTraceparent, validTracestate } from "../../shared/trace/context.ts";
import { SSE_HEADERS } from "../../shared/wire/sse.ts";
import type { Gateway } from "../gateway.ts";
import { invalid, readJson } from "../read-json.ts";
import { watchedBody } from "../watched-body.ts";
import type { Defer } from "./events.ts";
import type { Caller } from "./streams.ts";

export type StreamRoutesPorts = {
  gateway: Pick<Gateway, "toolStreams">;
  /** Whose token it is, whatever it allows. @throws HivegateError */
  identify(c: Context): Promise<Identity>;
  hiveOf(c: Context): string;
  defer: Defer;
  now(): number;
};

export function streamRoutes(app: Hono, ports: StreamRoutesPorts): void {
  const { toolStreams } = ports.gateway;

  const callerOf = async (c: Context): Promise<Caller> => ({
    ...{ hive: ports.hiveOf(c), identity: await ports.identify(c), defer: ports.defer },
    ...traceOf(c),
  });

  /** What a call tells after chunk number `after`, as it comes: until its end, or the token's. */
  const told = async (c: Context, caller: Caller, streamId: string, after: number): Promise<Response> => {
    const events = await toolStreams.events(caller, streamId, after, c.req.raw.signal);
    const first = `event: stream\ndata: ${JSON.stringify({ stream_id: streamId })}\n\n`;
    const lifeMs = caller.identity.expiresMs - ports.now();
    return new Response(watchedBody(events, { first, lifeMs }), { headers: SSE_HEADERS });
  };

  app.post("/v1/hives/:hive/tools/:tool", async (c, next) => {
    if (c.req.query("stream") !== "1") return next();
    const caller = await callerOf(c);
    const call = Call.safeParse({
      ...c.req.query(),
      tool: c.req.param("tool"),
      arguments: await readJson(c),
      idempotencyKey: c.req.header("idempotency-key"),
    });
    if (!call.success) throw invalid(call.error);
    const { streamId } = await toolStreams.start(caller, call.data);
    return told(c, caller, streamId, 0);
  });

  app.get("/v1/hives/:hive/tools/streams/:id", async (c) => {
    const after = LastEventId.safeParse(c.req.header("last-event-id") ?? c.req.query("after"));
    if (!after.success) throw new HivegateError("invalid_request", "Last-Event-ID: the number of a chunk.");
    const caller = await callerOf(c);
    const { streamId } = await toolStreams.find(caller, streamIdOf(c));
    return told(c, caller, streamId, after.data);
  });

  app.delete("/v1/hives/:hive/tools/streams/:id", async (c) => {
    const { streamId, done } = await toolStreams.cancel(await callerOf(c), streamIdOf(c));
    return c.json({ stream_id: streamId, done });
  });
}

const Call = CallToolRequest.omit({ stream: true }).extend({
  /** Of the address: always text. */
  id: z.string().max(200).nullable().default(null),
  timeoutMs: z.coerce.number().int().min(1).max(LIMITS.mostToolStreamSilenceMs).optional(),
  idempotencyKey: IdempotencyKey.optional(),
});
const LastEventId = z.coerce.number().int().nonnegative().default(0);

/** @throws HivegateError `unknown_stream` */
function streamIdOf(c: Context): string {
  const id = z.uuid().safeParse(c.req.param("id"));
  if (!id.success) throw new HivegateError("unknown_stream");
  return id.data;
}

/** A wrong one is nobody's fault here: it is not passed on. */
export function traceOf({ req }: Context): Pick<Caller, "trace"> {
  const traceparent = req.header("traceparent");
  if (traceparent === undefined || !parseTraceparent(traceparent)) return {};
  const tracestate = validTracestate(req.header("tracestate"));
  return { trace: { traceparent, ...(tracestate !== null && { tracestate }) } };
}
