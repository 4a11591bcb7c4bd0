/** One stream of a session's messages over any number of connections: a client that lost it comes back to it. */
import type { MessageSink } from "./answer.ts";
import type { EventLog } from "./event-log.ts";
import { EventStream, event, type KeepAlive } from "./event-stream.ts";

export type ChannelOptions = {
  name: string;
  /** Who reads it. */
  client: string;
  log: EventLog;
  pulse: KeepAlive;
  /** Whether its streams begin with an event without data, by whose id a client can come back at once. */
  isPrimed: boolean;
  /** Hears that a stream was opened (1) or is over (-1). */
  onStream(by: 1 | -1): void;
};

/** How soon a client that lost its stream should come back. */
const RETRY_MS = 1_000;
const PRIMER = "";

export class Channel implements MessageSink {
  readonly name: string;
  readonly #options: ChannelOptions;
  #live: EventStream | null = null;
  #isOver = false;

  constructor(options: ChannelOptions) {
    this.#options = options;
    this.name = options.name;
  }

  get isOver(): boolean {
    return this.#isOver;
  }

  /** A new connection to it, which takes the place of the one before. */
  get body(): ReadableStream<Uint8Array> {
    return this.open(null);
  }

  /** `after`: the number of the last event that the client has; null when it has none. */
  open(after: number | null): ReadableStream<Uint8Array> {
    const { pulse, client, log, isPrimed, name } = this.#options;
    this.#hangUp();
    const stream = new EventStream(pulse, client);
    this.#live = stream;
    this.#options.onStream(1);
    stream.onGone = () => {
      if (this.#live === stream) this.#live = null;
      this.#options.onStream(-1);
    };
    if (after !== null) {
      for (const { id, text } of log.after(name, after)) if (text !== PRIMER) stream.write(event(text, id));
    } else if (isPrimed) stream.write(`id: ${log.append(name, PRIMER)}\nretry: ${RETRY_MS}\ndata: \n\n`);
    if (this.#isOver) this.#hangUp();
    return stream.body;
  }

  send(text: string, comment = ""): void {
    if (this.#isOver) return;
    const id = this.#options.log.append(this.name, text);
    this.#live?.write(event(text, id) + comment);
  }

  /** Nothing comes any more; what came stays in the log for a while. */
  end(): void {
    this.#isOver = true;
    this.#hangUp();
  }

  #hangUp(): void {
    const stream = this.#live;
    if (!stream) return;
    this.#live = null;
    stream.end();
    this.#options.onStream(-1);
  }
}
