/**
 * What the gateway remembers of each request: for the audit log, and for the figures of each tool. Events are collected
 * in memory and brought to their Hive in batches, behind the requests' backs: `record` costs no request any time.
 */
import type { ErrorCode } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import { fullBucket, type TokenBucket, take } from "../../shared/pressure/token-bucket.ts";
import { redact } from "../relay/redact.ts";

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
  /** Given as they came: they are kept only where the gateway is set to, as text without secrets. */
  arguments?: unknown;
};

/** An event as it is kept: plain, and within limits. */
export type KeptEvent = Omit<ToolEvent, "arguments"> & { arguments?: string };

/** `lost`: how many could not be kept since the last batch. A batch that comes twice has the same `id`. */
export type EventBatch = { id: string; events: KeptEvent[]; lost: number };

/** Goes on with `work` after the answer was given, for as long as the platform lets it. */
export type Defer = (work: Promise<void>) => void;

/** Brings a batch to its Hive. */
export type Deliver = (hive: string, batch: EventBatch) => Promise<void>;

export type ToolEventsPorts = {
  /** The configured ones; what was asked of another is kept with the first one's. */
  hives: readonly string[];
  keepArguments: boolean;
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
    queue?.add(kept(event, this.#ports.keepArguments), defer);
  }

  /** Brings everything to the Hives now: for a gateway that stops. */
  async flush(): Promise<void> {
    await Promise.all([...this.#queues.values()].map((queue) => queue.flush()));
  }
}

/**
 * One hive's. On Workers what a request does in the background may end with it, unfinished: so only plain data is
 * shared here, and whatever one request left lying the next one takes up.
 */
class HiveQueue {
  readonly #hive: string;
  readonly #ports: ToolEventsPorts;
  #events: KeptEvent[] = [];
  #lost = 0;
  #strangers: TokenBucket;
  readonly #batches = new Set<Sealed>();
  #sealedEvents = 0;
  /** When somebody is going to flush; 0: nobody is. */
  #flushAtMs = 0;

  constructor(hive: string, ports: ToolEventsPorts) {
    this.#hive = hive;
    this.#ports = ports;
    this.#strangers = fullBucket(STRANGERS, ports.now());
  }

  add(event: KeptEvent, defer: Defer): void {
    const nowMs = this.#ports.now();
    if (this.#isKept(event, nowMs)) this.#events.push(event);
    else this.#lost++;
    if (this.#events.length >= LIMITS.eventBatch) defer(this.flush());
    else if (this.#flushAtMs === 0 || nowMs > this.#flushAtMs + OVERDUE_MS) {
      this.#flushAtMs = nowMs + LIMITS.eventsDelayMs;
      defer(this.#flushLater());
    }
  }

  /** Those whom nobody knows must not fill the log. */
  #isKept({ client }: KeptEvent, nowMs: number): boolean {
    if (this.#events.length + this.#sealedEvents >= LIMITS.eventsHeld) return false;
    if (client !== null) return true;
    const { allowed, bucket } = take(this.#strangers, STRANGERS, nowMs);
    this.#strangers = bucket;
    return allowed;
  }

  async #flushLater(): Promise<void> {
    await this.#ports.pause(LIMITS.eventsDelayMs);
    this.#flushAtMs = 0;
    await this.flush();
  }

  /** Brings what is there, and once more what failed before. */
  async flush(): Promise<void> {
    this.#seal();
    for (const sealed of this.#batches) {
      const nowMs = this.#ports.now();
      if (sealed.underWayUntilMs > nowMs) continue;
      sealed.underWayUntilMs = nowMs + OVERDUE_MS;
      if (!(await this.#isDelivered(sealed))) return;
    }
  }

  #seal(): void {
    if (this.#events.length === 0 && (this.#lost === 0 || this.#batches.size > 0)) return;
    const batch = { id: this.#ports.uuid(), events: this.#events, lost: this.#lost };
    this.#batches.add({ batch, underWayUntilMs: 0 });
    this.#sealedEvents += batch.events.length;
    this.#events = [];
    this.#lost = 0;
  }

  async #isDelivered(sealed: Sealed): Promise<boolean> {
    try {
      await this.#ports.deliver(this.#hive, sealed.batch);
      if (this.#batches.delete(sealed)) this.#sealedEvents -= sealed.batch.events.length;
      return true;
    } catch (error) {
      this.#ports.log("events not delivered", error);
      sealed.underWayUntilMs = 0;
      return false;
    }
  }
}

/** Until then it is taken to be under way, if nothing is heard of it; after that it is sent again. */
type Sealed = { batch: EventBatch; underWayUntilMs: number };

const STRANGERS = { burst: LIMITS.strangerBurst, perSecond: LIMITS.strangersPerSecond };

/** What is late by so much was lost with its request. */
const OVERDUE_MS = 5_000;

function kept({ arguments: given, ...event }: ToolEvent, keepArguments: boolean): KeptEvent {
  const clipped = {
    ...event,
    hive: clip(event.hive),
    requestId: clip(event.requestId),
    client: event.client && clip(event.client),
    method: clip(event.method),
    server: event.server && clip(event.server),
    tool: event.tool && clip(event.tool),
  };
  if (!keepArguments || given === undefined) return clipped;
  return { ...clipped, arguments: redact(JSON.stringify(given)).slice(0, LIMITS.auditArgumentsChars) };
}

/** Names are the client's own words. */
const clip = (text: string): string => redact(text.length > 300 ? `${text.slice(0, 300)}…` : text);
