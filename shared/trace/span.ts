/** Spans, and how they are said in OTLP's JSON. */
import type { TraceContext } from "./context.ts";

export type Attributes = Readonly<Record<string, string | number | null>>;

/** Times in milliseconds since the epoch. An attribute that is null is left out. */
export type Span = {
  context: TraceContext;
  /** Null: it is the first of its trace. */
  parentSpanId: string | null;
  tracestate: string | null;
  name: string;
  kind: "server" | "client";
  startMs: number;
  endMs: number;
  attributes: Attributes;
  /** What went wrong, as a word; null: nothing. */
  error: string | null;
};

export type Resource = { service: string; version: string | null };

const KINDS = { server: 2, client: 3 } as const;
const ERROR = 2;
const SAMPLED = 1;

/** The body of a request to a collector's `/v1/traces`. */
export const otlpOf = (spans: readonly Span[], { service, version }: Resource) => ({
  resourceSpans: [
    {
      resource: { attributes: attributesOf({ "service.name": service, "service.version": version }) },
      scopeSpans: [
        { scope: { name: "hivegate", ...(version !== null && { version }) }, spans: spans.map(spanOf) },
      ],
    },
  ],
});

const spanOf = ({ context, parentSpanId, tracestate, ...span }: Span) => ({
  traceId: context.traceId,
  spanId: context.spanId,
  ...(parentSpanId !== null && { parentSpanId }),
  ...(tracestate !== null && { traceState: tracestate }),
  flags: SAMPLED,
  name: span.name,
  kind: KINDS[span.kind],
  startTimeUnixNano: nanosOf(span.startMs),
  endTimeUnixNano: nanosOf(Math.max(span.startMs, span.endMs)),
  attributes: attributesOf(
    span.error === null ? span.attributes : { ...span.attributes, "error.type": span.error },
  ),
  ...(span.error !== null && { status: { code: ERROR } }),
});

/** In text: such numbers are too large for JSON's. */
const nanosOf = (ms: number): string => String(BigInt(Math.round(ms * 1_000)) * 1_000n);

const attributesOf = (attributes: Attributes) =>
  Object.entries(attributes).flatMap(([key, value]) =>
    value === null
      ? []
      : [{ key, value: typeof value === "string" ? { stringValue: value } : numberOf(value) }],
  );

const numberOf = (value: number) =>
  Number.isSafeInteger(value) ? { intValue: String(value) } : { doubleValue: value };
