import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../../shared/errors.ts";
import { FakeUpstream } from "../../../support/fake-upstream.ts";
import { Events, jsonOf, modern } from "../../../support/mcp-messages.ts";
import { send, setUp } from "./setup.ts";

const text = (said: string) => ({ content: [{ type: "text", text: said }] });
const echo = () =>
  new FakeUpstream("2026", ({ params }) => ({ result: { ...text(String(params.name)), odd: 1 } }));

describe("a client of 2026 at a server of 2026", () => {
  it("T1 gets the server's result word for word, as JSON, with the registry's version", async () => {
    const upstream = echo();
    const setup = setUp(upstream);
    const response = await send(
      setup,
      modern("tools/call", { name: "add", arguments: { a: [1] }, odd: true }, { id: "x" }),
    );
    expect(response.status).toBe(200);
    expect(response.headers.get("content-type")).toBe("application/json");
    expect(response.headers.get("hivegate-registry")).toBe("7");
    expect(await response.json()).toEqual({ jsonrpc: "2.0", id: "x", result: { ...text("add"), odd: 1 } });
    expect(upstream.asked[0]).toMatchObject({ params: { name: "add", arguments: { a: [1] }, odd: true } });
  });

  it("T1 passes the server's own error on, under the status that 2026 wants for it", async () => {
    const upstream = echo();
    const setup = setUp(upstream);
    const told = async (code: number, method = "prompts/get") => {
      const error = { code, message: "no", data: { why: "because" } };
      upstream.play = () => ({ error });
      const response = await send(setup, modern(method, { name: "add" }));
      expect(await response.json()).toEqual({ jsonrpc: "2.0", id: 1, error });
      return response.status;
    };
    expect([await told(-32601), await told(-32021), await told(-32602), await told(5)]).toEqual([
      404, 400, 200, 200,
    ]);
    // So some servers say that they have no such tool.
    expect(await told(-32601, "tools/call")).toBe(200);
  });

  it("T8 says in JSON-RPC what is ours, and whether to try again", async () => {
    const upstream = new FakeUpstream("2026", () => Promise.reject(new HivegateError("circuit_open")));
    const answer = await (await send(setUp(upstream), modern("tools/list"))).json();
    expect(answer).toMatchObject({
      id: 1,
      error: { code: -32010, data: { code: "circuit_open", retryable: true } },
    });
  });

  it("T8 tells nobody but the log of what nobody foresaw", async () => {
    const setup = setUp(new FakeUpstream("2026", () => Promise.reject(new Error("/etc/secret"))));
    const said = await (await send(setup, modern("tools/list"))).text();
    expect(said).toContain('"internal"');
    expect(said).not.toContain("secret");
    expect(setup.warnings).toHaveLength(1);
  });

  it("T1 becomes a stream only when something comes before the result", async () => {
    const upstream = new FakeUpstream("2026", (_request, { onNotification }) => {
      onNotification?.({ method: "notifications/progress", params: { progressToken: 5, progress: 1 } });
      return { result: text("done") };
    });
    const setup = setUp(upstream);
    const response = await send(setup, modern("tools/call", { name: "add" }, { meta: { progressToken: 5 } }));
    expect(response.headers.get("content-type")).toMatch(/^text\/event-stream/);
    expect(response.headers.get("x-accel-buffering")).toBe("no");
    const events = new Events(response);
    expect(await events.message()).toMatchObject({
      method: "notifications/progress",
      params: { progressToken: 5 },
    });
    expect(await events.next()).toEqual({
      id: null,
      event: "message",
      data: JSON.stringify({ jsonrpc: "2.0", id: 1, result: text("done") }),
    });
    expect(await events.next()).toBeNull();
    const list = await send(setup, modern("tools/list"));
    expect(list.headers.get("content-type")).toBe("application/json");
    expect(setup.endpoint.counts().streams).toBe(0);
  });

  it("T1 tells the server when the client closes the answer, before and after it is a stream", async () => {
    for (const says of [true, false]) {
      const { promise: cancelled, resolve } = Promise.withResolvers<void>();
      const { promise: begun, resolve: begin } = Promise.withResolvers<void>();
      const upstream = new FakeUpstream("2026", (_request, { signal, onNotification }) => {
        if (says) onNotification?.({ method: "notifications/message", params: { level: "info" } });
        signal.addEventListener("abort", () => resolve());
        begin();
        return new Promise(() => {});
      });
      const setup = setUp(upstream);
      const leaving = new AbortController();
      const answer = send(setup, { ...modern("tools/call", { name: "slow" }), signal: leaving.signal });
      await begun;
      if (says) {
        const events = new Events(await answer);
        await events.message();
        await events.leave();
      } else leaving.abort();
      await cancelled;
      expect(setup.endpoint.counts().streams).toBe(0);
    }
  });

  it("T1 says which revisions are spoken here, whatever the server says", async () => {
    const result = {
      supportedVersions: ["2031-01-01"],
      capabilities: { tools: {} },
      ttlMs: 5,
      cacheScope: "public",
    };
    const setup = setUp(new FakeUpstream("2026", () => ({ result })));
    const answer = await (await send(setup, modern("server/discover"))).json();
    expect(answer).toMatchObject({ result: { ...result, supportedVersions: ["2026-07-28"] } });
  });

  it("T3 lets equal calls share an answer, and says so", async () => {
    const joined = {
      exchange: async (...[send, request, exchange, key]: Parameters<typeof echoJoin>) =>
        echoJoin(send, request, exchange, key),
    };
    const response = await send(setUp(echo(), { joined }), {
      ...modern("tools/call", { name: "add" }),
      path: "/v1/mcp/one?join=k",
    });
    expect(response.headers.get("hivegate-joined")).toBe("1");
    expect(await response.json()).toMatchObject({ result: text("fake-2026 k") });
  });

  it("T1 sends a request for one of several servers to that one, as it calls things", async () => {
    const behind = new FakeUpstream("2025", ({ params }) => ({ result: text(`behind ${params.name}`) }));
    const front = Object.assign(echo(), {
      route: async ({ method }: { method: string }) => ({
        upstream: behind,
        request: { method, params: { name: "plain" } },
      }),
    });
    const response = await send(setUp(front), {
      ...modern("tools/call", { name: "a__plain" }),
      path: "/v1/mcp",
    });
    expect(response.headers.get("hivegate-server")).toBe("fake-2025");
    expect(await response.json()).toMatchObject({
      result: { resultType: "complete", content: text("behind plain").content },
    });
    expect(front.asked).toEqual([]);
  });
});

type Exchanging = FakeUpstream["exchange"];
async function echoJoin(
  _send: Exchanging,
  _request: Parameters<Exchanging>[0],
  _exchange: Parameters<Exchanging>[1],
  key: string,
) {
  return { answer: { result: text(key) }, isJoined: true };
}

describe("what a request of 2026 has to say of itself", () => {
  const META = "io.modelcontextprotocol/";
  const refused = async (change: (request: ReturnType<typeof modern>) => void, method = "tools/call") => {
    const upstream = echo();
    const request = structuredClone(modern(method, { name: "add" }));
    change(request);
    const response = await send(setUp(upstream), request);
    const { id, error } = await jsonOf(response);
    expect(upstream.asked).toEqual([]);
    return [response.status, id, error.code, error.data];
  };
  const meta = (request: ReturnType<typeof modern>): Record<string, unknown> =>
    Object(Object(request.body.params)._meta);

  it("T1 is refused without its envelope, and where it and the headers differ", async () => {
    expect(await refused((r) => void delete Object(r.body.params)._meta)).toEqual([
      400,
      1,
      -32602,
      undefined,
    ]);
    expect(await refused((r) => void delete meta(r)[`${META}protocolVersion`])).toEqual([
      400,
      1,
      -32602,
      undefined,
    ]);
    expect(await refused((r) => void delete meta(r)[`${META}clientCapabilities`])).toEqual([
      400,
      1,
      -32602,
      undefined,
    ]);
    expect(await refused((r) => void Object.assign(meta(r), { [`${META}logLevel`]: "loud" }))).toEqual([
      400,
      1,
      -32602,
      undefined,
    ]);
    const mismatch = [400, 1, -32020, undefined];
    for (const header of ["mcp-protocol-version", "mcp-method", "mcp-name"]) {
      expect(await refused((r) => void delete r.headers[header])).toEqual(mismatch);
      expect(await refused((r) => void Object.assign(r.headers, { [header]: "other" }))).toEqual(mismatch);
    }
    expect(await refused((r) => void Object.assign(r.headers, { "mcp-method": "TOOLS/CALL" }))).toEqual(
      mismatch,
    );
    expect(await refused((r) => void Object.assign(r.headers, { "mcp-name": "=?base64?YWRk!?=" }))).toEqual(
      mismatch,
    );
  });

  it("T1 is told of the revisions that are spoken when it speaks none of them", async () => {
    const asked = await refused((r) => {
      meta(r)[`${META}protocolVersion`] = "v999";
      r.headers["mcp-protocol-version"] = "v999";
    });
    expect(asked).toEqual([400, 1, -32022, { supported: ["2026-07-28"], requested: "v999" }]);
  });

  it("T1 finds none of the methods that 2026 has removed", async () => {
    for (const method of [
      "initialize",
      "ping",
      "logging/setLevel",
      "resources/subscribe",
      "resources/unsubscribe",
    ])
      expect(await refused(() => {}, method)).toEqual([404, 1, -32601, undefined]);
  });

  it("T1 may write a name as base64, with spaces or without", async () => {
    const setup = setUp(echo());
    const request = modern("tools/call", { name: "größe" });
    request.headers["mcp-name"] = `=?base64?${Buffer.from("größe").toString("base64")}?=`;
    expect((await send(setup, request)).status).toBe(200);
  });

  it("T1 is refused where it is no single request", async () => {
    const headers = { "mcp-protocol-version": "2026-07-28" };
    const status = async (body: unknown) => (await send(setUp(echo()), { body, headers })).status;
    expect(await status("{")).toBe(400);
    expect(await status([])).toBe(400);
    expect(await status(`{"a":${"[".repeat(6_000)}${"]".repeat(6_000)}}`)).toBe(400);
    expect(await status({ jsonrpc: "2.0", id: null, method: "x" })).toBe(400);
    expect(await status({ jsonrpc: "2.0", id: 1, result: {} })).toBe(400);
    expect(await status({ jsonrpc: "2.0", method: "notifications/cancelled" })).toBe(202);
    for (const method of ["GET", "DELETE"]) {
      const response = await send(setUp(echo()), { method, headers });
      expect([response.status, response.headers.get("allow")]).toEqual([405, "POST"]);
    }
  });

  it("T1 needs a server that there is, and a client with a name", async () => {
    const setup = setUp(echo());
    const unknown = await send(setup, { ...modern("tools/list"), path: "/v1/mcp/two" });
    expect([unknown.status, (await jsonOf(unknown)).error.data?.code]).toEqual([404, "unknown_server"]);
    expect((await send(setup, { ...modern("tools/list"), client: "" })).status).toBe(400);
  });
});
