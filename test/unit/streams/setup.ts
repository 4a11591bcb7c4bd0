/** Streamed calls on a clock that is moved by hand, and a reader of what they tell. */
import { ToolChunk } from "../../../shared/protocol/tools.ts";
import { LineSplitter, readLines } from "../../../shared/wire/lines.ts";
import { EventParser } from "../../../shared/wire/sse.ts";
import type { Era } from "../../../sidecar/mcp/upstream.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { streamedTools } from "../../support/streamed-tools.ts";

export function startStreams(options: { era?: Era } = {}) {
  const clock = new ManualClock();
  return { clock, ...streamedTools(clock, options) };
}

/** Every chunk until the stream ends, each with the number that its event bears. */
export async function* chunksOf(stream: ReadableStream<Uint8Array>): AsyncGenerator<ToolChunk, void, void> {
  const parser = new EventParser();
  for await (const line of readLines(stream, new LineSplitter(16 * 1024 * 1024, { keepEmpty: true }))) {
    const event = parser.push(line);
    if (!event) continue;
    const chunk = ToolChunk.parse(JSON.parse(event.data));
    if (event.id !== String(chunk.seq)) throw new Error("an event bears another number than its chunk");
    yield chunk;
  }
}

/** Lets promises that are already settled have their say. */
export const settled = (): Promise<void> => new Promise((resolve) => setImmediate(resolve));
