/**
 * A task's events as Server-Sent Events. A reader draws from the ledger at its own pace and is only woken by
 * what happens, so history and live output are one thing and a slow reader costs no memory.
 */
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { OnlyEvents } from "../../shared/protocol/sidecar.ts";
import { hasEnded, type TaskEvent } from "../../shared/swarm/task.ts";
import { formatEvent } from "../../shared/wire/sse.ts";
import type { Ledger } from "./ledger.ts";

/** Events taken from the ledger at a time; fewer when their lines are long. */
const PAGE_EVENTS = 512;

/** Who reads, from after which event on, and the one kind of events that is wanted; null: all. */
export type EventsReader = { client: string; after: number; only: OnlyEvents | null };

export class TaskOutput {
  readonly #ledger: Ledger;
  readonly #keepAliveMs: number;
  readonly #readers = new Map<string, Set<WakeUp>>();
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
    const signal = new WakeUp(client, only);
    const leave = this.#enter(taskId, signal);
    let position = after;

    const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
      try {
        const bytes = await next();
        if (bytes) return controller.enqueue(bytes);
        leave();
        if (signal.open) controller.close();
      } catch (thrown) {
        leave();
        throw thrown;
      }
    };
    /** What comes next, or null when nothing more will. */
    const next = async (): Promise<Uint8Array | null> => {
      while (signal.open) {
        // Nothing is awaited between looking and waiting, so no wake-up is missed.
        const events = this.#ledger.events(taskId, position, PAGE_EVENTS, only);
        position = events.at(-1)?.seq ?? position;
        if (events.length > 0) return encodeEvents(events);
        if (this.#closed || this.#isOver(taskId)) return null;
        if ((await signal.wait(this.#keepAliveMs)) === "timeout") return KEEP_ALIVE;
      }
      return null;
    };
    const cancel = (): void => {
      signal.close();
      leave();
    };
    return new ReadableStream({ pull, cancel }, { highWaterMark: 0 });
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

  #enter(taskId: string, reader: WakeUp): () => void {
    const everybody = [...this.#readers.values()].flatMap((readers) => [...readers]);
    const own = everybody.filter(({ client }) => client === reader.client);
    if (own.length >= LIMITS.taskStreamsPerClient || everybody.length >= LIMITS.taskStreams)
      throw new HivegateError(
        "overloaded",
        "Too many event streams are open. Close some, or try again later.",
      );
    const readers = this.#readers.get(taskId) ?? new Set<WakeUp>();
    this.#readers.set(taskId, readers.add(reader));
    return () => {
      readers.delete(reader);
      if (readers.size === 0 && this.#readers.get(taskId) === readers) this.#readers.delete(taskId);
    };
  }
}

/** One waiter that can be woken; it waits only while nobody has anything for it. */
class WakeUp {
  readonly client: string;
  readonly only: OnlyEvents | null;
  open = true;
  #wake: () => void = () => {};

  constructor(client: string, only: OnlyEvents | null) {
    this.client = client;
    this.only = only;
  }

  wake(): void {
    this.#wake();
  }

  close(): void {
    this.open = false;
    this.#wake();
  }

  async wait(timeoutMs: number): Promise<"woken" | "timeout"> {
    let timer: NodeJS.Timeout | undefined;
    try {
      return await new Promise((resolve) => {
        this.#wake = () => resolve("woken");
        timer = setTimeout(() => resolve("timeout"), timeoutMs);
      });
    } finally {
      clearTimeout(timer);
    }
  }
}

const encoder = new TextEncoder();
const KEEP_ALIVE = encoder.encode(": keep-alive\n\n");

const encodeEvents = (events: TaskEvent[]): Uint8Array =>
  encoder.encode(
    events
      .map((event) => formatEvent({ id: event.seq, event: event.kind, data: JSON.stringify(event) }))
      .join(""),
  );
