/** Has every request remembered that changes something, that opens a session, or that was refused for who makes it. */
import type { Context, MiddlewareHandler, Next } from "hono";
import { asHivegateError, type ErrorCode } from "../../shared/errors.ts";
import { traceIdOf } from "../../shared/trace/context.ts";
import { tokenIn } from "../authenticate.ts";
import type { Gateway } from "../gateway.ts";
import type { Defer } from "../mcp/events.ts";
import { isRecorded } from "../mcp/recorded.ts";

export type RecordPorts = { gateway: Gateway; now(): number; uuid(): string; defer: Defer };

/** What has to do with MCP is remembered by whoever knows which server and tool it is. */
const MCP = /^(?:\/v1\/hives\/[^/]+)?\/mcp(?:\/|$)/;
/** So are calls of tools by other means, but for those that are refused before that is known. */
const TOOLS = /^\/v1\/hives\/[^/]+\/tools(?:\/|$)|^\/api\/v1\/mcp\/(?:tools|resources)\//;
const READING = new Set(["GET", "HEAD", "OPTIONS"]);

export const recordRequests =
  (ports: RecordPorts): MiddlewareHandler =>
  (c, next) => {
    const over = MCP.test(c.req.path) ? next() : recorded(c, next, ports);
    // On Workers a request ends where its client hangs up. This one has to go on until it is remembered.
    ports.defer(over);
    return over;
  };

async function recorded(c: Context, next: Next, ports: RecordPorts): Promise<void> {
  const asked = whatIsAsked(c, ports);
  await next();
  if (isRemembered(c)) await record(c, asked, ports);
}

/** Read before it is answered: on Deno a request that became a socket has no headers any more. */
const whatIsAsked = ({ req }: Context, { gateway, now, uuid }: RecordPorts) => ({
  atMs: now(),
  requestId: uuid(),
  hive: HIVE.exec(req.path)?.[1] ?? req.query("hive") ?? gateway.firstHive,
  method: `${req.method} ${req.path}`,
  token: tokenIn(req.raw.headers),
  requestBytes: Number(req.header("content-length") ?? 0) || 0,
  traceId: traceIdOf(req.header("traceparent")),
});
type Asked = ReturnType<typeof whatIsAsked>;

function isRemembered(c: Context): boolean {
  const { req, res, error } = c;
  if (isRecorded(error) || (TOOLS.test(req.path) && !error && !c.get(REFUSAL))) return false;
  const isRefused = res.status === 401 || res.status === 403;
  return isRefused || res.status === 101 || !READING.has(req.method);
}

async function record(c: Context, { token, ...asked }: Asked, ports: RecordPorts): Promise<void> {
  const { status, headers } = c.res;
  const code = codeOf(c);
  ports.gateway.events.record(
    {
      ...asked,
      ...{ server: null, tool: null, cache: null, code, outcome: outcomeOf(status, code) },
      client: await clientOf(c, token, ports.gateway, asked.atMs),
      durationMs: Math.max(0, ports.now() - asked.atMs),
      responseBytes: Number(headers.get("content-length")) || null,
    },
    ports.defer,
  );
}

const HIVE = /^\/v1\/hives\/([^/]+)/;

/** A session that is refused is opened all the same, to be told so; some refusals are told in others' words. */
export const REFUSAL = "refusal";
/** Who it turned out to be, where that is not by a token alone. */
export const SUBJECT = "subject";

function codeOf(c: Context): ErrorCode | null {
  const refusal: unknown = c.error ?? c.get(REFUSAL);
  return refusal === undefined ? null : asHivegateError(refusal).code;
}

function outcomeOf(status: number, code: ErrorCode | null): "ok" | "error" | "refused" {
  if (code === null) return "ok";
  return status >= 500 ? "error" : "refused";
}

/** A token that is good is remembered: to look it up again costs nothing. Null: it is not. */
async function clientOf(
  c: Context,
  token: string | undefined,
  { tokens }: Gateway,
  nowMs: number,
): Promise<string | null> {
  const known: unknown = c.get(SUBJECT);
  if (typeof known === "string") return known;
  if (token === undefined) return null;
  return tokens.verify(token, nowMs).then(
    ({ subject }) => subject,
    () => null,
  );
}
