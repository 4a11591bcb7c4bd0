/** Does what a client asks of a tool, and has it remembered however it ends. */
import { asHivegateError } from "../../shared/errors.ts";
import type { TraceHeaders, Tracer } from "../../shared/trace/tracer.ts";
import type { Defer, ToolEvent, ToolEvents } from "./events.ts";
import { type Outcome, outcomeOf } from "./outcome.ts";

export type RecordPorts = {
  events: Pick<ToolEvents, "record">;
  tracer: Pick<Tracer, "begin">;
  now(): number;
  uuid(): string;
};

export type Asked = Pick<ToolEvent, "hive" | "method" | "server" | "tool" | "requestBytes" | "arguments"> & {
  client: string;
  traceparent: string | undefined;
  tracestate?: string | undefined;
};

export const WENT_WELL: Outcome = { outcome: "ok", code: null, cache: null };

/** `act` is given the trace that goes on from here. */
export async function recorded<T>(
  { events, tracer, now, uuid }: RecordPorts,
  { traceparent, tracestate, ...asked }: Asked,
  defer: Defer,
  act: (trace: TraceHeaders | null) => Promise<T>,
  answered: (answer: T) => Outcome = () => WENT_WELL,
): Promise<T> {
  const atMs = now();
  const trace = tracer.begin(traceparent, tracestate);
  const record = (outcome: Outcome): void => {
    const durationMs = Math.max(0, now() - atMs);
    const request = { ...asked, atMs, requestId: uuid(), traceId: trace.traceId, trace };
    events.record({ ...request, ...outcome, durationMs, responseBytes: null }, defer);
  };
  try {
    const answer = await act(trace.headers);
    record(answered(answer));
    return answer;
  } catch (thrown) {
    markRecorded(thrown);
    record(outcomeOf(asHivegateError(thrown)));
    throw thrown;
  }
}

const remembered = new WeakSet<object>();

/** What ended with this is remembered: nobody else has to. */
export function markRecorded(thrown: unknown): void {
  if (typeof thrown === "object" && thrown !== null) remembered.add(thrown);
}

/** Whether what was thrown ended something that is remembered already. */
export const isRecorded = (thrown: unknown): boolean =>
  typeof thrown === "object" && thrown !== null && remembered.has(thrown);
