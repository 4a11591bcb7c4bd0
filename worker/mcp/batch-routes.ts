/** Many calls of tools in one request, and what the cache had to do with calls. */
import type { Context, Hono } from "hono";
import type { Identity } from "../../shared/auth/permission.ts";
import { splitQualifiedName } from "../../shared/protocol/qualified-name.ts";
import type { Gateway } from "../gateway.ts";
import { invalid, readJson } from "../read-json.ts";
import type { Access } from "./access.ts";
import { BatchRequest, runBatch, withinBatchTime } from "./batch.ts";
import { callOneFor } from "./call-one.ts";
import type { Defer } from "./events.ts";
import { type Asked, recorded } from "./recorded.ts";

export type BatchPorts = {
  gateway: Pick<Gateway, "policy" | "toolCalls" | "cache" | "events" | "tracer">;
  /** Whose token it is, whatever it allows. @throws HivegateError */
  identify(c: Context): Promise<Identity>;
  hiveOf(c: Context): string;
  defer: Defer;
  now(): number;
  uuid(): string;
  log(message: string, error: unknown): void;
};

export function batchRoutes(app: Hono, ports: BatchPorts): void {
  const { policy, cache, events, tracer } = ports.gateway;

  app.post("/v1/hives/:hive/tools/batch", async (c) => {
    const [hive, identity, defer] = [ports.hiveOf(c), await ports.identify(c), ports.defer];
    const asked: Asked = {
      ...{ hive, method: "tools/batch", server: null, tool: null, client: identity.subject },
      requestBytes: Number(c.req.header("content-length")) || 0,
      traceparent: c.req.header("traceparent"),
      tracestate: c.req.header("tracestate"),
    };
    return recorded({ ...ports, events, tracer }, asked, defer, async (trace) => {
      policy.access(identity);
      policy.takeRequest(identity, ports.now());
      const request = BatchRequest.safeParse(await readJson(c));
      if (!request.success) throw invalid(request.error);
      const cacheControl = c.req.header("cache-control") ?? null;
      const caller = { hive, identity, defer, cacheControl, ...(trace && { trace }) };
      const signal = withinBatchTime(c.req.raw.signal);
      return c.json(await runBatch(request.data.calls, callOneFor(caller, ports), signal));
    });
  });

  /** Of the isolate, or process, that answers: each keeps its own answers. */
  app.get("/v1/hives/:hive/tools/cache", async (c) => {
    const identity = await ports.identify(c);
    const access = policy.access(identity);
    policy.takeRequest(identity, ports.now());
    return c.json(cache.report(ports.hiveOf(c), (label) => seesFigures(access, label)));
  });
}

/** What is not of one tool is of more than some may see. */
function seesFigures(access: Access, label: string): boolean {
  const place = splitQualifiedName(label);
  return place ? access.tool(place.server, place.name) : access.all;
}
