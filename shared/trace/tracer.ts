/**
 * Continues the traces of whoever asks, or begins them, and brings their spans to a collector by OTLP over HTTP, in the
 * background. Without a collector what comes is passed on as it came, and that is all.
 */
import { LIMITS } from "../limits.ts";
import { BatchQueue, type Defer } from "../pressure/batch-queue.ts";
import { parseTraceparent, type TraceContext, traceparentOf, validTracestate } from "./context.ts";
import type { TraceSettings } from "./settings.ts";
import { otlpOf, type Resource, type Span } from "./span.ts";

/** W3C trace context, as headers. */
export type TraceHeaders = { traceparent: string; tracestate?: string };

/** One span that has begun, or the place where there is none. */
export type Trace = {
  /** Null: nobody traces this. */
  traceId: string | null;
  /** For whoever is asked next. */
  headers: TraceHeaders | null;
  /** Null: no span is kept of it. */
  span: { context: TraceContext; parentSpanId: string | null } | null;
};

export type TracerPorts = {
  settings: TraceSettings;
  resource: Resource;
  fetch(url: string, init: RequestInit): Promise<Response>;
  /** So many bytes of chance, in hexadecimal digits. */
  randomHex(bytes: number): string;
  pause(delayMs: number): Promise<void>;
  now(): number;
  uuid(): string;
  log(message: string, error: unknown): void;
};

const NO_TRACE: Trace = { traceId: null, headers: null, span: null };

/** By the standard's words: it may be tried again. */
const PASSING = new Set([429, 502, 503, 504]);

export class Tracer {
  readonly #ports: TracerPorts;
  readonly #queue: BatchQueue<Span> | null;

  constructor(ports: TracerPorts) {
    this.#ports = ports;
    const { endpoint } = ports.settings;
    this.#queue = endpoint === null ? null : this.#queueTo(`${endpoint.replace(/\/$/, "")}/v1/traces`);
  }

  /** For one request, with the headers that it came with. */
  begin(traceparent: string | null | undefined, tracestate?: string | null): Trace {
    const parent = traceparent ? parseTraceparent(traceparent) : null;
    if (!this.#queue) return parent && traceparent ? passedOn(parent, traceparent, tracestate) : NO_TRACE;
    const traceId = parent?.traceId ?? this.#ports.randomHex(16);
    const sampled = parent ? parent.sampled : isChosen(traceId, this.#ports.settings.ratio);
    const context = { traceId, spanId: this.#ports.randomHex(8), sampled };
    return {
      ...passedOn(context, traceparentOf(context), parent ? tracestate : null),
      span: sampled ? { context, parentSpanId: parent?.spanId ?? null } : null,
    };
  }

  /** The request that `trace` was begun for is over. */
  end(
    { span, headers }: Trace,
    about: Pick<Span, "name" | "kind" | "startMs" | "endMs" | "attributes" | "error">,
    defer: Defer,
  ): void {
    if (span) this.#queue?.add({ ...span, tracestate: headers?.tracestate ?? null, ...about }, defer);
  }

  /** Whether spans go anywhere. */
  get isOn(): boolean {
    return this.#queue !== null;
  }

  async flush(): Promise<void> {
    await this.#queue?.flush();
  }

  #queueTo(url: string): BatchQueue<Span> {
    const { pause, now, uuid, log } = this.#ports;
    const limits = { delayMs: LIMITS.spansDelayMs, batch: LIMITS.spanBatch, held: LIMITS.spansHeld };
    return new BatchQueue<Span>(limits, {
      ...{ pause, now, uuid },
      deliver: ({ items }) => this.#export(url, items),
      failed: (error) => log("spans not exported", error),
    });
  }

  /** What the collector cannot make use of it will not want a second time either. */
  async #export(url: string, spans: readonly Span[]): Promise<void> {
    if (spans.length === 0) return;
    const { settings, resource, fetch, log } = this.#ports;
    const response = await fetch(url, {
      method: "POST",
      headers: { ...settings.headers, "content-type": "application/json" },
      body: JSON.stringify(otlpOf(spans, resource)),
      redirect: "manual",
      signal: AbortSignal.timeout(LIMITS.spanExportMs),
    });
    await response.body?.cancel();
    if (response.ok) return;
    const error = new Error(`the collector answered ${response.status}`);
    if (PASSING.has(response.status)) throw error;
    log("spans not exported", error);
  }
}

function passedOn(
  { traceId }: TraceContext,
  traceparent: string,
  tracestate: string | null | undefined,
): Trace {
  const state = validTracestate(tracestate);
  return { traceId, headers: { traceparent, ...(state !== null && { tracestate: state }) }, span: null };
}

/** By the trace's own chance, so that everybody who is asked decides alike. */
const isChosen = (traceId: string, ratio: number): boolean =>
  Number.parseInt(traceId.slice(-13), 16) < ratio * 2 ** 52;
