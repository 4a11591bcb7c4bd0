import type { FetchLike } from "@modelcontextprotocol/client";
import { Agent, fetch } from "undici";
import { LIMITS } from "../../../shared/limits.ts";

/** A server said more in one message than we hold. */
export class AnswerTooLong extends Error {
  constructor() {
    super(`an answer, or an event of one, is longer than ${LIMITS.mcpLineBytes} bytes`);
    this.name = "AnswerTooLong";
  }
}

/**
 * `fetch` over connections of its own, for one server. A body, or an event of a stream, that is too long breaks the answer
 * off. Nothing else ends an answer that is open: whoever waits for it has a limit, and a stream may be silent.
 */
export function limitedFetch(): { fetch: FetchLike; close(): Promise<void> } {
  const dispatcher = new Agent({
    headersTimeout: 0,
    bodyTimeout: 0,
    connect: { timeout: LIMITS.mcpConnectTimeoutMs },
  });
  return {
    fetch: async (url, { method = "GET", headers = {}, body, redirect = "follow", signal = null } = {}) => {
      const response = await fetch(url, {
        ...{ dispatcher, method, redirect, signal },
        headers: Object.fromEntries(new Headers(headers)),
        body: typeof body === "string" ? body : null,
      });
      const { status, statusText } = response;
      const answer = { status, statusText, headers: Object.fromEntries(response.headers) };
      const isStream = answer.headers["content-type"]?.startsWith("text/event-stream") ?? false;
      return new Response(response.body?.pipeThrough(limited(isStream)) ?? null, answer);
    },
    close: () => dispatcher.destroy(),
  };
}

/** `perEvent`: the limit is for each event, up to its empty line, not for all. */
function limited(perEvent: boolean): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  const event = new EventSize();
  let bodyBytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      bodyBytes += chunk.length;
      if ((perEvent ? event.add(chunk) : bodyBytes) > LIMITS.mcpLineBytes)
        controller.error(new AnswerTooLong());
      else controller.enqueue(chunk);
    },
  });
}

const LINE_FEED = 10;
const CARRIAGE_RETURN = 13;

/** How much of an event has come that has not ended: whoever reads the stream holds it until its empty line. */
export class EventSize {
  #bytes = 0;
  /** Of the line that has not ended. */
  #lineBytes = 0;
  #lastByte: number | undefined;

  /** Bytes of the event that is open after `chunk`. */
  add(chunk: Uint8Array): number {
    let start = 0;
    for (let end = chunk.indexOf(LINE_FEED); end !== -1; end = chunk.indexOf(LINE_FEED, start)) {
      const lineBytes = this.#lineBytes + end - start;
      const before = end > start ? chunk[end - 1] : this.#lastByte;
      const isEmpty = lineBytes === 0 || (lineBytes === 1 && before === CARRIAGE_RETURN);
      this.#bytes = isEmpty ? 0 : this.#bytes + end + 1 - start;
      this.#lineBytes = 0;
      start = end + 1;
    }
    const rest = chunk.length - start;
    this.#lineBytes += rest;
    this.#bytes += rest;
    this.#lastByte = chunk.at(-1) ?? this.#lastByte;
    return this.#bytes;
  }
}
