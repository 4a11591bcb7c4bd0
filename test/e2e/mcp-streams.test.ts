/** Streamed calls through all of it, by the client library: servers of both eras as children of a real sidecar. */
import { afterAll, beforeAll, describe, expect, it, vi } from "vitest";
import { HivegateClient } from "../../shared/client/rest.ts";
import { HivegateStream } from "../../shared/client/stream.ts";
import type { ToolChunk } from "../../shared/protocol/tools.ts";
import { type RunningGateway, startGateway } from "../support/gateway.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";
import { referenceStdio } from "../support/reference-server.ts";

const SOON = { timeout: 10_000, interval: 20 };

let mcp: McpSidecar;
let gateway: RunningGateway;
let token: string;
let stream: HivegateStream;
beforeAll(async () => {
  mcp = await startMcpSidecar([
    { name: "both", ...referenceStdio() },
    { name: "old", ...referenceStdio({ only2025: true }) },
  ]);
  gateway = await startGateway({ sidecarUrl: mcp.sidecar.url, keys: mcp.keys });
  token = await gateway.token();
  stream = new HivegateStream({ baseUrl: gateway.url, hive: "default", token, mode: "on_demand" });
  await vi.waitUntil(() => stream.state.name === "open", SOON);
});
afterAll(async () => {
  stream?.close();
  await gateway?.kill("SIGKILL");
  await mcp?.stop();
});

describe.each(["both", "old"])("a streamed call of the server that is %s", (server) => {
  const call = (
    tool: string,
    { args = {}, signal }: { args?: Record<string, unknown>; signal?: AbortSignal } = {},
  ) => {
    const chunks: ToolChunk[] = [];
    const onChunk = (chunk: ToolChunk) => chunks.push(chunk);
    return { chunks, result: stream.callTool(`${server}__${tool}`, args, { stream: true, onChunk, signal }) };
  };

  it("T5 tells the server's progress in order, then its result", async () => {
    const { chunks, result } = call("test_tool_with_progress");
    expect(await result).toMatchObject({ content: [{ type: "text" }] });
    const said = chunks.map(({ seq, done, data }) => [seq, done, "params" in data && data.params.progress]);
    expect(said).toEqual([
      [1, false, 0],
      [2, false, 50],
      [3, false, 100],
      [4, true, false],
    ]);
  });

  it("T5 is told over HTTP as on the stream, and is answered there without a stream too", async () => {
    const client = new HivegateClient({ baseUrl: gateway.url, hive: "default", token });
    const progress: unknown[] = [];
    const onChunk = ({ data }: ToolChunk) => "params" in data && progress.push(data.params.progress);
    const tool = `${server}__test_tool_with_progress`;
    const result = await client.callTool(tool, {}, { stream: true, onChunk });
    expect(progress).toEqual([0, 50, 100]);
    expect(result).toMatchObject({ content: [{ type: "text" }] });
    expect(await client.callTool(tool, {})).toMatchObject({ content: [{ type: "text" }] });
    const unknown = client.callTool(`${server}__none`, {}, { stream: true });
    await expect(unknown).rejects.toMatchObject({ code: -32602 });
  });

  it("T5 tells the server's log lines", async () => {
    const { chunks, result } = call("test_tool_with_logging");
    await result;
    const methods = chunks.flatMap(({ data }) => ("method" in data ? [data.method] : []));
    expect(new Set(methods)).toEqual(new Set(["notifications/message"]));
  });

  it("T5 is cancelled by its signal, and the server hears of it", async () => {
    const count = async () => JSON.stringify(await stream.callTool(`${server}__test_cancelled_count`, {}));
    const before = await count();
    const abort = new AbortController();
    const { chunks, result } = call("test_wait", { signal: abort.signal });
    await vi.waitUntil(() => chunks.length > 0, SOON);
    abort.abort(new Error("enough"));
    await expect(result).rejects.toThrow("enough");
    await vi.waitUntil(async () => (await count()) !== before, SOON);
  });

  it("T5 cannot answer what the tool asks its caller", async () => {
    const { result } = call("test_sampling", { args: { prompt: "Say something." } });
    const outcome = await result.then(JSON.stringify, String);
    expect(outcome).toMatch(/capabilities do not declare|This client offers no methods/);
  });
});

it("T5 outlives the gateway: its client takes it up again where it stopped", async () => {
  const chunks: ToolChunk[] = [];
  const onChunk = (chunk: ToolChunk) => chunks.push(chunk);
  const result = stream.callTool("both__test_wait", {}, { stream: true, onChunk });
  result.catch(() => {});
  const [{ stream_id }] = await vi.waitUntil(() => (chunks[0] ? [chunks[0]] : null), SOON);
  const { port, jwtSecret } = gateway;
  await gateway.kill("SIGKILL");
  gateway = await startGateway({ sidecarUrl: mcp.sidecar.url, keys: mcp.keys, port, jwtSecret });
  await vi.waitUntil(() => stream.state.name === "open", SOON);
  const cancelled = await fetch(`${gateway.url}/v1/hives/default/tools/streams/${stream_id}`, {
    method: "DELETE",
    headers: { authorization: `Bearer ${token}` },
  });
  expect(cancelled.status).toBe(200);
  await expect(result).rejects.toMatchObject({ code: "cancelled" });
  // None twice, none missing.
  expect(chunks.map(({ seq }) => seq)).toEqual(chunks.map((_, n) => n + 1));
  expect(chunks.at(-1)).toMatchObject({ done: true });
});
