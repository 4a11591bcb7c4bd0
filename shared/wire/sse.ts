/** Server-Sent Events, as the task streams use them: one JSON object per event, numbered. */
export type ServerSentEvent = { id: string | null; event: string; data: string };

export const SSE_HEADERS = {
  "content-type": "text/event-stream; charset=utf-8",
  "cache-control": "no-store",
  // Tells proxies that buffer responses to let this one through as it comes.
  "x-accel-buffering": "no",
} as const;

/** `data` must be one line: JSON is. */
export const formatEvent = (event: { id: number; event: string; data: string }): string =>
  `id: ${event.id}\nevent: ${event.event}\ndata: ${event.data}\n\n`;

/** Turns lines, with empty lines kept, into events. Comments (keep-alives) are left out. */
export class EventParser {
  #id: string | null = null;
  #event = "message";
  #data: string[] = [];

  /** The event that this line completes, if any. */
  push(line: string): ServerSentEvent | null {
    if (line === "") return this.#finish();
    const colon = line.indexOf(":");
    if (colon === 0) return null;
    const field = colon === -1 ? line : line.slice(0, colon);
    const value = colon === -1 ? "" : line.slice(colon + 1).replace(/^ /, "");
    if (field === "id") this.#id = value;
    else if (field === "event") this.#event = value;
    else if (field === "data") this.#data.push(value);
    return null;
  }

  #finish(): ServerSentEvent | null {
    const event = { id: this.#id, event: this.#event, data: this.#data.join("\n") };
    const empty = this.#data.length === 0;
    this.#event = "message";
    this.#data = [];
    return empty ? null : event;
  }
}
