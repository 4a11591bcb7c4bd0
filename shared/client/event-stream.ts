/** One connection's worth of Server-Sent Events. */
import type { Clock } from "../clock.ts";
import { HivegateError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { LineSplitter, LineTooLong, readLines } from "../wire/lines.ts";
import { EventParser, type ServerSentEvent } from "../wire/sse.ts";
import { GatewayUnreachable } from "./client-errors.ts";

/** The gateway says something every 15 s; a stream that is silent for longer is opened anew. */
const SILENCE_MS = 45_000;

/** @throws HivegateError; LineTooLong; GatewayUnreachable: the connection broke, or fell silent */
export async function* readEvents(
  open: (signal: AbortSignal) => Promise<ReadableStream<Uint8Array>>,
  clock: Clock,
  signal: AbortSignal | undefined,
): AsyncGenerator<ServerSentEvent, void, void> {
  const silence = new AbortController();
  let cancelTimer = () => {};
  const heard = () => {
    cancelTimer();
    cancelTimer = clock.after(SILENCE_MS, () => silence.abort());
  };
  heard();
  try {
    const either = signal ? AbortSignal.any([signal, silence.signal]) : silence.signal;
    const stream = await open(either);
    const splitter = new LineSplitter(LIMITS.telemetryLineBytes, { keepEmpty: true });
    const parser = new EventParser();
    for await (const line of readLines(stream, splitter)) {
      heard();
      const event = parser.push(line);
      if (event) yield event;
    }
  } catch (thrown) {
    if (thrown instanceof HivegateError || thrown instanceof LineTooLong) throw thrown;
    throw new GatewayUnreachable(undefined, thrown);
  } finally {
    cancelTimer();
  }
}
