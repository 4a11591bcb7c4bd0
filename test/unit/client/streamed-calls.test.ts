import { describe, expect, it, vi } from "vitest";
import { GatewayUnreachable, ToolFailed } from "../../../shared/client/client-errors.ts";
import { HivegateStream } from "../../../shared/client/stream.ts";
import type { ToolChunk, ToolChunkData } from "../../../shared/protocol/tools.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { FakeGateway, settled } from "./fakes.ts";

const STREAM_ID = "0192d1a0-0000-4000-8000-000000000001";

function open() {
  const clock = new ManualClock();
  const gateway = new FakeGateway();
  const stream = new HivegateStream({
    ...{ baseUrl: "https://gate.example/", hive: "default", token: "a.b.c" },
    ...{ openSocket: gateway.openSocket, clock, random: () => 1 },
  });
  gateway.welcome();
  return { clock, gateway, stream };
}

/** A streamed call, what came of it, and the gateway's part of the exchange. */
function called(
  { clock, gateway, stream }: ReturnType<typeof open>,
  signal?: AbortSignal,
  onChunk: (chunk: ToolChunk) => void = () => {},
) {
  const chunks: ToolChunk[] = [];
  const heard = (chunk: ToolChunk) => {
    chunks.push(chunk);
    onChunk(chunk);
  };
  const result = stream.callTool("demo__count", { to: 2 }, { stream: true, onChunk: heard, signal });
  result.catch(() => {});
  const asked = gateway.ofType("call_tool").at(-1);
  const id = String(asked?.id);
  const last = (type: string) => gateway.ofType(type).at(-1);
  return {
    ...{ clock, gateway, chunks, result, asked, id, last },
    started: (created = true) =>
      gateway.send({
        ...{ type: "tool_stream", requestId: String(last("call_tool")?.requestId), id },
        ...{ stream_id: STREAM_ID, created, timestamp: 1 },
      }),
    resumed: () =>
      gateway.send({
        ...{ type: "tool_stream", requestId: String(last("resume_tool")?.requestId), id },
        ...{ stream_id: STREAM_ID, created: false, timestamp: 1 },
      }),
    told(seq: number, data: ToolChunkData) {
      const done = "result" in data || "error" in data;
      const chunk: ToolChunk = { jsonrpc: "2.0", id, stream: true, stream_id: STREAM_ID, seq, data, done };
      gateway.send({ type: "tool_chunk", chunk });
    },
  };
}

const progress = (n: number): ToolChunkData => ({
  method: "notifications/progress",
  params: { progress: n },
});
const RESULT: ToolChunkData = { result: { content: [] } };

describe("HivegateStream.callTool", () => {
  it("U2 T5 tells each chunk, also one that comes before the call is known to stream, and resolves with the last", async () => {
    const call = called(open());
    expect(call.asked).toMatchObject({ tool: "demo__count", arguments: { to: 2 }, stream: true });
    call.told(1, progress(1));
    call.started();
    await settled();
    call.told(2, RESULT);
    expect(await call.result).toEqual({ content: [] });
    expect(call.chunks.map(({ seq, done }) => [seq, done])).toEqual([
      [1, false],
      [2, true],
    ]);
  });

  it("U2 T5 goes on after the last chunk seen when the connection was lost, and tells none twice", async () => {
    const call = called(open());
    call.started();
    await settled();
    call.told(1, progress(1));
    call.gateway.close(1006);
    call.clock.advance(500);
    call.gateway.welcome();
    expect(call.last("resume_tool")).toMatchObject({ stream_id: STREAM_ID, after: 1 });
    call.resumed();
    call.told(1, progress(1));
    call.told(2, RESULT);
    expect(await call.result).toEqual({ content: [] });
    expect(call.chunks.map(({ seq }) => seq)).toEqual([1, 2]);
    expect(call.gateway.ofType("call_tool")).toEqual([]);
  });

  it("U2 T5 is asked for again under the same key when the connection broke before it was known", async () => {
    const call = called(open());
    call.gateway.close(1006);
    await settled();
    call.clock.advance(500);
    call.gateway.welcome();
    await settled();
    expect(call.last("call_tool")).toMatchObject({ id: call.id, idempotencyKey: call.asked?.idempotencyKey });
    call.started(false);
    call.told(1, RESULT);
    expect(await call.result).toEqual({ content: [] });
  });

  it("U2 T5 asks again, with growing pauses, for a call that the gateway lost, and gives up one that is not there", async () => {
    const call = called(open());
    call.started();
    await settled();
    for (const pauseMs of [500, 1_000]) {
      call.gateway.send({ type: "tool_lost", stream_id: STREAM_ID, timestamp: 1 });
      const before = call.gateway.ofType("resume_tool").length;
      call.clock.advance(pauseMs - 1);
      expect(call.gateway.ofType("resume_tool").length).toBe(before);
      call.clock.advance(1);
      expect(call.gateway.ofType("resume_tool").length).toBe(before + 1);
    }
    call.gateway.send({
      ...{ type: "error", requestId: String(call.last("resume_tool")?.requestId), code: "unknown_stream" },
      ...{ message: "There is none.", retryable: false, timestamp: 1 },
    });
    await expect(call.result).rejects.toMatchObject({ code: "unknown_stream" });
  });

  it("U2 T5 is cancelled by its signal, also when nobody knew yet what it is called", async () => {
    const abort = new AbortController();
    const [one, other] = [called(open(), abort.signal), called(open(), abort.signal)];
    one.started();
    await settled();
    abort.abort(new Error("enough"));
    await expect(one.result).rejects.toThrow("enough");
    expect(one.last("cancel_tool")).toMatchObject({ stream_id: STREAM_ID });
    await expect(other.result).rejects.toThrow("enough");
    expect(other.last("cancel_tool")).toBeUndefined();
    other.started();
    await settled();
    expect(other.last("cancel_tool")).toMatchObject({ stream_id: STREAM_ID });
  });

  it("U2 T5 is cancelled and rejected when whoever listens throws, at the last chunk rejected", async () => {
    const parts = open();
    const call = called(parts, undefined, () => {
      throw new Error("mine");
    });
    call.started();
    await settled();
    call.told(1, progress(1));
    await expect(call.result).rejects.toThrow("mine");
    expect(call.last("cancel_tool")).toMatchObject({ stream_id: STREAM_ID });
    const ended = called(parts, undefined, () => {
      throw new Error("mine too");
    });
    ended.told(1, RESULT);
    await expect(ended.result).rejects.toThrow("mine too");
    ended.started();
    await settled();
    expect(parts.gateway.ofType("cancel_tool")).toHaveLength(1);
  });

  it("U2 T5 leaves nothing at its signal when it has ended", async () => {
    const { signal } = new AbortController();
    const added = vi.spyOn(signal, "addEventListener");
    const removed = vi.spyOn(signal, "removeEventListener");
    const call = called(open(), signal);
    expect(added).toHaveBeenCalledOnce();
    call.told(1, RESULT);
    await call.result;
    expect(removed.mock.calls).toEqual(added.mock.calls);
  });

  it("U2 T8 rejects with our error where it is ours, and with the server's where it is that", async () => {
    const parts = open();
    const [ours, theirs] = [called(parts), called(parts)];
    ours.told(1, { error: { code: -32010, message: "It is away.", data: { code: "mcp_unavailable" } } });
    theirs.told(1, { error: { code: -32602, message: "Count higher.", data: { least: 3 } } });
    await expect(ours.result).rejects.toMatchObject({ code: "mcp_unavailable", message: "It is away." });
    await expect(theirs.result).rejects.toEqual(
      new ToolFailed({ code: -32602, message: "Count higher.", data: { least: 3 } }),
    );
  });

  it("U2 T5 fails when the connection is closed for good, and leaves no timer", async () => {
    const parts = open();
    const call = called(parts);
    call.started();
    await settled();
    call.gateway.send({ type: "tool_lost", stream_id: STREAM_ID, timestamp: 1 });
    parts.stream.close();
    await expect(call.result).rejects.toThrow(GatewayUnreachable);
    expect(parts.clock.waiting).toBe(0);
  });

  it("U2 T2 without a stream is answered once", async () => {
    const { gateway, stream } = open();
    const [good, bad] = [stream.callTool("demo__count", {}), stream.callTool("demo__count", {})];
    const [one, other] = gateway
      .ofType("call_tool")
      .map(({ requestId }) => ({ requestId: String(requestId) }));
    gateway.send({ type: "tool_result", ...one, id: null, result: { content: [] }, timestamp: 1 });
    gateway.send({
      type: "tool_result",
      ...other,
      id: null,
      error: { code: 1, message: "no" },
      timestamp: 1,
    });
    expect(await good).toEqual({ content: [] });
    await expect(bad).rejects.toThrow(ToolFailed);
  });
});
