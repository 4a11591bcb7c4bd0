import { describe, expect, it } from "vitest";
import { ToolFailed } from "../../../shared/client/client-errors.ts";
import { streamTool, type ToolEventsPorts } from "../../../shared/client/tool-events.ts";
import type { ToolChunkData } from "../../../shared/protocol/tools.ts";
import { formatEvent } from "../../../shared/wire/sse.ts";
import { ManualClock } from "../../support/manual-clock.ts";
import { broken, client, events, json, noNetwork, refused } from "./answered-client.ts";
import { settled } from "./fakes.ts";

const STREAM_ID = "0192d1a0-0000-4000-8000-000000000001";
const NAMED = `event: stream\ndata: ${JSON.stringify({ stream_id: STREAM_ID })}\n\n`;
const RESULT: ToolChunkData = { result: { content: [] } };

function told(seq: number, given?: ToolChunkData): string {
  const data = given ?? { method: "notifications/progress", params: { progress: seq } };
  const chunk = {
    jsonrpc: "2.0",
    id: null,
    stream: true,
    stream_id: STREAM_ID,
    seq,
    data,
    done: Boolean(given),
  };
  return formatEvent({ id: seq, event: "chunk", data: JSON.stringify(chunk) });
}

/** A streamed call, and the numbers of its chunks as they were told. */
function called(parts: ReturnType<typeof client>, signal?: AbortSignal) {
  const seqs: number[] = [];
  const onChunk = ({ seq }: { seq: number }) => seqs.push(seq);
  const result = parts.gateway.callTool("demo__count", { to: 2 }, { stream: true, onChunk, signal });
  result.catch(() => {});
  return { seqs, result, sent: parts.sent };
}

describe("HivegateClient.callTool", () => {
  it("U2 T5 tells each chunk once across broken connections, and resolves with the result", async () => {
    const { seqs, result, sent } = called(
      client(
        broken(NAMED, told(1), told(2)),
        noNetwork,
        events(NAMED, told(2), told(3)),
        events(NAMED, told(4, RESULT)),
      ),
    );
    expect(await result).toEqual({ content: [] });
    expect(seqs).toEqual([1, 2, 3, 4]);
    expect(sent.map(({ method, path }) => `${method} ${path}`)).toEqual([
      "POST /v1/hives/default/tools/demo__count?stream=1",
      ...Array(3).fill(`GET /v1/hives/default/tools/streams/${STREAM_ID}`),
    ]);
    expect(sent[0]?.body).toEqual({ to: 2 });
    expect(sent.map(({ headers }) => headers.get("last-event-id"))).toEqual([null, "2", "2", "3"]);
  });

  it("U2 T5 is begun under the same key again while nobody knows what it is called", async () => {
    const { result, sent } = called(
      client(noNetwork, refused("sidecar_unreachable", 502), events(NAMED, told(1, RESULT))),
    );
    expect(await result).toEqual({ content: [] });
    const keys = sent.map(({ headers }) => headers.get("idempotency-key"));
    expect(keys).toHaveLength(3);
    expect(new Set(keys).size).toBe(1);
  });

  it("U2 T8 ends with what its server said, and with our errors too, however retryable: the call is over", async () => {
    const theirs: ToolChunkData = { error: { code: -32602, message: "Count higher." } };
    const ours: ToolChunkData = {
      error: { code: -32010, message: "Away.", data: { code: "mcp_unavailable" } },
    };
    await expect(called(client(events(NAMED, told(1, theirs)))).result).rejects.toThrow(ToolFailed);
    await expect(called(client(events(NAMED, told(1, ours)))).result).rejects.toMatchObject({
      code: "mcp_unavailable",
    });
  });

  it("U2 T5 throws what another try cannot help", async () => {
    const { result } = called(client(broken(NAMED), refused("unknown_stream", 404)));
    await expect(result).rejects.toMatchObject({ code: "unknown_stream" });
  });

  it("U2 T5 is cancelled by its signal", async () => {
    const abort = new AbortController();
    const pipe = new TransformStream<Uint8Array, Uint8Array>();
    const writer = pipe.writable.getWriter();
    writer.write(new TextEncoder().encode(NAMED + told(1))).catch(() => {});
    abort.signal.addEventListener("abort", () => void writer.abort(new TypeError("aborted")).catch(() => {}));
    const parts = client(() => new Response(pipe.readable), json({ stream_id: STREAM_ID, done: false }));
    const { seqs, result, sent } = called(parts, abort.signal);
    await settled();
    expect(seqs).toEqual([1]);
    abort.abort(new Error("enough"));
    await expect(result).rejects.toThrow("enough");
    await settled();
    expect(sent.at(-1)).toMatchObject({
      method: "DELETE",
      path: `/v1/hives/default/tools/streams/${STREAM_ID}`,
    });
  });

  it("U2 T5 is cancelled between two connections too", async () => {
    const abort = new AbortController();
    const clock = new ManualClock();
    const cancelled: string[] = [];
    const ports: ToolEventsPorts = {
      ...{ clock, random: () => 1, resume: () => Promise.reject(new Error("nobody reads on")) },
      start: async () => new Blob([NAMED]).stream(),
      cancel: async (streamId) => cancelled.push(streamId),
    };
    const result = streamTool(ports, { signal: abort.signal });
    result.catch(() => {});
    await expect.poll(() => clock.waiting).toBe(1);
    abort.abort(new Error("enough"));
    await expect(result).rejects.toThrow("enough");
    expect(cancelled).toEqual([STREAM_ID]);
  });

  it("U2 T5 is cancelled when whoever listens throws", async () => {
    const parts = client(events(NAMED, told(1)), json({ stream_id: STREAM_ID, done: false }));
    const onChunk = () => {
      throw new Error("mine");
    };
    const result = parts.gateway.callTool("demo__count", {}, { stream: true, onChunk });
    await expect(result).rejects.toThrow("mine");
    expect(parts.sent.map(({ method }) => method)).toEqual(["POST", "DELETE"]);
  });

  it("U2 T2 without a stream is answered once: by a result, or by what its server said", async () => {
    const error = { code: -32602, message: "Count higher.", data: { least: 3 } };
    const failed = json({ code: "mcp_failed", message: "Count higher.", retryable: false, error }, 502);
    const { gateway, sent } = client(json({ result: { content: [] } }), failed, refused("unknown_tool", 404));
    const count = () => gateway.callTool("demo__count", { to: 2 });
    expect(await count()).toEqual({ content: [] });
    await expect(count()).rejects.toEqual(new ToolFailed(error));
    await expect(count()).rejects.toMatchObject({ code: "unknown_tool" });
    expect(sent[0]).toMatchObject({
      method: "POST",
      path: "/v1/hives/default/tools/demo__count",
      body: { to: 2 },
    });
  });
});
