import { once } from "node:events";
import { describe, expect, it, onTestFinished, vi } from "vitest";
import { WebSocket } from "ws";
import { demo, LONG_TASK, openTcp } from "./clients.ts";

describe("the demo swarm's orchestrator and health", () => {
  async function openWebSocket(
    port: number,
    options: { path?: string; headers?: Record<string, string> } = {},
  ) {
    const socket = new WebSocket(`ws://127.0.0.1:${port}${options.path ?? "/ws"}`, {
      headers: options.headers ?? {},
    });
    onTestFinished(() => socket.terminate());
    const frames: { data: Buffer; isBinary: boolean }[] = [];
    socket.on("message", (data: Buffer, isBinary) => frames.push({ data, isBinary }));
    const outcome = await Promise.race([
      once(socket, "open").then(() => "open"),
      once(socket, "unexpected-response").then(([, response]) => response.statusCode),
    ]);
    return { socket, frames, outcome };
  }

  it("R1 offers the same tools, and gives back other frames unchanged and in order", async () => {
    const { wsPort } = await demo();
    const { socket, frames } = await openWebSocket(wsPort, { path: "/anything" });
    const call = { name: "task_orchestrate", arguments: { task: LONG_TASK } };
    socket.send("hello");
    socket.send(Buffer.from([0, 255, 10]));
    socket.send('{"jsonrpc":"2.0","id":1,"result":{}}');
    socket.send(JSON.stringify({ jsonrpc: "2.0", id: 9, method: "tools/call", params: call }));
    await vi.waitUntil(() => frames.length >= 5, 5_000);
    const [text, binary, response, answer, notice] = frames;
    expect(text).toMatchObject({ data: Buffer.from("hello"), isBinary: false });
    expect(binary).toMatchObject({ data: Buffer.from([0, 255, 10]), isBinary: true });
    expect(String(response?.data)).toBe('{"jsonrpc":"2.0","id":1,"result":{}}');
    expect(JSON.parse(String(answer?.data))).toMatchObject({
      id: 9,
      result: { structuredContent: { status: "active" } },
    });
    expect(JSON.parse(String(notice?.data))).toEqual({
      jsonrpc: "2.0",
      method: "notifications/swarm_changed",
    });
  });

  it("S8 refuses web pages, and whoever lacks the token", async () => {
    const { wsPort } = await demo({ token: "secret" });
    const authorization = "Bearer secret";
    const outcome = async (headers: Record<string, string>) =>
      (await openWebSocket(wsPort, { headers })).outcome;
    expect(await outcome({})).toBe(401);
    expect(await outcome({ authorization: "Bearer wrong" })).toBe(401);
    expect(await outcome({ authorization, origin: "https://example.org" })).toBe(403);
    expect(await outcome({ authorization })).toBe("open");
  });

  it("S6 closes a socket for a frame that is too large", async () => {
    const { socket } = await openWebSocket((await demo()).wsPort);
    socket.send(Buffer.alloc(1024 * 1024 + 1));
    const [code] = await once(socket, "close");
    expect(code).toBe(1009);
  });

  it("H7 has a health endpoint that tells what is there", async () => {
    const { healthPort, mcpPort } = await demo();
    const health = () => fetch(`http://127.0.0.1:${healthPort}/health`).then((response) => response.json());
    expect(await health()).toMatchObject({ status: "ok", swarms: 0, agents: 0 });
    await (await openTcp(mcpPort)).call("task_orchestrate", { task: LONG_TASK });
    expect(await health()).toEqual({ status: "ok", uptimeMs: expect.any(Number), swarms: 1, agents: 3 });
    expect((await fetch(`http://127.0.0.1:${healthPort}/`)).status).toBe(404);
    expect((await fetch(`http://127.0.0.1:${healthPort}/health`, { method: "POST" })).status).toBe(404);
  });
});
