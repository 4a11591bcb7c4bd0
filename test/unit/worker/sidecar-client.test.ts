import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { type McpForward, SidecarClient, type TelemetryRequest } from "../../../worker/sidecar-client.ts";
import { aTask } from "../../support/agents.ts";
import { ManualClock } from "../../support/manual-clock.ts";

/** A sidecar that answers each request with what `answer` makes of it. */
function clientOf(answer: (url: string, init: RequestInit) => Promise<Response>) {
  const clock = new ManualClock();
  const client = new SidecarClient({
    hive: "default",
    url: "http://sidecar:9700",
    key: { kid: "k", mac: () => new Uint8Array(32) },
    fetch: answer,
    sha256: () => new Uint8Array(32),
    clock,
    nonce: () => "nonce-0123456789",
  });
  return { client, clock };
}

/** A body that is written by hand, and fails when the request is aborted, as a real one does. */
function openBody(signal: AbortSignal | null | undefined) {
  const { promise, resolve } = Promise.withResolvers<ReadableStreamDefaultController<Uint8Array>>();
  const body = new ReadableStream<Uint8Array>({
    start(controller) {
      resolve(controller);
      signal?.addEventListener("abort", () => controller.error(signal.reason));
    },
  });
  return { body, write: async (text: string) => (await promise).enqueue(new TextEncoder().encode(text)) };
}

const MCP_REQUEST: McpForward = {
  ...{ method: "POST", server: "one", client: "alice" },
  headers: {},
  body: new TextEncoder().encode("{}"),
};

const REQUEST: TelemetryRequest = { reader: "r", intervalMs: 100, position: null };

describe("the sidecar, as the worker sees it", () => {
  it("S4 gives up a telemetry stream that has gone silent, and not one that says it is alive", async () => {
    const alive = `${JSON.stringify({ type: "alive", timestamp: 1 })}\n`;
    let write: (text: string) => Promise<void> = async () => {};
    const { client, clock } = clientOf(async (_, { signal }) => {
      const open = openBody(signal);
      write = open.write;
      return new Response(open.body);
    });
    const lines = client.telemetry(REQUEST, new AbortController().signal);
    for (let i = 0; i < 5; i++) {
      const next = lines.next();
      await new Promise((resolve) => setImmediate(resolve));
      clock.advance(20_000);
      await write(alive);
      expect((await next).value?.line).toEqual({ type: "alive", timestamp: 1 });
    }
    const silent = lines.next();
    clock.advance(35_000);
    await expect(silent).rejects.toThrow("silent");
    expect(clock.waiting).toBe(0);
  });

  it("S4 gives up a stream whose answer never begins", async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { client, clock } = clientOf((_, { signal }) => {
      ask();
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    });
    const opening = client
      .events({ taskId: aTask().taskId, after: 0, only: null, subject: "s" }, new AbortController().signal)
      .next();
    await asked;
    clock.advance(35_000);
    await expect(opening).rejects.toMatchObject({ code: "timeout" });
  });

  it("S4 T8 gives up a request over MCP whose answer never begins, as a frozen sidecar's", async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { client, clock } = clientOf((_, { signal }) => {
      ask();
      return new Promise((_, reject) => signal?.addEventListener("abort", () => reject(signal.reason)));
    });
    const answer = client.mcp(MCP_REQUEST, new AbortController().signal);
    await asked;
    clock.advance(LIMITS.mcpHeadMs - 1);
    expect(clock.waiting).toBe(1);
    clock.advance(1);
    await expect(answer).rejects.toMatchObject({ code: "timeout" });
  });

  it("T1 leaves an answer over MCP that has begun its time, until its client leaves", async () => {
    const { client, clock } = clientOf(async (_, { signal }) => {
      const { body, write } = openBody(signal);
      await write("begun");
      return new Response(body, { headers: { "hivegate-registry": "1" } });
    });
    const leaving = new AbortController();
    const { body } = await client.mcp(MCP_REQUEST, leaving.signal);
    expect(clock.waiting).toBe(0);
    const reader = body?.getReader();
    expect(new TextDecoder().decode((await reader?.read())?.value)).toBe("begun");
    leaving.abort(new Error("left"));
    await expect(reader?.read()).rejects.toThrow("left");
  });

  it.each([
    [
      () => Response.json({ code: "unknown_task", message: "There is no such task." }, { status: 404 }),
      "unknown_task",
    ],
    [() => Response.json({ code: "unauthorized", message: "no" }, { status: 401 }), "sidecar_refused"],
    [() => new Response("<html>bad gateway", { status: 502 }), "sidecar_unreachable"],
    [() => Response.json({ task: "not a task" }), "internal"],
    [() => Promise.reject(new TypeError("connection refused")), "sidecar_unreachable"],
  ])("T8 makes one clear error of what it is answered (%#)", async (answer, code) => {
    const { client } = clientOf(async () => answer());
    await expect(client.task(aTask().taskId)).rejects.toMatchObject({ code });
  });

  it("S8 signs every request for its hive", async () => {
    const seen: Headers[] = [];
    const { client } = clientOf(async (_, { headers }) => {
      seen.push(new Headers(headers));
      return Response.json({ task: aTask() });
    });
    await client.task(aTask().taskId);
    expect(seen[0]?.get("hivegate-hive")).toBe("default");
    expect(seen[0]?.get("signature")).toMatch(/^hivegate=:/);
    expect(seen[0]?.get("content-digest")).toMatch(/^sha-256=:/);
  });
});
