/** An MCP server whose exchanges are spans of the traces that they belong to. */
import { asHivegateError } from "../../shared/errors.ts";
import type { McpAnswer, McpRequest } from "../../shared/protocol/mcp.ts";
import type { Tracer } from "../../shared/trace/tracer.ts";
import type { Exchange, Upstream } from "../mcp/upstream.ts";

/** Node goes on with what is not awaited. */
const inBackground = (work: Promise<void>): void => void work;

/** Of servers: each is always the same object. They are what they were where spans go nowhere. */
export function tracedUpstreams(
  upstream: (name: string) => Upstream | null,
  tracer: Tracer,
): (name: string) => Upstream | null {
  if (!tracer.isOn) return upstream;
  const known = new WeakMap<Upstream, Upstream>();
  return (name) => {
    const found = upstream(name);
    if (!found) return null;
    const traced = known.get(found) ?? tracedUpstream(found, tracer);
    known.set(found, traced);
    return traced;
  };
}

export function tracedUpstream(upstream: Upstream, tracer: Tracer): Upstream {
  return {
    name: upstream.name,
    get connections() {
      return upstream.connections;
    },
    get isOpen() {
      return upstream.isOpen;
    },
    info: (opening) => upstream.info(opening),
    notify: (notification) => upstream.notify(notification),
    onNotification: (listener) => upstream.onNotification(listener),
    // What the sidecar asks for itself belongs to nobody's trace.
    exchange: (request, exchange) =>
      exchange.trace
        ? tracedExchange(upstream, request, exchange, tracer)
        : upstream.exchange(request, exchange),
  };
}

async function tracedExchange(
  upstream: Upstream,
  request: McpRequest,
  exchange: Exchange,
  tracer: Tracer,
): Promise<McpAnswer> {
  const trace = tracer.begin(exchange.trace?.traceparent, exchange.trace?.tracestate);
  const startMs = Date.now();
  const end = (error: string | null, code: number | null) =>
    tracer.end(
      trace,
      {
        ...{ name: nameOf(request), kind: "client", startMs, endMs: Date.now(), error },
        attributes: {
          ...attributesOf(upstream, request),
          "rpc.response.status_code": code?.toString() ?? null,
        },
      },
      inBackground,
    );
  try {
    const answer = await upstream.exchange(request, {
      ...exchange,
      ...(trace.headers && { trace: trace.headers }),
    });
    const code = "error" in answer ? answer.error.code : null;
    // A tool that failed says so in a result.
    const failed = "result" in answer && answer.result.isError === true ? "tool_error" : null;
    end(code === null ? failed : String(code), code);
    return answer;
  } catch (thrown) {
    end(exchange.signal.aborted ? "cancelled" : asHivegateError(thrown).code, null);
    throw thrown;
  }
}

/** Which tool or prompt it is, where it is one. */
const targetOf = ({ method, params }: McpRequest): string | null =>
  (method === "tools/call" || method === "prompts/get") && typeof params.name === "string"
    ? params.name.slice(0, 300)
    : null;

function nameOf(request: McpRequest): string {
  const target = targetOf(request);
  return target === null ? request.method : `${request.method} ${target}`;
}

function attributesOf(upstream: Upstream, request: McpRequest) {
  const isCall = request.method === "tools/call";
  const target = targetOf(request);
  return {
    "mcp.method.name": request.method,
    "gen_ai.operation.name": isCall ? "execute_tool" : null,
    "gen_ai.tool.name": isCall ? target : null,
    "gen_ai.prompt.name": isCall ? null : target,
    "hivegate.server": upstream.name,
  };
}
