import { describe, expect, it } from "vitest";
import { z } from "zod";
import { LIMITS } from "../../../shared/limits.ts";
import { ToolChunk } from "../../../shared/protocol/tools.ts";
import { ToolFeeds } from "../../../worker/session/tool-feed.ts";
import { settled } from "./setup.ts";

const Frame = z.object({ type: z.literal("tool_chunk"), chunk: ToolChunk });
const STREAM = "0192d1a0-0000-4000-8000-000000000001";

const chunk = (seq: number, done = false): ToolChunk => ({
  ...{ jsonrpc: "2.0", id: null, stream: true, stream_id: STREAM, seq, done },
  data: done ? { result: {} } : { method: "notifications/progress", params: { progress: seq } },
});

/** Sessions by name, and streams whose chunks come when the test says. */
function setUp() {
  const streams: {
    after: number;
    signal: AbortSignal;
    push(chunk: ToolChunk): void;
    end(): void;
    fail(): void;
  }[] = [];
  const delivered: [string, number][] = [];
  const lost: [string, string][] = [];
  const reading = new Set<string>();
  const rooms = new Map<string, PromiseWithResolvers<boolean>>();
  const feeds = new ToolFeeds<string>({
    async *open(_, __, after, signal) {
      const pipe = new TransformStream<ToolChunk, ToolChunk>(undefined, undefined, { highWaterMark: 100 });
      const writer = pipe.writable.getWriter();
      writer.closed.catch(() => {});
      signal.addEventListener("abort", () => void writer.abort(signal.reason).catch(() => {}));
      streams.push({
        ...{ after, signal },
        push: (next) => void writer.write(next).catch(() => {}),
        end: () => void writer.close(),
        fail: () => void writer.abort(new Error("the connection is lost")),
      });
      for await (const next of pipe.readable) yield { chunk: next, text: JSON.stringify(next) };
    },
    deliver: (reader, text) => void delivered.push([reader, Frame.parse(JSON.parse(text)).chunk.seq]),
    hasRoom: (reader) => !rooms.has(reader),
    whenRoom: async (reader) => (await rooms.get(reader)?.promise) ?? true,
    lost: (reader, streamId) => void lost.push([reader, streamId]),
    reads: (reader, anything) => void (anything ? reading.add(reader) : reading.delete(reader)),
    log: () => {},
  });
  return { feeds, streams, delivered, lost, reading, rooms };
}

describe("streamed calls that sessions read", () => {
  it("T5 are handed on as they come, until the last chunk", async () => {
    const { feeds, streams, delivered, lost, reading } = setUp();
    feeds.read("ada", STREAM, 1);
    await settled();
    expect(streams[0]?.after).toBe(1);
    streams[0]?.push(chunk(2));
    await settled();
    expect(delivered).toEqual([["ada", 2]]);
    expect(reading.has("ada")).toBe(true);
    streams[0]?.push(chunk(3, true));
    streams[0]?.end();
    await settled();
    expect(delivered.at(-1)).toEqual(["ada", 3]);
    expect(lost).toEqual([]);
    expect(reading.has("ada")).toBe(false);
  });

  it.each(["end", "fail"] as const)(
    "T5 are told to be lost when their stream does %s before the call",
    async (how) => {
      const { feeds, streams, lost, reading } = setUp();
      feeds.read("ada", STREAM, 0);
      await settled();
      streams[0]?.push(chunk(1));
      await settled();
      streams[0]?.[how]();
      await settled();
      expect(lost).toEqual([["ada", STREAM]]);
      expect(reading.size).toBe(0);
    },
  );

  it("T5 S5 wait for a session that is behind, and are lost to one that stays behind", async () => {
    const { feeds, streams, delivered, lost, rooms } = setUp();
    const room = Promise.withResolvers<boolean>();
    rooms.set("slow", room);
    feeds.read("slow", STREAM, 0);
    feeds.read("quick", STREAM, 0);
    await settled();
    for (const { push } of streams) push(chunk(1));
    await settled();
    expect(delivered).toEqual([["quick", 1]]);
    room.resolve(true);
    await settled();
    expect(delivered).toContainEqual(["slow", 1]);
    rooms.set("slow", Promise.withResolvers());
    streams[0]?.push(chunk(2));
    await settled();
    rooms.get("slow")?.resolve(false);
    await settled();
    expect(lost).toEqual([["slow", STREAM]]);
    expect(delivered).not.toContainEqual(["slow", 2]);
  });

  it("T5 are read once by a session that asks again, from where it says", async () => {
    const { feeds, streams, delivered, lost } = setUp();
    feeds.read("ada", STREAM, 0);
    await settled();
    feeds.read("ada", STREAM, 4);
    await settled();
    expect(streams.map(({ after, signal }) => [after, signal.aborted])).toEqual([
      [0, true],
      [4, false],
    ]);
    streams[1]?.push(chunk(5));
    await settled();
    expect(delivered).toEqual([["ada", 5]]);
    expect(lost).toEqual([]);
  });

  it("T5 S6 are limited by session; what it reads already is not counted twice", () => {
    const { feeds } = setUp();
    const ids = Array.from({ length: LIMITS.toolStreamsPerSession }, (_, n) => `stream ${n}`);
    for (const id of ids) feeds.read("ada", id, 0);
    expect(() => feeds.read("ada", "one more", 0)).toThrow(expect.objectContaining({ code: "overloaded" }));
    expect(() => feeds.read("ada", "stream 3", 7)).not.toThrow();
    expect(() => feeds.mayRead("bob")).not.toThrow();
  });

  it("T5 end with their session; one that may see them no more is told", async () => {
    const { feeds, streams, lost, reading } = setUp();
    feeds.read("ada", STREAM, 0);
    feeds.read("bob", STREAM, 0);
    await settled();
    feeds.leaveAll("ada");
    feeds.loseAll("bob");
    await settled();
    expect(streams.map(({ signal }) => signal.aborted)).toEqual([true, true]);
    expect(lost).toEqual([["bob", STREAM]]);
    expect(reading.has("bob")).toBe(false);
  });
});
