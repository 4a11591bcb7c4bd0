/** The body of one answer as Server-Sent Events, written as they come. */
import type { Clock } from "../../../shared/clock.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { OpenRequests } from "./open-requests.ts";

export const event = (data: string, id: string | null = null): string =>
  id === null ? `event: message\ndata: ${data}\n\n` : `id: ${id}\nevent: message\ndata: ${data}\n\n`;

const KEEP_ALIVE = ":\n\n";
const bytes = new TextEncoder();

/** Ends when its writer or its reader ends it, and when the reader leaves too much unread. */
export class EventStream {
  readonly body: ReadableStream<Uint8Array>;
  /** Who reads it. */
  readonly client: string;
  readonly #pulse: KeepAlive;
  #controller: ReadableStreamDefaultController<Uint8Array> | null = null;
  /** Called once, unless the writer itself ends the stream: nobody reads any more. */
  onGone: () => void = () => {};

  constructor(pulse: KeepAlive, client: string) {
    this.#pulse = pulse;
    this.client = client;
    this.body = new ReadableStream<Uint8Array>(
      {
        start: (controller) => {
          this.#controller = controller;
        },
        cancel: () => this.#over(),
      },
      new ByteLengthQueuingStrategy({ highWaterMark: LIMITS.mcpStreamUnreadBytes }),
    );
    pulse.add(this);
  }

  get isOpen(): boolean {
    return this.#controller !== null;
  }

  write(text: string): void {
    const controller = this.#controller;
    if (!controller) return;
    // What was there before counts, not this message: a large answer alone is no fault of its reader.
    if ((controller.desiredSize ?? 0) <= 0) {
      controller.error(new Error("the client reads too slowly"));
      this.#over();
      return;
    }
    controller.enqueue(bytes.encode(text));
  }

  keepAlive(): void {
    this.write(KEEP_ALIVE);
  }

  end(): void {
    const controller = this.#controller;
    if (!controller) return;
    this.#controller = null;
    this.#pulse.remove(this);
    controller.close();
  }

  #over(): void {
    if (!this.#controller) return;
    this.#controller = null;
    this.#pulse.remove(this);
    this.onGone();
  }
}

/** An answer that is waited for. `beat` comes now and then, until `KeepAlive.answered`. */
export interface Awaited {
  beat(): void;
}

/**
 * Lets all open streams say something now and then, and all answers that are waited for become streams when that takes
 * long, by one timer that is there only while there are any.
 */
export class KeepAlive {
  readonly #streams = new Set<EventStream>();
  readonly #awaited = new Set<Awaited>();
  readonly #clock: Clock;
  readonly #open: OpenRequests;
  #stop: (() => void) | null = null;

  constructor(clock: Clock, open: OpenRequests) {
    this.#clock = clock;
    this.#open = open;
  }

  /** How many streams there are. */
  get size(): number {
    return this.#streams.size;
  }

  add(stream: EventStream): void {
    this.#streams.add(stream);
    this.#open.add(stream.client);
    this.#start();
  }

  remove(stream: EventStream): void {
    if (!this.#streams.delete(stream)) return;
    this.#open.end(stream.client);
    this.#rest();
  }

  await(answer: Awaited): void {
    this.#awaited.add(answer);
    this.#start();
  }

  answered(answer: Awaited): void {
    if (this.#awaited.delete(answer)) this.#rest();
  }

  #start(): void {
    this.#stop ??= this.#clock.after(LIMITS.mcpKeepAliveMs, () => this.#beat());
  }

  #rest(): void {
    if (this.#streams.size + this.#awaited.size > 0) return;
    this.#stop?.();
    this.#stop = null;
  }

  #beat(): void {
    this.#stop = null;
    for (const answer of this.#awaited) answer.beat();
    for (const stream of this.#streams) stream.keepAlive();
    if (this.#streams.size + this.#awaited.size > 0) this.#start();
  }
}
