import { describe, expect, it } from "vitest";
import { outcomeComment, REGISTRY_HEADER } from "../../../../shared/protocol/tools.ts";
import { settled } from "../../streams/setup.ts";
import { CALL, edgeBefore, eventStream, json } from "../edge-setup.ts";

/** A sidecar that answers nothing, until nobody waits any more. `asked`: that somebody waits. */
function silentSidecar() {
  const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
  const sidecar = (_: string, { signal }: RequestInit) =>
    new Promise<Response>((_, reject) => {
      signal?.addEventListener("abort", () => reject(signal.reason));
      ask();
    });
  return { asked, sidecar };
}

const PROGRESS = 'event: message\ndata: {"jsonrpc":"2.0","method":"notifications/progress","params":{}}\n\n';

describe("what is remembered of a call", () => {
  it.each([
    ["over MCP", "/mcp/demo", CALL],
    ["over REST", "/v1/hives/default/tools/demo__look", {}],
  ])("T7 T9 is that its client left, %s, which is nobody's fault", async (_, path, body) => {
    const { asked, sidecar } = silentSidecar();
    const { post, remembered, logged } = edgeBefore(sidecar);
    const client = new AbortController();
    const answer = post(path, body, { signal: client.signal });
    await asked;
    client.abort();
    await answer;
    expect(await remembered()).toMatchObject([
      { method: "tools/call", server: "demo", tool: "look", outcome: "cancelled", code: null },
    ]);
    expect(logged).toEqual([]);
  });

  it("T7 T9 is that its client left while its answer came, which is nobody's fault", async () => {
    const client = new AbortController();
    const { post, remembered, logged } = edgeBefore(async (_, { signal }) => {
      const body = new ReadableStream({
        pull(controller) {
          signal?.addEventListener("abort", () => controller.error(signal.reason));
          client.abort();
        },
      });
      return new Response(body, {
        headers: { [REGISTRY_HEADER]: "1", "content-type": "application/json" },
      });
    });
    const list = { jsonrpc: "2.0", id: 1, method: "tools/list" };
    await post("/mcp/demo", list, { signal: client.signal }, { permissions: ["tools:call"] });
    expect(await remembered()).toMatchObject([{ method: "tools/list", outcome: "cancelled", code: null }]);
    expect(logged).toEqual([]);
  });

  it("T7 T9 is that its stream broke", async () => {
    const { post, remembered } = edgeBefore(async () => {
      let isBegun = false;
      return eventStream(
        new ReadableStream({
          pull(controller) {
            if (isBegun) return controller.error(new Error("socket hang up"));
            isBegun = true;
            controller.enqueue(Buffer.from(PROGRESS));
          },
        }),
      );
    });
    const answer = await post("/mcp/demo", CALL);
    await expect(answer.text()).rejects.toThrow();
    expect(await remembered()).toMatchObject([{ outcome: "error", code: "sidecar_unreachable" }]);
  });

  it.each([
    ["went well", "", { outcome: "ok", code: null }],
    ["failed", outcomeComment("-32603"), { outcome: "error", code: -32603 }],
    ["ended in a tool's own error", outcomeComment("tool"), { outcome: "error", code: null }],
  ])("T7 T9 is that it %s behind its progress", async (_, comment, expected) => {
    const { post, remembered } = edgeBefore(async () =>
      eventStream(new Blob([PROGRESS, `event: message\ndata: {}\n\n${comment}`]).stream()),
    );
    await (await post("/mcp/demo", CALL)).text();
    expect(await remembered()).toMatchObject([expected]);
  });

  it("T7 T9 is that its client left its stream", async () => {
    const { post, remembered } = edgeBefore(async (_, { signal }) =>
      eventStream(
        new ReadableStream({
          start(controller) {
            controller.enqueue(Buffer.from(PROGRESS));
            signal?.addEventListener("abort", () => controller.error(signal.reason));
          },
        }),
      ),
    );
    const client = new AbortController();
    const answer = await post("/mcp/demo", CALL, { signal: client.signal });
    client.abort();
    await expect(answer.text()).rejects.toThrow();
    expect(await remembered()).toMatchObject([{ outcome: "cancelled", code: null }]);
  });

  it("T7 is waited for in the background: a platform may end a request with its client", async () => {
    const { promise: answer, resolve } = Promise.withResolvers<Response>();
    const { promise: asked, resolve: ask } = Promise.withResolvers<void>();
    const { post, remembered, deferred } = edgeBefore(() => {
      ask();
      return answer;
    });
    void post("/mcp/demo", CALL);
    await asked;
    let isOver = false;
    const over = Promise.all(deferred).then(() => {
      isOver = true;
    });
    await settled();
    expect(isOver).toBe(false);
    resolve(json({ result: {} }));
    await over;
    expect(await remembered()).toMatchObject([{ method: "tools/call", outcome: "ok" }]);
  });

  it("T4 T7 is each of a batch, refused ones too", async () => {
    const { post, remembered } = edgeBefore(async () => json({ result: {} }), {
      MCP_REQUESTS_PER_SECOND: "1",
    });
    const names = ["demo__look", "nothing", "demo__look"];
    const calls = names.map((tool, id) => ({ id, tool, arguments: {} }));
    const answer = await post("/v1/hives/default/tools/batch", { calls });
    expect(await answer.json()).toMatchObject({ results: [{ id: 0 }], errors: [{ id: 1 }, { id: 2 }] });
    const entries = (await remembered()).map(({ method, server, tool, code }) => [
      method,
      server,
      tool,
      code,
    ]);
    expect(entries.toSorted()).toEqual(
      [
        ["tools/call", "demo", "look", null],
        ["tools/call", null, null, "rate_limited"],
        ["tools/call", "demo", "look", "rate_limited"],
        ["tools/batch", null, null, null],
      ].toSorted(),
    );
  });

  it.each(["no object", { a: "x".repeat(10) }])(
    "T5 T7 is that a streamed one was refused: %j",
    async (body) => {
      const { post, remembered } = edgeBefore(async () => json({ result: {} }));
      const tool = typeof body === "string" ? "demo__look" : "nothing";
      const answer = await post(`/v1/hives/default/tools/${tool}?stream=1`, body);
      expect(answer.ok).toBe(false);
      expect(await remembered()).toMatchObject([{ client: "ada", outcome: "refused" }]);
    },
  );
});
