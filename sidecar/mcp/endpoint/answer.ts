/**
 * The answer to one request: plain JSON, or a stream of events as soon as something comes before the result, or when it
 * takes long: a stream is kept alive on its way, and it is noticed when its reader has left.
 */
import { OUTCOME_HEADER, outcomeComment } from "../../../shared/protocol/tools.ts";
import { SSE_HEADERS } from "../../../shared/wire/sse.ts";
import { type Awaited, EventStream, event, type KeepAlive } from "./event-stream.ts";

/** Where messages of one request go once they are a stream. `comment` goes along with one, and is kept nowhere. */
export type MessageSink = {
  body: ReadableStream<Uint8Array>;
  send(text: string, comment?: string): void;
  end(): void;
};

export type AnswerOptions = {
  /** The headers of any answer. Read when it is decided what it is. */
  headers(): Record<string, string>;
  /** False: what comes before the result is left out. */
  mayStream: boolean;
  openSink(): MessageSink;
  pulse: KeepAlive;
};

export class Answer implements Awaited {
  readonly response: Promise<Response>;
  readonly #options: AnswerOptions;
  readonly #respond: (response: Response) => void;
  #sink: MessageSink | null = null;
  #isOver = false;
  #takesLong = false;

  constructor(options: AnswerOptions) {
    this.#options = options;
    if (options.mayStream) options.pulse.await(this);
    const { promise, resolve } = Promise.withResolvers<Response>();
    this.response = promise;
    this.#respond = resolve;
  }

  get mayStream(): boolean {
    return this.#options.mayStream;
  }

  /** Whether nothing was said yet, so that a client that leaves now cannot have heard of it. */
  get isUndecided(): boolean {
    return this.#sink === null && !this.#isOver;
  }

  /** From the second one on it has been waited for long enough. */
  beat(): void {
    if (this.#takesLong) this.#open();
    this.#takesLong = true;
  }

  /** A notification, or a request to the client. */
  before(text: string): void {
    if (this.#isOver || !this.#options.mayStream) return;
    this.#open().send(text);
  }

  end(text: string, status = 200): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#options.pulse.answered(this);
    if (this.#sink) {
      const failure = this.#options.headers()[OUTCOME_HEADER];
      this.#sink.send(text, failure && outcomeComment(failure));
      this.#sink.end();
    } else this.#respond(jsonResponse(text, status, this.#options.headers()));
  }

  #open(): MessageSink {
    if (this.#sink) return this.#sink;
    const { headers, openSink, pulse } = this.#options;
    const sink = openSink();
    this.#sink = sink;
    pulse.answered(this);
    this.#respond(new Response(sink.body, { headers: { ...headers(), ...SSE_HEADERS } }));
    return sink;
  }
}

export const jsonResponse = (text: string, status: number, headers: Record<string, string>): Response =>
  new Response(text, { status, headers: { ...headers, "content-type": "application/json" } });

/** A stream that is not come back to: when its reader leaves, `onGone`. */
export function plainSink(pulse: KeepAlive, client: string, onGone: () => void): MessageSink {
  const stream = new EventStream(pulse, client);
  stream.onGone = onGone;
  return {
    body: stream.body,
    send: (text, comment = "") => stream.write(event(text) + comment),
    end: () => stream.end(),
  };
}
