/** A task's events over Server-Sent Events, read on across broken connections until the task has ended. */
import { type Clock, pause } from "../clock.ts";
import { type Backoff, backoffMs } from "../pressure/backoff.ts";
import type { Task, TaskEvent } from "../swarm/task.ts";
import { mayRetry } from "./client-errors.ts";
import { isFinalEvent, isFinalState, readTaskEvent } from "./decode.ts";
import { readEvents } from "./event-stream.ts";

export type TaskEventsPorts = {
  /** Opens the event stream after event number `after`. */
  open(after: number, signal: AbortSignal): Promise<ReadableStream<Uint8Array>>;
  task(): Promise<Task>;
  /** Told each time that a connection failed or broke and is going to be tried again. */
  retrying(error: unknown): void;
  clock: Clock;
  random(): number;
};

const RETRY: Backoff = { firstMs: 250, mostMs: 15_000 };

/**
 * Every event after `after`, once and in order. Ends after the task's last one, or when `signal` is aborted.
 * @throws HivegateError what cannot be helped by another try
 */
export async function* taskEvents(
  ports: TaskEventsPorts,
  after: number,
  signal: AbortSignal | undefined,
): AsyncGenerator<TaskEvent, void, void> {
  let seen = after;
  let knownOver = false;
  for (let attempt = 0; !signal?.aborted; attempt++) {
    try {
      const before = seen;
      const open = (either: AbortSignal) => ports.open(seen, either);
      for await (const { data } of readEvents(open, ports.clock, signal)) {
        const event = readTaskEvent(data);
        if (!event || event.seq <= seen) continue;
        seen = event.seq;
        attempt = 0;
        yield event;
        if (isFinalEvent(event)) return;
      }
      // It ended without the last event: either the gateway restarts, or that event was before `after`.
      if (knownOver && seen === before) return;
      knownOver = isFinalState((await ports.task()).state);
    } catch (thrown) {
      if (signal?.aborted) return;
      if (!mayRetry(thrown)) throw thrown;
      ports.retrying(thrown);
    }
    await pause(ports.clock, backoffMs(RETRY, attempt, ports.random()), signal);
  }
}
