import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ToolChunk } from "../../../shared/protocol/tools.ts";
import { EventParser } from "../../../shared/wire/sse.ts";
import { ChunkBuffer } from "../../../sidecar/mcp/streams/chunk-buffer.ts";

const STREAM_ID = "0192d1a0-0000-4000-8000-000000000001";
const AMPLE = { bytes: 1_000_000, chunks: 1_000 };

const buffer = (limits = AMPLE) => new ChunkBuffer({ id: "call", streamId: STREAM_ID }, limits);
const said = (text: string) => ({ method: "notifications/message", params: { text } });

function chunksIn(events: Uint8Array): ToolChunk[] {
  const parser = new EventParser();
  const lines = new TextDecoder().decode(events).split("\n");
  return lines.flatMap((line) => {
    const event = parser.push(line);
    return event ? [ToolChunk.parse(JSON.parse(event.data))] : [];
  });
}

/** All that there is for a reader who has seen up to `after`. */
function readAll(chunks: ChunkBuffer, after: number): ToolChunk[] {
  const all: ToolChunk[] = [];
  for (let page = chunks.read(after); page; page = chunks.read(page.last)) all.push(...chunksIn(page.events));
  return all;
}

describe("the chunks of a streamed call", () => {
  it("S6 end with another last one where the first cannot be written", () => {
    const chunks = buffer();
    const cyclic: Record<string, unknown> = {};
    cyclic.itself = cyclic;
    expect(() => chunks.end({ result: cyclic })).toThrow();
    expect(chunks.isDone).toBe(false);
    chunks.end({ error: { code: -32603, message: "no" } });
    expect(readAll(chunks, 0)).toMatchObject([{ seq: 1, done: true, data: { error: { code: -32603 } } }]);
  });

  it("T5 are numbered from 1, and the last one says that it is", () => {
    const chunks = buffer();
    chunks.add(said("one"));
    chunks.end({ result: { content: [] } });
    expect(readAll(chunks, 0)).toEqual([
      {
        jsonrpc: "2.0",
        id: "call",
        stream: true,
        stream_id: STREAM_ID,
        seq: 1,
        data: said("one"),
        done: false,
      },
      {
        ...{ jsonrpc: "2.0", id: "call", stream: true, stream_id: STREAM_ID, seq: 2 },
        ...{ data: { result: { content: [] } }, done: true },
      },
    ]);
    expect(chunks.read(2)).toBeNull();
  });

  it("T5 end once: what a server says after its answer is nothing of the call", () => {
    const chunks = buffer();
    chunks.end({ result: {} });
    chunks.add(said("late"));
    chunks.end({ error: { code: 1, message: "twice" } });
    expect(readAll(chunks, 0).map(({ data }) => data)).toEqual([{ result: {} }]);
  });

  it("S6 T5 are bounded: the oldest go, readers are told how many, and a large answer takes nothing's place", () => {
    const chunks = buffer({ bytes: 1_000_000, chunks: 3 });
    for (let n = 1; n <= 5; n++) chunks.add(said(`${n}`));
    chunks.end({ result: { text: "x".repeat(2_000_000) } });
    const all = readAll(chunks, 0);
    expect(all.map(({ seq }) => seq)).toEqual([2, 3, 4, 5, 6]);
    expect(all[0]?.data).toEqual({ missed: 2 });
    expect(readAll(chunks, 1)[0]?.data).toEqual({ missed: 1 });
    expect(readAll(chunks, 2)[0]?.data).toEqual(said("3"));
  });

  it("T5 account for every number, whatever is kept and whoever reads when", () => {
    const step = fc.oneof(
      fc.record({ do: fc.constant("add" as const), chars: fc.integer({ min: 0, max: 400 }) }),
      fc.record({ do: fc.constant("read" as const), reader: fc.integer({ min: 0, max: 2 }) }),
    );
    const limits = fc.record({
      bytes: fc.integer({ min: 1, max: 3_000 }),
      chunks: fc.integer({ min: 1, max: 8 }),
    });
    fc.assert(
      fc.property(limits, fc.array(step, { maxLength: 60 }), (given, steps) => {
        const chunks = buffer(given);
        const readers = [0, 0, 0];
        let added = 0;
        const read = (reader: number) => {
          for (const { seq, data } of readAll(chunks, readers[reader] ?? 0)) {
            const missed = "missed" in data ? data.missed : 0;
            expect(seq).toBe((readers[reader] ?? 0) + Math.max(1, missed));
            if ("params" in data) expect(data.params.text).toMatch(new RegExp(`^${seq}:`));
            readers[reader] = seq;
          }
          expect(readers[reader]).toBe(added);
        };
        for (const each of steps) {
          if (each.do === "add") chunks.add(said(`${++added}:${"x".repeat(each.chars)}`));
          else read(each.reader);
          expect(chunks.bytes <= given.bytes || readAll(chunks, added - 1).length === 1).toBe(true);
        }
        for (const reader of [0, 1, 2]) read(reader);
      }),
    );
  });
});
