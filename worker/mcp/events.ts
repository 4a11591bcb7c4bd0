/**
 * What the gateway remembers of each request: for the audit log, and for the figures of each tool. Events are collected
 * in memory and brought to their Hive in batches, behind the requests' backs: `record` costs no request any time.
 */
import type { ErrorCode } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { type Batch, BatchQueue, type Defer } from "../../shared/pressure/batch-queue.ts";
import { RateLimiter } from "../../shared/pressure/rate-limiter.ts";
import type { Trace, Tracer } from "../../shared/trace/tracer.ts";
import { redact } from "../relay/redact.ts";

export type { Defer };

/** One request, when it is over. Exactly one is recorded for each, refused ones too. */
export type ToolEvent = {
  /** When it came. */
  atMs: number;
  requestId: string;
  hive: string;
  /** The token's subject; null: there was no token, or a bad one. */
  client: string | null;
  /** As MCP has it (`tools/call`), or `POST /v1/hives/default/tasks` for what is not MCP. */
  method: string;
  /** Null where the request is not for one. */
  server: string | null;
  /** As its server calls it. */
  tool: string | null;
  /** `refused`: the gateway did not pass it on. */
  outcome: "ok" | "error" | "refused" | "cancelled";
  /** Ours, or the JSON-RPC code that a server answered with; null with `ok`. */
  code: ErrorCode | number | null;
  durationMs: number;
  /** Null: the cache was not asked. */
  cache: "hit" | "miss" | "joined" | null;
  requestBytes: number;
  responseBytes: number | null;
  traceId: string | null;
  /** What was begun for it: its span ends here. */
  trace?: Trace;
  /** Given as they came: they are kept only where the gateway is set to, as text without secrets. */
  arguments?: unknown;
};

/** An event as it is kept, an entry of the audit log: plain, and within limits. */
export type KeptEvent = { kind: "request" } & Omit<ToolEvent, "arguments" | "trace"> & { arguments?: string };

export type EventBatch = Batch<KeptEvent>;

/** Brings a batch to its Hive. */
export type Deliver = (hive: string, batch: EventBatch) => Promise<void>;

export type ToolEventsPorts = {
  /** The configured ones; what was asked of another is kept with the first one's. */
  hives: readonly string[];
  keepArguments: boolean;
  tracer: Pick<Tracer, "end">;
  deliver: Deliver;
  pause(delayMs: number): Promise<void>;
  now(): number;
  uuid(): string;
  log(message: string, error: unknown): void;
};

export class ToolEvents {
  readonly #ports: ToolEventsPorts;
  readonly #queues: ReadonlyMap<string, HiveQueue>;

  constructor(ports: ToolEventsPorts) {
    this.#ports = ports;
    this.#queues = new Map(ports.hives.map((hive) => [hive, new HiveQueue(hive, ports)]));
  }

  /** Never throws, and never waits. */
  record(event: ToolEvent, defer: Defer): void {
    const queue = this.#queues.get(event.hive) ?? this.#queues.values().next().value;
    const plain = kept(event, this.#ports.keepArguments);
    // One flood fills neither the log nor the collector.
    if (!queue?.add(plain, defer)) return;
    if (event.trace?.span) this.#ports.tracer.end(event.trace, spanOf(plain), defer);
  }

  /** Brings everything to the Hives now: for a gateway that stops. */
  async flush(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.flush()));
  }
}

/** One hive's. */
class HiveQueue {
  readonly #now: () => number;
  readonly #queue: BatchQueue<KeptEvent>;
  readonly #refusals = new RateLimiter(REFUSALS, LIMITS.ratedSubjects);

  constructor(hive: string, { deliver, pause, now, uuid, log }: ToolEventsPorts) {
    this.#now = now;
    const limits = { delayMs: LIMITS.eventsDelayMs, batch: LIMITS.eventBatch, held: LIMITS.eventsHeld };
    this.#queue = new BatchQueue(limits, {
      ...{ pause, now, uuid },
      deliver: (batch) => deliver(hive, batch),
      failed: (error) => log("events not delivered", error),
    });
  }

  /** False: only that there was one more is kept. */
  add(event: KeptEvent, defer: Defer): boolean {
    const isKept = this.#isKept(event);
    if (isKept) this.#queue.add(event, defer);
    else this.#queue.addLost(defer);
    return isKept;
  }

  flush(): Promise<void> {
    return this.#queue.flush();
  }

  /** What is refused has no other limit: nobody, known or not, must push the history out of the log with it. */
  #isKept({ client, outcome }: KeptEvent): boolean {
    if (client !== null && outcome !== "refused") return true;
    return this.#refusals.tryTake(client ?? STRANGERS, this.#now()) === 0;
  }
}

const REFUSALS = { burst: LIMITS.refusalBurst, perSecond: LIMITS.refusalsPerSecond };
/** No subject is empty. */
const STRANGERS = "";

/** By OpenTelemetry's conventions for MCP. */
function spanOf({ method, tool, server, hive, cache, outcome, code, atMs, durationMs }: KeptEvent) {
  const isCall = tool !== null && method === "tools/call";
  return {
    name: isCall ? `${method} ${tool}` : method,
    kind: "server" as const,
    ...{ startMs: atMs, endMs: atMs + durationMs },
    error: outcome === "ok" ? null : String(code ?? outcome),
    attributes: {
      "mcp.method.name": method.includes(" ") ? null : method,
      "gen_ai.operation.name": isCall ? "execute_tool" : null,
      "gen_ai.tool.name": tool,
      "hivegate.hive": hive,
      "hivegate.server": server,
      "hivegate.cache": cache,
    },
  };
}

/** In the order of the names, in which the audit log wants them: see `canonicalJson`. */
function kept(event: ToolEvent, keepArguments: boolean): KeptEvent {
  const given = keepArguments ? event.arguments : undefined;
  return {
    ...(given !== undefined && {
      arguments: redact(JSON.stringify(given)).slice(0, LIMITS.auditArgumentsChars),
    }),
    atMs: event.atMs,
    cache: event.cache,
    client: event.client && clip(event.client),
    code: event.code,
    durationMs: event.durationMs,
    hive: clip(event.hive),
    kind: "request",
    method: clip(event.method),
    outcome: event.outcome,
    requestBytes: event.requestBytes,
    requestId: event.requestId,
    responseBytes: event.responseBytes,
    server: event.server && clip(event.server),
    tool: event.tool && clip(event.tool),
    traceId: event.traceId,
  };
}

/** Names are the client's own words. */
const clip = (text: string): string => redact(text.length > 300 ? `${text.slice(0, 300)}…` : text);
