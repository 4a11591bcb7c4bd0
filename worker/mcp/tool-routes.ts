/** Tools over plain HTTP: which there are, and one call. */
import type { Context, Hono } from "hono";
import { z } from "zod";
import type { Identity } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import { ToolQuery } from "../../shared/protocol/tools.ts";
import { selectTools } from "../../shared/tools/search.ts";
import type { Gateway } from "../gateway.ts";
import { invalid, readJson } from "../read-json.ts";
import { CACHE_HEADER } from "./cache-response.ts";
import type { Defer } from "./events.ts";
import { seenServers } from "./lists.ts";
import { traceOf } from "./stream-routes.ts";

export type ToolRoutesPorts = {
  gateway: Pick<Gateway, "policy" | "toolCalls" | "registry" | "sidecar">;
  /** Whose token it is, whatever it allows. @throws HivegateError */
  identify(c: Context): Promise<Identity>;
  hiveOf(c: Context): string;
  defer: Defer;
  now(): number;
};

const Arguments = z.record(z.string(), z.unknown());

export function toolRoutes(app: Hono, { gateway, identify, hiveOf, defer, now }: ToolRoutesPorts): void {
  const { policy, toolCalls, registry } = gateway;

  app.get("/v1/hives/:hive/tools", async (c) => {
    const identity = await identify(c);
    const access = policy.access(identity);
    policy.takeRequest(identity, now());
    const query = ToolQuery.safeParse(c.req.query());
    if (!query.success) throw invalid(query.error);
    // Searched behind what the client may see: `limit` counts what it is shown.
    const seen = seenServers(await registry.servers(hiveOf(c)), access);
    return c.json({ servers: selectTools(seen, query.data) });
  });

  app.post("/v1/hives/:hive/tools/:tool", async (c, next) => {
    if (c.req.query("stream") === "1") return next();
    const identity = await identify(c);
    policy.access(identity);
    policy.takeRequest(identity, now());
    const given = Arguments.safeParse(await readJson(c));
    if (!given.success)
      throw new HivegateError("invalid_request", "Send the tool's arguments: a JSON object.");
    const { answer, cache } = await toolCalls.call({
      ...{ hive: hiveOf(c), identity, tool: c.req.param("tool"), arguments: given.data, isRequest: false },
      ...{ signal: c.req.raw.signal, defer, ...traceOf(c) },
      cacheControl: c.req.header("cache-control") ?? null,
    });
    if (cache !== null) c.header(CACHE_HEADER, cache);
    if ("result" in answer) return c.json({ result: answer.result });
    const { code, message, data } = answer.error;
    const refused = new HivegateError("mcp_failed", message);
    return c.json(
      { ...refused.toBody(), error: { code, message, ...(data !== undefined && { data }) } },
      502,
    );
  });
}
