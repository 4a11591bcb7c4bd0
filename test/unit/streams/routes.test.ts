import { Hono } from "hono";
import { describe, expect, it } from "vitest";
import { asHivegateError } from "../../../shared/errors.ts";
import { ToolStream } from "../../../shared/protocol/tools.ts";
import type { Signed } from "../../../sidecar/http/authenticate.ts";
import { toolStreamRoutes } from "../../../sidecar/mcp/streams/routes.ts";
import { chunksOf, settled, startStreams } from "./setup.ts";

function start() {
  const { streams, calls } = startStreams();
  const app = new Hono<Signed>();
  app.use(async (c, next) => {
    c.set("body", new Uint8Array(await c.req.arrayBuffer()));
    await next();
  });
  toolStreamRoutes(app, streams);
  app.onError((thrown, c) => {
    const error = asHivegateError(thrown);
    return c.json(error.toBody(), error.httpStatus);
  });
  const ask = async (method: string, path: string, body?: unknown, headers: Record<string, string> = {}) =>
    app.request(`/v1/tool-streams${path}`, {
      ...{ method, headers },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    });
  return { ask, calls };
}

const CALL = { server: "demo", tool: "count", arguments: {} };

describe("the routes of streamed calls", () => {
  it("T5 begin one, say what it is, tell of it from where its reader stopped, and cancel it", async () => {
    const { ask, calls } = start();
    const { streamId } = ToolStream.parse(await (await ask("POST", "?client=ada", CALL)).json());
    await settled();
    for (const n of [1, 2]) calls[0]?.progress(n);
    const events = await ask("GET", `/${streamId}/events?client=ada`, undefined, { "last-event-id": "1" });
    expect(events.headers.get("content-type")).toMatch(/^text\/event-stream/);
    const cancelled = await ask("DELETE", `/${streamId}?client=ada`);
    expect(await cancelled.json()).toMatchObject({ streamId, tool: "count" });
    const seqs: number[] = [];
    if (events.body) for await (const { seq } of chunksOf(events.body)) seqs.push(seq);
    expect(seqs).toEqual([2, 3]);
    const said = await ask("GET", `/${streamId}?client=ada`);
    expect(await said.json()).toEqual({
      ...{ streamId, server: "demo", tool: "count", id: null, done: true, created: false },
    });
  });

  it.each([
    ["nobody", "POST", "", CALL, 400],
    ["a name that is none", "POST", "?client=a%20b", CALL, 400],
    ["too long a silence", "POST", "?client=ada", { ...CALL, timeoutMs: 1e9 }, 400],
    ["an unknown field", "POST", "?client=ada", { ...CALL, extra: 1 }, 400],
    ["no stream", "GET", "/none?client=ada", undefined, 404],
    ["no stream's events", "GET", "/none/events?client=ada", undefined, 404],
  ])("T5 T8 refuse %s", async (_, method, path, body, status) => {
    expect((await start().ask(method, path, body)).status).toBe(status);
  });
});
