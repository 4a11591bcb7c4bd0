import type { MiddlewareHandler } from "hono";
import type { Logger } from "../log.ts";

/** One line per request; a stream counts as answered when it begins. */
export function logRequests(log: Logger): MiddlewareHandler {
  return async (c, next) => {
    const startedMs = performance.now();
    await next();
    const ms = Math.round((performance.now() - startedMs) * 10) / 10;
    log.info({ method: c.req.method, path: c.req.path, status: c.res.status, ms }, "request");
  };
}
