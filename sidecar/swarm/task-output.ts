/**
 * A task's events as Server-Sent Events. A reader draws from the ledger at its own pace and is only woken by
 * what happens, so history and live output are one thing and a slow reader costs no memory.
 */
import { platformClock } from "../../shared/clock.ts";
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { OnlyEvents } from "../../shared/protocol/sidecar.ts";
import { hasEnded, type TaskEvent } from "../../shared/swarm/task.ts";
import { formatEvent } from "../../shared/wire/sse.ts";
import { pulledStream } from "../http/pulled-stream.ts";
import type { Ledger } from "./ledger.ts";

/** Events taken from the ledger at a time; fewer when their lines are long. */
const PAGE_EVENTS = 512;

/** Who reads, from after which event on, and the one kind of events that is wanted; null: all. */
export type EventsReader = { client: string; after: number; only: OnlyEvents | null };

type Reader = Pick<EventsReader, "client" | "only"> & { wake(): void };

export class TaskOutput {
  readonly #ledger: Ledger;
  readonly #keepAliveMs: number;
  readonly #readers = new Map<string, Set<Reader>>();
  #closed = false;

  constructor(options: { ledger: Ledger; keepAliveMs?: number }) {
    this.#ledger = options.ledger;
    this.#keepAliveMs = options.keepAliveMs ?? 15_000;
  }

  /** Wakes the readers of a task: the ledger has more. */
  changed(taskId: string, what: "output" | "state"): void {
    for (const reader of this.#readers.get(taskId) ?? []) {
      if (what === "state" || reader.only === null) reader.wake();
    }
  }

  /**
   * The events after number `after`, then those to come, until the one in which the task ends.
   * @throws HivegateError `unknown_task`, `overloaded`, `shutting_down`
   */
  open(taskId: string, { client, after, only }: EventsReader): ReadableStream<Uint8Array> {
    if (this.#closed) throw new HivegateError("shutting_down");
    if (!this.#ledger.get(taskId)) throw new HivegateError("unknown_task");
    const reader: Reader = { client, only, wake: () => {} };
    const left = this.#enter(taskId, reader);
    let position = after;
    const next = (): Uint8Array | "nothing yet" | "over" => {
      const events = this.#ledger.events(taskId, position, PAGE_EVENTS, only);
      position = events.at(-1)?.seq ?? position;
      if (events.length > 0) return encodeEvents(events);
      return this.#closed || this.#isOver(taskId) ? "over" : "nothing yet";
    };
    const ports = { next, left, clock: platformClock, keepAliveMs: this.#keepAliveMs };
    const { body, wake } = pulledStream(ports);
    reader.wake = wake;
    return body;
  }

  /** Ends every stream; readers may come back with the number of the last event they saw. */
  close(): void {
    this.#closed = true;
    for (const taskId of this.#readers.keys()) this.changed(taskId, "state");
  }

  #isOver(taskId: string): boolean {
    const task = this.#ledger.get(taskId);
    return task === undefined || hasEnded(task.state);
  }

  #enter(taskId: string, reader: Reader): () => void {
    const everybody = [...this.#readers.values()].flatMap((readers) => [...readers]);
    const own = everybody.filter(({ client }) => client === reader.client);
    if (own.length >= LIMITS.taskStreamsPerClient || everybody.length >= LIMITS.taskStreams)
      throw new HivegateError(
        "overloaded",
        "Too many event streams are open. Close some, or try again later.",
      );
    const readers = this.#readers.get(taskId) ?? new Set<Reader>();
    this.#readers.set(taskId, readers.add(reader));
    return () => {
      readers.delete(reader);
      if (readers.size === 0 && this.#readers.get(taskId) === readers) this.#readers.delete(taskId);
    };
  }
}

const encoder = new TextEncoder();

const encodeEvents = (events: TaskEvent[]): Uint8Array =>
  encoder.encode(
    events
      .map((event) => formatEvent({ id: event.seq, event: event.kind, data: JSON.stringify(event) }))
      .join(""),
  );
