import type { FetchLike } from "@modelcontextprotocol/client";
import { Agent, fetch } from "undici";
import { LIMITS } from "../../../shared/limits.ts";

/** A server said more in one message than we hold. */
export class AnswerTooLong extends Error {
  constructor() {
    super(`an answer, or a line of one, is longer than ${LIMITS.mcpLineBytes} bytes`);
    this.name = "AnswerTooLong";
  }
}

/**
 * `fetch` over connections of its own, for one server. A body, or a line of an event stream, that is too long breaks the
 * answer off. Nothing else ends an answer that is open: whoever waits for it has a limit, and a stream may be silent.
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

/** `perLine`: the limit is for each line, not for all. */
function limited(perLine: boolean): TransformStream<Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>> {
  let heldBytes = 0;
  return new TransformStream({
    transform(chunk, controller) {
      const lastEnd = perLine ? chunk.lastIndexOf(10) : -1;
      heldBytes = lastEnd === -1 ? heldBytes + chunk.length : chunk.length - lastEnd - 1;
      if (heldBytes > LIMITS.mcpLineBytes) controller.error(new AnswerTooLong());
      else controller.enqueue(chunk);
    },
  });
}
