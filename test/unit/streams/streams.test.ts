import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { ToolChunk } from "../../../shared/protocol/tools.ts";
import { chunksOf, settled, startStreams } from "./setup.ts";

const CALL = { server: "demo", tool: "count", arguments: { to: 3 } };

const rejected = (code: string) => expect.objectContaining({ code });
const thrownBy = (act: () => unknown): unknown => {
  try {
    return act();
  } catch (thrown) {
    return thrown;
  }
};
async function read(stream: ReadableStream<Uint8Array>): Promise<ToolChunk[]> {
  const chunks: ToolChunk[] = [];
  for await (const chunk of chunksOf(stream)) chunks.push(chunk);
  return chunks;
}

/** A call that its server has heard of. */
async function begun(parts: ReturnType<typeof startStreams>, client = "ada") {
  const { streamId } = parts.streams.start(client, CALL);
  await settled();
  const call = parts.calls.at(-1);
  if (!call) throw new Error("the server was not called");
  return { streamId, call };
}

describe("streamed calls", () => {
  it("T5 are answered by an id before their server says anything, and told as it does", async () => {
    const parts = startStreams();
    const started = parts.streams.start("ada", { ...CALL, id: 7 });
    expect(started).toMatchObject({ server: "demo", tool: "count", id: 7, done: false, created: true });
    const chunks = chunksOf(parts.streams.read("ada", started.streamId, 0));
    await settled();
    const [call] = parts.calls;
    expect(call?.request).toEqual({
      method: "tools/call",
      params: { name: "count", arguments: { to: 3 }, _meta: { progressToken: started.streamId } },
    });
    expect(call?.exchange).toMatchObject({ client: "ada", timeoutMs: LIMITS.toolStreamSilenceMs });
    call?.progress(1);
    expect((await chunks.next()).value).toMatchObject({
      ...{ id: 7, stream: true, stream_id: started.streamId, seq: 1, done: false },
      data: { method: "notifications/progress", params: { progress: 1 } },
    });
    call?.answer({ result: { content: [] } });
    expect((await chunks.next()).value).toMatchObject({
      seq: 2,
      data: { result: { content: [] } },
      done: true,
    });
    expect((await chunks.next()).done).toBe(true);
  });

  it("T5 go on after the last chunk that was seen, also when they are over", async () => {
    const parts = startStreams();
    const { streamId, call } = await begun(parts);
    for (const n of [1, 2, 3]) call.progress(n);
    call.answer({ error: { code: -32602, message: "Count higher." } });
    await settled();
    const seqs = (await read(parts.streams.read("ada", streamId, 2))).map(({ seq }) => seq);
    expect(seqs).toEqual([3, 4]);
    // The last chunk is told in any case, also to a reader who is further than there are chunks.
    for (const after of [3, 4, 99])
      expect(await read(parts.streams.read("ada", streamId, after))).toHaveLength(1);
    const [last] = await read(parts.streams.read("ada", streamId, 99));
    expect(last).toMatchObject({ data: { error: { code: -32602, message: "Count higher." } }, done: true });
  });

  it("T5 tell their server when they are cancelled, and end with that", async () => {
    const parts = startStreams();
    const { streamId, call } = await begun(parts);
    const chunks = read(parts.streams.read("ada", streamId, 0));
    parts.streams.cancel("ada", streamId);
    expect(call.exchange.signal.aborted).toBe(true);
    expect(await chunks).toMatchObject([{ data: { error: { data: { code: "cancelled" } } }, done: true }]);
    expect(parts.streams.cancel("ada", streamId)).toMatchObject({ done: true });
  });

  it("T5 S8 are their client's alone: to another they do not exist", async () => {
    const parts = startStreams();
    const { streamId, call } = await begun(parts);
    const { streams } = parts;
    for (const act of [
      () => streams.get("eve", streamId),
      () => streams.read("eve", streamId, 0),
      () => streams.cancel("eve", streamId),
      () => streams.get("ada", crypto.randomUUID()),
    ])
      expect(thrownBy(act)).toEqual(rejected("unknown_stream"));
    expect(call.exchange.signal.aborted).toBe(false);
  });

  it("T5 are begun once under one key, which is of one client and one request", async () => {
    const { streams, calls } = startStreams();
    const keyed = { ...CALL, key: "k" };
    const first = streams.start("ada", keyed);
    expect(streams.start("ada", keyed)).toEqual({ ...first, created: false });
    expect(streams.start("bob", keyed).created).toBe(true);
    const other = () => streams.start("ada", { ...keyed, arguments: {} });
    expect(thrownBy(other)).toEqual(rejected("idempotency_conflict"));
    await settled();
    expect(calls.length).toBe(2);
  });

  it("T5 S6 are cancelled when nobody has read them for two minutes", async () => {
    const parts = startStreams();
    const { streamId, call } = await begun(parts);
    const reader = parts.streams.read("ada", streamId, 0).getReader();
    parts.clock.advance(LIMITS.toolStreamUnreadMs + 1);
    expect(call.exchange.signal.aborted).toBe(false);
    await reader.cancel();
    parts.clock.advance(LIMITS.toolStreamUnreadMs - 1);
    expect(call.exchange.signal.aborted).toBe(false);
    parts.clock.advance(1);
    expect(call.exchange.signal.aborted).toBe(true);
    await settled();
    const [last] = await read(parts.streams.read("ada", streamId, 0));
    expect(last).toMatchObject({ data: { error: { data: { code: "cancelled", retryable: false } } } });
  });

  it("T5 S6 are forgotten five minutes after their end, and leave no timer", async () => {
    const parts = startStreams();
    const { streamId, call } = await begun(parts);
    call.answer({ result: {} });
    await settled();
    parts.clock.advance(LIMITS.toolStreamKeptMs - 1);
    expect(parts.streams.get("ada", streamId).done).toBe(true);
    parts.clock.advance(1);
    expect(thrownBy(() => parts.streams.get("ada", streamId))).toEqual(rejected("unknown_stream"));
    expect(parts.clock.waiting).toBe(0);
  });

  it("T5 S6 are limited by client and in all; those that are over make room", async () => {
    const parts = startStreams();
    const { streams } = parts;
    const over = await begun(parts, "greedy");
    for (let n = 1; n < LIMITS.toolStreamsPerClient; n++) streams.start("greedy", CALL);
    expect(thrownBy(() => streams.start("greedy", CALL))).toEqual(rejected("overloaded"));
    over.call.answer({ result: {} });
    await settled();
    streams.start("greedy", CALL);
    expect(thrownBy(() => streams.get("greedy", over.streamId))).toEqual(rejected("unknown_stream"));
    for (let n = LIMITS.toolStreamsPerClient; n < LIMITS.toolStreams; n++) streams.start(`client-${n}`, CALL);
    expect(thrownBy(() => streams.start("one more", CALL))).toEqual(rejected("overloaded"));
  });

  it("T5 S6 hold so much together: the first that ended go, were they read by somebody who does not read", async () => {
    const parts = startStreams();
    const large = { result: { text: "x".repeat(LIMITS.toolStreamsBytes / 8) } };
    const slow = await begun(parts);
    const ended: string[] = [];
    for (let n = 0; n < 10; n++) {
      const { streamId, call } = await begun(parts);
      parts.streams.read("ada", streamId, 0);
      call.answer(large);
      await settled();
      ended.push(streamId);
    }
    slow.call.answer({ result: {} });
    await settled();
    expect(parts.streams.figures().bytes).toBeLessThanOrEqual(LIMITS.toolStreamsBytes);
    const isKnown = (streamId: string) =>
      !(thrownBy(() => parts.streams.get("ada", streamId)) instanceof Error);
    expect(ended.map(isKnown)).toEqual(ended.map((_, n) => n >= 3));
    expect(isKnown(slow.streamId)).toBe(true);
  });

  it("T5 are not made again under their key where they had to make room, until their time is over", async () => {
    const parts = startStreams();
    const keyed = { ...CALL, key: "k" };
    parts.streams.start("ada", keyed);
    await settled();
    parts.calls[0]?.answer({ result: {} });
    await settled();
    for (let n = 0; n < LIMITS.toolStreamsPerClient; n++) parts.streams.start("ada", CALL);
    await settled();
    const { length } = parts.calls;
    expect(thrownBy(() => parts.streams.start("ada", keyed))).toEqual(rejected("unknown_stream"));
    expect(parts.streams.start("bob", keyed).created).toBe(true);
    await settled();
    parts.clock.advance(LIMITS.toolStreamKeptMs);
    await settled();
    expect(parts.streams.start("ada", keyed).created).toBe(true);
    await settled();
    expect(parts.calls).toHaveLength(length + 2);
  });

  it("T5 S6 are read by so many at a time, and leave room for other requests to the sidecar", async () => {
    const parts = startStreams();
    const { streamId } = await begun(parts);
    const open = Array.from({ length: LIMITS.toolReadersPerClient }, () =>
      parts.streams.read("ada", streamId, 0),
    );
    expect(thrownBy(() => parts.streams.read("ada", streamId, 0))).toEqual(rejected("overloaded"));
    await open[0]?.cancel();
    await parts.streams.read("ada", streamId, 0).cancel();
    const streams = LIMITS.taskStreams + LIMITS.toolReaders + LIMITS.telemetryReaders + LIMITS.relayLinks;
    expect(streams).toBeLessThan(LIMITS.sidecarConnections - 200);
  });

  it("S6 T5 say how many there are, and what they hold", async () => {
    const parts = startStreams();
    const { streamId, call } = await begun(parts);
    await begun(parts, "bob");
    parts.streams.read("ada", streamId, 0);
    expect(parts.streams.figures()).toEqual({ underWay: 2, kept: 0, readers: 1, bytes: 0 });
    call.answer({ result: {} });
    await settled();
    expect(parts.streams.figures()).toMatchObject({ underWay: 1, kept: 1, bytes: expect.any(Number) });
    expect(parts.streams.figures().bytes).toBeGreaterThan(100);
  });

  it("T5 show that they live while their server is silent", async () => {
    const parts = startStreams();
    const { streamId } = await begun(parts);
    const reader = parts.streams.read("ada", streamId, 0).getReader();
    const next = reader.read();
    await settled();
    parts.clock.advance(15_000);
    expect(new TextDecoder().decode((await next).value)).toBe(": keep-alive\n\n");
  });

  it("T5 T8 tell in the one vocabulary what kept their server from answering", async () => {
    const parts = startStreams();
    const { streamId, call } = await begun(parts);
    call.fail(new HivegateError("mcp_unavailable"));
    const [last] = await read(parts.streams.read("ada", streamId, 0));
    expect(last?.data).toMatchObject({
      error: { code: -32010, data: { code: "mcp_unavailable", retryable: true } },
    });
    expect(thrownBy(() => parts.streams.start("ada", { ...CALL, server: "none" }))).toEqual(
      rejected("unknown_server"),
    );
  });

  it("T5 end when the sidecar stops, and so do their calls", async () => {
    const parts = startStreams();
    const { streamId, call } = await begun(parts);
    const chunks = read(parts.streams.read("ada", streamId, 0));
    parts.streams.close();
    expect(await chunks).toEqual([]);
    expect(call.exchange.signal.aborted).toBe(true);
    expect(thrownBy(() => parts.streams.start("ada", CALL))).toEqual(rejected("shutting_down"));
    expect(parts.clock.waiting).toBe(0);
  });

  it("T5 are made in the words of a 2026 server, whose questions they cannot answer", async () => {
    const parts = startStreams({ era: "2026" });
    const { streamId, call } = await begun(parts);
    expect(call.request.params._meta).toMatchObject({
      "io.modelcontextprotocol/protocolVersion": "2026-07-28",
      "io.modelcontextprotocol/clientCapabilities": {},
      progressToken: streamId,
    });
    expect(call.exchange.onRequest).toBeUndefined();
    call.answer({ result: { resultType: "input_required", inputRequests: {} } });
    const [last] = await read(parts.streams.read("ada", streamId, 0));
    expect(last).toMatchObject({ data: { error: { data: { code: "not_supported" } } }, done: true });
  });
});
