/** Does what a client asks of a tool, and has it remembered however it ends. */
import { asHivegateError, isOurFault } from "../../shared/errors.ts";
import { traceIdOf } from "../../shared/trace/context.ts";
import type { Defer, ToolEvent, ToolEvents } from "./events.ts";

export type RecordPorts = { events: Pick<ToolEvents, "record">; now(): number; uuid(): string };

export type Asked = Pick<ToolEvent, "hive" | "method" | "server" | "tool" | "requestBytes" | "arguments"> & {
  client: string;
  traceparent: string | undefined;
};

type Outcome = Pick<ToolEvent, "outcome" | "code" | "cache">;

export const WENT_WELL: Outcome = { outcome: "ok", code: null, cache: null };

export async function recorded<T>(
  { events, now, uuid }: RecordPorts,
  { traceparent, ...asked }: Asked,
  defer: Defer,
  act: () => Promise<T>,
  outcomeOf: (answer: T) => Outcome = () => WENT_WELL,
): Promise<T> {
  const atMs = now();
  const record = (outcome: Outcome): void => {
    const durationMs = Math.max(0, now() - atMs);
    const request = { ...asked, atMs, requestId: uuid(), traceId: traceIdOf(traceparent) };
    events.record({ ...request, ...outcome, durationMs, responseBytes: null }, defer);
  };
  try {
    const answer = await act();
    record(outcomeOf(answer));
    return answer;
  } catch (thrown) {
    const error = asHivegateError(thrown);
    record({ outcome: isOurFault(error) ? "error" : "refused", code: error.code, cache: null });
    throw thrown;
  }
}
