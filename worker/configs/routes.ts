/**
 * `/api/v1/mcp`: which MCP servers there are. The sidecar has the same paths and answers; here it is decided who may ask,
 * and nobody says in another's name who they are.
 */
import type { Context, Hono } from "hono";
import type { Identity, NamedPermission } from "../../shared/auth/permission.ts";
import { HivegateError } from "../../shared/errors.ts";
import type { AppPorts } from "../app.ts";
import type { McpPorts } from "../mcp/endpoint.ts";
import { bodyOf, clientOf } from "../mcp/forward.ts";
import { API_KEY, type Asking, identify } from "./identify.ts";
import { KeptHealth } from "./kept-health.ts";
import {
  oneState,
  resourcesOfServer,
  type Showing,
  shownTo,
  states,
  toolsOfAgent,
  toolsOfServer,
} from "./older-lists.ts";
import { readOlderResource } from "./older-resource.ts";
import { callOlderTool } from "./older-tool.ts";
import { inOlderWords, olderAnswer } from "./older-words.ts";

export type ConfigRoutesPorts = Pick<AppPorts, "gateway" | "now" | "uuid" | "defer" | "log"> & {
  mcp: McpPorts;
  hiveOf(c: Context): string;
};

type Row = { method: "GET" | "POST" | "PUT" | "DELETE"; path: string; permission: NamedPermission };
/** `shows`: what of its answer is for whom. */
type OlderRow = Row & { shows?: Showing };
type Passed = Row & { identity: Identity; anyStatus: boolean };

const row = (method: Row["method"], path: string, permission: NamedPermission): Row => ({
  method,
  path,
  permission,
});

const API = "/api/v1/mcp";

const ROUTES: readonly Row[] = [
  row("GET", "/status", "config:read"),
  row("GET", "/configs", "config:read"),
  row("GET", "/configs/:name", "config:read"),
  row("GET", "/configs/:name/history", "config:read"),
  row("GET", "/history", "config:read"),
  row("GET", "/rollout", "config:read"),
  row("POST", "/reload", "config:write"),
  row("PUT", "/configs/:name", "config:write"),
  row("DELETE", "/configs/:name", "config:write"),
  row("POST", "/configs/:name/restore", "config:write"),
  row("PUT", "/rollout", "config:write"),
];

/** The older system's, which go on as they were: in its words also where they are refused. */
const OLDER_ROUTES: readonly OlderRow[] = [
  { ...row("POST", "/configure", "config:write"), shows: states },
  { ...row("GET", "/servers", "config:read"), shows: states },
  { ...row("POST", "/servers", "config:write"), shows: oneState },
  { ...row("GET", "/servers/:name", "config:read"), shows: oneState },
  { ...row("PUT", "/servers/:name", "config:write"), shows: oneState },
  row("DELETE", "/servers/:name", "config:write"),
  row("POST", "/servers/:name/start", "config:write"),
  row("POST", "/servers/:name/stop", "config:write"),
  row("POST", "/servers/:name/restart", "config:write"),
  { ...row("GET", "/servers/:name/tools", "config:read"), shows: toolsOfServer },
  { ...row("GET", "/servers/:name/resources", "config:read"), shows: resourcesOfServer },
  { ...row("GET", "/agents/:agent/servers", "config:read"), shows: states },
  { ...row("GET", "/agents/:agent/tools", "config:read"), shows: toolsOfAgent },
  row("POST", "/agents/:agent/servers/:name", "config:write"),
  row("DELETE", "/agents/:agent/servers/:name", "config:write"),
];

export function configRoutes(app: Hono, ports: ConfigRoutesPorts): void {
  const { gateway, now, hiveOf, log } = ports;
  const identified = (c: Context, asking: Omit<Asking, "hive">) =>
    identify(c, { hive: hiveOf(c), ...asking }, gateway, now());

  for (const row of ROUTES)
    app.on(row.method, API + row.path, async (c) => {
      const identity = await identified(c, { permission: row.permission, keyInQuery: false });
      return passedOn(c, { ...row, identity, anyStatus: false });
    });

  for (const row of OLDER_ROUTES)
    app.on(row.method, API + row.path, (c) =>
      inOlderWords(c, log, async () => {
        const identity = await identified(c, { permission: row.permission, keyInQuery: true });
        const answer = await olderAnswer(c, await passedOn(c, { ...row, identity, anyStatus: true }));
        return row.shows ? shownTo(answer, row.shows, gateway.policy.accessIfAny(identity)) : answer;
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
  async function passedOn(c: Context, { method, path, identity, anyStatus }: Passed): Promise<Response> {
    const hive = hiveOf(c);
    const body = method === "GET" ? undefined : await bodyOf(c.req.raw);
    const who = { by: identity.subject, client: await clientOf(hive, identity) };
    const response = await gateway.sidecar(hive).configApi({
      ...{ method, path: API + pathOf(c, path), query: queryOf(c, who) },
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

/**
 * With the names that were given, written anew: it has to lead where the permission was checked for, whatever is in them.
 * @throws HivegateError `not_found` for a name that no address can hold: nothing is called so
 */
function pathOf(c: Context, path: string): string {
  return path.replace(/:(\w+)/g, (_, parameter: string) => {
    const name = c.req.param(parameter) ?? "";
    if (name === "." || name === "..") throw new HivegateError("not_found");
    return encodeURIComponent(name);
  });
}

/** Of the client's only what is about the question. */
function queryOf(c: Context, who: { by: string; client: string }): string {
  const query = new URL(c.req.url).searchParams;
  for (const name of ["hive", API_KEY]) query.delete(name);
  for (const [name, value] of Object.entries(who)) query.set(name, value);
  return query.toString();
}
