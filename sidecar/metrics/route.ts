/** `GET /metrics`, and who may have it. It is not signed: a Prometheus server cannot do that. */
import { timingSafeEqual } from "node:crypto";
import { getConnInfo } from "@hono/node-server/conninfo";
import type { Context } from "hono";
import { HivegateError } from "../../shared/errors.ts";
import { METRICS_TYPE } from "../../shared/metrics/text.ts";
import { sha256 } from "../http/keys.ts";

export type MetricsPorts = {
  scrape(): Promise<string>;
  /** Who asks has to know it; null: only this host may ask. */
  token: string | null;
};

export async function metricsRoute(c: Context, { scrape, token }: MetricsPorts): Promise<Response> {
  if (token === null && !comesFromHere(c))
    throw new HivegateError("forbidden", "Ask from the sidecar's own host, or set METRICS_TOKEN there.");
  if (token !== null && !(await isSame(c.req.header("authorization") ?? "", `Bearer ${token}`)))
    throw new HivegateError("unauthorized", "Send METRICS_TOKEN: Authorization: Bearer <token>.");
  return c.body(await scrape(), 200, { "content-type": METRICS_TYPE, "cache-control": "no-store" });
}

/** What a proxy on this host passes on comes from here and is asked elsewhere. */
const PASSED_ON = ["forwarded", "x-forwarded-for", "x-real-ip", "via", "cf-connecting-ip"];

/** A plain tunnel tells nothing of who is behind it, but passes on whom they believe to ask: seldom this host. */
function comesFromHere(c: Context): boolean {
  if (PASSED_ON.some((name) => c.req.header(name) !== undefined)) return false;
  const address = getConnInfo(c).remote.address?.replace(/^::ffff:/, "") ?? "";
  const asked = c.req.header("host")?.replace(/:\d*$/, "") ?? "";
  return isLoopback(address) && isLoopback(asked);
}

const isLoopback = (host: string): boolean => /^(localhost|\[?::1\]?|127(\.\d{1,3}){3})$/i.test(host);

/** In a time that does not tell how much of it is right. */
async function isSame(given: string, expected: string): Promise<boolean> {
  const [a, b] = await Promise.all([given, expected].map((text) => sha256(new TextEncoder().encode(text))));
  return a !== undefined && b !== undefined && timingSafeEqual(a, b);
}
