/** Where spans go, by the names that OpenTelemetry gives these variables. */
import { z } from "zod";

export type TraceSettings = {
  /** Null: nowhere. */
  endpoint: string | null;
  headers: Readonly<Record<string, string>>;
  /** Of traces that begin here: which share of them is kept. Others are kept where whoever began them keeps them. */
  ratio: number;
};

export const NO_TRACES: TraceSettings = { endpoint: null, headers: {}, ratio: 1 };

const PAIR = /^\s*([\w!#$%&'*+.^`|~-]+)\s*=\s*([\x21-\x2b\x2d-\x7e]*)\s*$/;

const headers = z.string().transform((text, context) => {
  const pairs = text.split(",").map((pair) => PAIR.exec(pair));
  const found = pairs.flatMap((pair) => (pair ? [[pair[1] ?? "", decoded(pair[2] ?? "")] as const] : []));
  if (found.length === pairs.length) return Object.fromEntries(found);
  context.addIssue({ code: "custom", message: "has to be name=value, separated by commas" });
  return z.NEVER;
});

/** Values may be percent-encoded, as those of baggage are. */
function decoded(value: string): string {
  try {
    return decodeURIComponent(value);
  } catch {
    return value;
  }
}

export const TraceVariables = {
  OTEL_EXPORTER_OTLP_ENDPOINT: z
    .url({ protocol: /^https?$/, error: "has to be an http or https URL" })
    .optional(),
  OTEL_EXPORTER_OTLP_HEADERS: headers.optional(),
  OTEL_TRACES_SAMPLER_ARG: z
    .string()
    .regex(/^(0|1|0?\.\d{1,9}|1\.0+)$/, "has to be a number from 0 to 1")
    .transform(Number)
    .optional(),
};

const Parsed = z.object(TraceVariables);

export const traceSettings = (variables: z.infer<typeof Parsed>): TraceSettings => ({
  endpoint: variables.OTEL_EXPORTER_OTLP_ENDPOINT ?? null,
  headers: variables.OTEL_EXPORTER_OTLP_HEADERS ?? NO_TRACES.headers,
  ratio: variables.OTEL_TRACES_SAMPLER_ARG ?? NO_TRACES.ratio,
});
