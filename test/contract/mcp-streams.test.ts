import { expect, it, vi } from "vitest";
import { z } from "zod";
import type { Identity } from "../../shared/auth/permission.ts";
import { HivegateStream } from "../../shared/client/stream.ts";
import { openWebSocket, type Socket } from "../../shared/client/web-socket.ts";
import { ToolChunk } from "../../shared/protocol/tools.ts";
import { LineSplitter, readLines } from "../../shared/wire/lines.ts";
import { EventParser, type ServerSentEvent } from "../../shared/wire/sse.ts";
import { aTool, FakeMcpServers } from "../support/fake-mcp-servers.ts";
import { onEveryHost } from "./hosts.ts";

const ADA: Partial<Identity> = { subject: "ada" };
const Refusal = z.object({ code: z.string() });
const Line = z.object({ entry: z.object({ client: z.string().nullish() }).loose() });
type Options = { identity?: Partial<Identity>; headers?: object; body?: unknown };
const Named = z.object({ stream_id: z.uuid() });

onEveryHost("streamed calls", ({ sidecar, gateway, connect }) => {
  const request = async (
    method: string,
    path: string,
    {
      identity = ADA,
      headers = {},
      body,
    }: { identity?: Partial<Identity>; headers?: object; body?: unknown } = {},
  ) =>
    fetch(`${gateway().url}/v1/hives/default/tools/${path}`, {
      method,
      headers: { authorization: `Bearer ${await gateway().token(identity)}`, ...headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  const refusal = async (response: Response) => [response.status, Refusal.parse(await response.json()).code];

  async function* eventsOf({ body }: Response): AsyncGenerator<ServerSentEvent, void, void> {
    if (!body) throw new Error("no body came");
    const parser = new EventParser();
    for await (const line of readLines(body, new LineSplitter(10_000_000, { keepEmpty: true }))) {
      const event = parser.push(line);
      if (event) yield event;
    }
  }

  /** A streamed call's answer, what it is called, and its chunks as they come. */
  async function opened(response: Response) {
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const events = eventsOf(response);
    const first = await events.next();
    const { stream_id } = Named.parse(JSON.parse(first.value?.data ?? "null"));
    const chunks = (async function* () {
      for await (const { id, data } of events) {
        const chunk = ToolChunk.parse(JSON.parse(data));
        expect(id).toBe(String(chunk.seq));
        yield chunk;
      }
    })();
    return { stream_id, chunks };
  }

  const call = () => vi.waitUntil(() => sidecar.tools.calls[0], { timeout: 10_000 });
  /** The sidecar has seen that the reader left. */
  const nobodyReads = () =>
    vi.waitUntil(() => sidecar.tools.streams.figures().readers === 0, { timeout: 10_000 });
  const count = (options: Options = {}, query = "") =>
    request("POST", `demo__count?stream=1${query}`, { body: { to: 3 }, ...options });

  it("T5 over HTTP are named at once, told as their server tells, and end with its answer", async () => {
    const { stream_id, chunks } = await opened(await count({}, "&id=seven"));
    const { request: asked, progress, answer } = await call();
    expect(asked.params).toMatchObject({ name: "count", arguments: { to: 3 } });
    for (const n of [1, 2]) {
      progress(n);
      expect((await chunks.next()).value).toMatchObject({
        ...{ jsonrpc: "2.0", id: "seven", stream: true, stream_id, seq: n, done: false },
        data: { method: "notifications/progress", params: { progress: n } },
      });
    }
    answer({ result: { content: [] } });
    expect((await chunks.next()).value).toMatchObject({
      seq: 3,
      data: { result: { content: [] } },
      done: true,
    });
    expect((await chunks.next()).done).toBe(true);
  });

  it("T5 are not cancelled when their reader leaves, who may go on from the last chunk seen", async () => {
    const first = await opened(await count());
    const { exchange, progress, answer } = await call();
    progress(1);
    await first.chunks.next();
    await first.chunks.return();
    // workerd looks after its client when it has something for it: a chunk, or the comment that comes every 15 s.
    progress(2);
    await nobodyReads();
    const resumed = await request("GET", `streams/${first.stream_id}`, { headers: { "last-event-id": "1" } });
    const second = await opened(resumed);
    expect(second.stream_id).toBe(first.stream_id);
    expect((await second.chunks.next()).value).toMatchObject({ seq: 2 });
    expect(exchange.signal.aborted).toBe(false);
    answer({ result: {} });
    expect((await second.chunks.next()).value).toMatchObject({ seq: 3, done: true });
  });

  it("T5 are cancelled by DELETE, and begun once under one key", async () => {
    const keyed = { headers: { "idempotency-key": crypto.randomUUID() } };
    const [one, again] = [await opened(await count(keyed)), await opened(await count(keyed))];
    expect(again.stream_id).toBe(one.stream_id);
    const { exchange } = await call();
    const deleted = await request("DELETE", `streams/${one.stream_id}`);
    expect(await deleted.json()).toMatchObject({ stream_id: one.stream_id });
    for (const { chunks } of [one, again]) {
      const { value } = await chunks.next();
      expect(value).toMatchObject({ done: true, data: { error: { data: { code: "cancelled" } } } });
    }
    expect(exchange.signal.aborted).toBe(true);
    expect(sidecar.tools.calls).toHaveLength(1);
  });

  it("T5 T6 S8 are only for those who may call the tool, and exist for nobody else", async () => {
    const none: Options = { identity: { ...ADA, permissions: [] } };
    const other: Options = { identity: { ...ADA, permissions: ["tools:call:demo__look"] } };
    expect(await refusal(await count(none))).toEqual([403, "forbidden"]);
    expect(await refusal(await count(other))).toEqual([404, "unknown_tool"]);
    expect(await refusal(await request("POST", "count?stream=1", { body: {} }))).toEqual([
      404,
      "unknown_tool",
    ]);
    const { stream_id } = await opened(await count());
    for (const method of ["GET", "DELETE"]) {
      const path = `streams/${stream_id}`;
      expect(await refusal(await request(method, path, { identity: { subject: "eve" } }))).toEqual([
        404,
        "unknown_stream",
      ]);
      expect(await refusal(await request(method, path, other))).toEqual([404, "unknown_stream"]);
      expect(await refusal(await request(method, path, none))).toEqual([403, "forbidden"]);
    }
    expect((await call()).exchange.signal.aborted).toBe(false);
    expect(sidecar.tools.calls).toHaveLength(1);
  });

  it("T5 S8 end with the token that they are read with", async () => {
    const identity = { ...ADA, expiresMs: Date.now() + 2_000 };
    const { chunks } = await opened(await count({ identity }));
    const { progress, exchange } = await call();
    progress(1);
    const seqs: number[] = [];
    for await (const { seq } of chunks) seqs.push(seq);
    expect(seqs).toEqual([1]);
    expect(exchange.signal.aborted).toBe(false);
  });

  it("T7 are remembered: who began and cancelled one, and who was refused, for whatever reason", async () => {
    const identity = { subject: crypto.randomUUID() };
    const { stream_id } = await opened(await count({ identity }));
    await request("DELETE", `streams/${stream_id}`, { identity });
    await count({ identity: { ...identity, permissions: ["tools:call:demo__look"] } });
    const headers = { authorization: "Bearer none" };
    expect((await count({ headers }, `&id=${identity.subject}`)).status).toBe(401);
    const audit = async () => {
      const authorization = `Bearer ${await gateway().token()}`;
      const exported = await fetch(`${gateway().url}/v1/hives/default/audit`, { headers: { authorization } });
      const lines = (await exported.text()).trim().split("\n").slice(0, -1);
      return lines.map((line) => Line.parse(JSON.parse(line)).entry);
    };
    const own = async () => (await audit()).filter(({ client }) => client === identity.subject);
    await expect.poll(own, { timeout: 10_000 }).toMatchObject([
      { method: "tools/stream", server: "demo", tool: "count", outcome: "ok" },
      { method: "tools/stream/cancel", server: "demo", tool: "count", outcome: "ok" },
      { method: "tools/stream", tool: "count", outcome: "refused", code: "unknown_tool" },
    ]);
    const refused = {
      method: "POST /v1/hives/default/tools/demo__count",
      client: null,
      code: "unauthorized",
    };
    await expect.poll(audit, { timeout: 10_000 }).toContainEqual(expect.objectContaining(refused));
  });

  it.each(["stream", "relay"] as const)(
    "T5 on a %s's socket are named, then told chunk by chunk",
    async (kind) => {
      const client = await connect({ kind, identity: ADA });
      const frame = { type: "call_tool", id: 7, tool: "demo__count", arguments: { to: 3 }, stream: true };
      expect(await client.ask(frame)).toMatchObject({ type: "tool_stream", id: 7, created: true });
      const { progress, answer } = await call();
      progress(1);
      expect((await client.next("tool_chunk")).chunk).toMatchObject({ id: 7, seq: 1, done: false });
      answer({ error: { code: -32602, message: "Count higher." } });
      expect((await client.next("tool_chunk")).chunk).toMatchObject({
        ...{ seq: 2, done: true, data: { error: { code: -32602, message: "Count higher." } } },
      });
    },
  );

  it("T5 on a socket are gone on with on another, and cancelled there", async () => {
    const first = await connect({ identity: ADA });
    const frame = { type: "call_tool", tool: "demo__count", stream: true };
    const { stream_id } = Named.parse(await first.ask(frame));
    const { progress, exchange } = await call();
    for (const n of [1, 2]) progress(n);
    await first.next("tool_chunk", ({ chunk }) => chunk.seq === 2);
    first.close();
    await nobodyReads();
    const second = await connect({ identity: ADA });
    const resumed = await second.ask({ type: "resume_tool", stream_id, after: 1 });
    expect(resumed).toMatchObject({ type: "tool_stream", stream_id, created: false });
    expect((await second.next("tool_chunk")).chunk.seq).toBe(2);
    expect(await second.ask({ type: "cancel_tool", stream_id })).toMatchObject({ type: "tool_cancelled" });
    expect((await second.next("tool_chunk")).chunk).toMatchObject({ seq: 3, done: true });
    expect(exchange.signal.aborted).toBe(true);
  });

  it("T5 T6 S8 on a socket are refused as over HTTP", async () => {
    const { stream_id } = await opened(await count());
    const frame = { type: "call_tool", tool: "demo__count", stream: true };
    const none = await connect({ identity: { ...ADA, permissions: ["telemetry:read"] } });
    expect(await none.ask(frame)).toMatchObject({ type: "error", code: "forbidden" });
    const eve = await connect({ identity: { subject: "eve" } });
    for (const type of ["resume_tool", "cancel_tool"])
      expect(await eve.ask({ type, stream_id })).toMatchObject({ type: "error", code: "unknown_stream" });
    expect(await eve.ask({ ...frame, tool: "count" })).toMatchObject({ type: "error", code: "unknown_tool" });
  });

  it("T5 are told to be lost when the sidecar breaks off, and are there again when it is asked", async () => {
    const client = await connect({ identity: ADA });
    const { stream_id } = Named.parse(
      await client.ask({ type: "call_tool", tool: "demo__count", stream: true }),
    );
    const { progress, answer } = await call();
    progress(1);
    await client.next("tool_chunk");
    sidecar.breakOff();
    expect(await client.next("tool_lost")).toMatchObject({ stream_id });
    answer({ result: {} });
    await client.ask({ type: "resume_tool", stream_id, after: 1 });
    expect((await client.next("tool_chunk")).chunk).toMatchObject({ seq: 2, done: true });
  });

  it("T2 T6 that need not be streamed are answered on a socket, in their server's words", async () => {
    const mcp = new FakeMcpServers();
    mcp.offer(sidecar, [aTool({ name: "look" })], async ({ arguments: { fails } }) =>
      fails ? { error: { code: -32000, message: "no" } } : { result: { content: [] } },
    );
    const client = await connect({
      identity: { ...ADA, permissions: ["telemetry:read", "tools:call:demo__look"] },
    });
    const look = (tool: string, args = {}) =>
      client.ask({ type: "call_tool", id: "x", tool, arguments: args });
    expect(await look("demo__look")).toMatchObject({ type: "tool_result", id: "x", result: { content: [] } });
    const failed = await look("demo__look", { fails: true });
    expect(failed).toMatchObject({ type: "tool_result", error: { code: -32000, message: "no" } });
    expect(await look("demo__change")).toMatchObject({ type: "error", code: "unknown_tool" });
    expect(mcp.calls).toHaveLength(2);
  });

  it("U2 T5 survive their client's reconnect, with the client library", async () => {
    const sockets: Socket[] = [];
    const stream = new HivegateStream({
      ...{ baseUrl: gateway().url, hive: "default", token: await gateway().token(ADA), mode: "on_demand" },
      openSocket(url, protocols, events) {
        const socket = openWebSocket(url, protocols, events);
        sockets.push(socket);
        return socket;
      },
    });
    const seqs: number[] = [];
    const result = stream.callTool(
      "demo__count",
      { to: 3 },
      { stream: true, onChunk: ({ seq }) => seqs.push(seq) },
    );
    const { progress, answer } = await call();
    progress(1);
    await vi.waitUntil(() => seqs.length === 1, { timeout: 10_000 });
    // The library did not ask for that: its connection is lost.
    sockets[0]?.close();
    progress(2);
    answer({ result: { content: [], structuredContent: { counted: 3 } } });
    expect(await result).toEqual({ content: [], structuredContent: { counted: 3 } });
    expect(seqs).toEqual([1, 2, 3]);
    expect(sockets.length).toBeGreaterThan(1);
    stream.close();
  });
});
