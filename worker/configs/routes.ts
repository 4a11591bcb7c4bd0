/**
 * `/api/v1/mcp`: which MCP servers there are. The sidecar has the same paths and answers; here it is decided who may ask,
 * and nobody says in another's name who they are.
 */
import type { Context, Hono } from "hono";
import type { NamedPermission } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { AppPorts } from "../app.ts";
import type { McpPorts } from "../mcp/endpoint.ts";
import { bodyOf, clientOf } from "../mcp/forward.ts";
import { API_KEY, type Asking, identify } from "./identify.ts";
import { KeptHealth } from "./kept-health.ts";
import { readOlderResource } from "./older-resource.ts";
import { callOlderTool } from "./older-tool.ts";
import { inOlderWords, olderAnswer } from "./older-words.ts";

export type ConfigRoutesPorts = Pick<AppPorts, "gateway" | "now" | "uuid" | "defer" | "log"> & {
  mcp: McpPorts;
  hiveOf(c: Context): string;
};

type Method = "GET" | "POST" | "PUT" | "DELETE";
type Asker = { method: Method; subject: string; client: string; anyStatus: boolean };
type Row = readonly [method: Method, path: string, permission: NamedPermission];

const API = "/api/v1/mcp";

const ROUTES: readonly Row[] = [
  ["GET", "/status", "config:read"],
  ["GET", "/configs", "config:read"],
  ["GET", "/configs/:name", "config:read"],
  ["GET", "/configs/:name/history", "config:read"],
  ["GET", "/history", "config:read"],
  ["GET", "/rollout", "config:read"],
  ["POST", "/reload", "config:write"],
  ["PUT", "/configs/:name", "config:write"],
  ["DELETE", "/configs/:name", "config:write"],
  ["POST", "/configs/:name/restore", "config:write"],
  ["PUT", "/rollout", "config:write"],
];

/** The older system's, which go on as they were: in its words also where they are refused. */
const OLDER_ROUTES: readonly Row[] = [
  ["POST", "/configure", "config:write"],
  ["GET", "/servers", "config:read"],
  ["POST", "/servers", "config:write"],
  ["GET", "/servers/:name", "config:read"],
  ["PUT", "/servers/:name", "config:write"],
  ["DELETE", "/servers/:name", "config:write"],
  ["POST", "/servers/:name/start", "config:write"],
  ["POST", "/servers/:name/stop", "config:write"],
  ["POST", "/servers/:name/restart", "config:write"],
  ["GET", "/servers/:name/tools", "config:read"],
  ["GET", "/servers/:name/resources", "config:read"],
  ["GET", "/agents/:agent/servers", "config:read"],
  ["GET", "/agents/:agent/tools", "config:read"],
  ["POST", "/agents/:agent/servers/:name", "config:write"],
  ["DELETE", "/agents/:agent/servers/:name", "config:write"],
];

export function configRoutes(app: Hono, ports: ConfigRoutesPorts): void {
  const { gateway, now, hiveOf, log } = ports;
  const identified = (c: Context, asking: Omit<Asking, "hive">) =>
    identify(c, { hive: hiveOf(c), ...asking }, gateway, now());

  for (const [method, path, permission] of ROUTES)
    app.on(method, API + path, async (c) => {
      const identity = await identified(c, { permission, keyInQuery: false });
      const client = await clientOf(hiveOf(c), identity);
      return passedOn(c, { method, subject: identity.subject, client, anyStatus: false });
    });

  for (const [method, path, permission] of OLDER_ROUTES)
    app.on(method, API + path, (c) =>
      inOlderWords(c, log, async () => {
        const identity = await identified(c, { permission, keyInQuery: true });
        const client = await clientOf(hiveOf(c), identity);
        return olderAnswer(await passedOn(c, { method, subject: identity.subject, client, anyStatus: true }));
      }),
    );

  const kept = new KeptHealth();
  app.get(`${API}/health`, (c) =>
    inOlderWords(c, log, async () => {
      const hive = hiveOf(c);
      return c.json(await kept.of(hive, gateway.sidecar(hive), now));
    }),
  );

  for (const [path, answer] of [
    ["/tools/call", callOlderTool],
    ["/resources/access", readOlderResource],
  ] as const)
    app.post(API + path, (c) =>
      inOlderWords(c, log, async () => {
        const identity = await identified(c, { permission: null, keyInQuery: true });
        return answer(c, { ...ports, hive: hiveOf(c), identity });
      }),
    );

  /** The same request, to the sidecar: as this client, and with its own answer. */
  async function passedOn(c: Context, { method, subject, client, anyStatus }: Asker): Promise<Response> {
    const hive = hiveOf(c);
    const body = method === "GET" ? undefined : await bodyOf(c.req.raw);
    const response = await gateway.sidecar(hive).configApi({
      ...{ method, path: pathOf(c), query: queryOf(c, { by: subject, client }) },
      ...{ headers: picked(c.req.raw.headers, CONDITIONS), body, anyStatus },
    });
    // What is kept of the servers' answers, and of which tools they have, may hold no longer.
    if (method !== "GET") gateway.registry.doubt(hive);
    const { status } = response;
    const headers = { "cache-control": "private, no-cache", ...picked(response.headers, RETURNED) };
    return new Response(response.body, { status, headers });
  }
}

const CONDITIONS = ["if-match", "if-none-match"];
const RETURNED = ["content-type", "content-length", "etag", "retry-after", "cache-control"];

function picked(headers: Headers, names: readonly string[]): Record<string, string> {
  return Object.fromEntries(
    names.flatMap((name) => {
      const value = headers.get(name);
      return value === null ? [] : [[name, value]];
    }),
  );
}

/** As it came. @throws HivegateError `not_found` for a name that no address can hold: nothing is called so */
function pathOf(c: Context): string {
  const { path } = c.req;
  if (Object.values(c.req.param()).some((name) => name === "." || name === ".."))
    throw new HivegateError("not_found");
  return path;
}

/** Of the client's only what is about the question. */
function queryOf(c: Context, who: { by: string; client: string }): string {
  const query = new URL(c.req.url).searchParams;
  for (const name of ["hive", API_KEY]) query.delete(name);
  for (const [name, value] of Object.entries(who)) query.set(name, value);
  return query.toString();
}
