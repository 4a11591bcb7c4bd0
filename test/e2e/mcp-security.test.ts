/** What must not work, tried against a real server behind the real sidecar, on both hosts of the gateway. */
import { once } from "node:events";
import { request as httpRequest } from "node:http";
import { afterAll, beforeAll, describe, expect, it } from "vitest";
import { z } from "zod";
import type { Identity } from "../../shared/auth/permission.ts";
import { startDenoGateway } from "../support/deno-gateway.ts";
import { type RunningGateway, startGateway } from "../support/gateway.ts";
import { type McpSidecar, startMcpSidecar } from "../support/mcp-sidecar.ts";
import { referenceStdio } from "../support/reference-server.ts";

const EDGES = { workerd: startGateway, deno: startDenoGateway };
const REVISION = "2025-11-25";
const HELLO = { protocolVersion: REVISION, capabilities: {}, clientInfo: { name: "test", version: "1" } };
const Tools = z.object({ result: z.object({ tools: z.array(z.object({ name: z.string() })) }) });

describe.each(["workerd", "deno"] as const)("behind the gateway on %s,", (edge) => {
  let mcp: McpSidecar;
  let gateway: RunningGateway;
  beforeAll(async () => {
    mcp = await startMcpSidecar([{ name: "both", ...referenceStdio() }]);
    gateway = await EDGES[edge]({ sidecarUrl: mcp.sidecar.url, keys: mcp.keys });
  });
  afterAll(async () => {
    await gateway?.kill("SIGKILL");
    await mcp?.stop();
  });

  const post = async (
    message: { method: string; params?: object },
    identity: Partial<Identity>,
    session: string | null = null,
  ) =>
    fetch(`${gateway.url}/mcp/both`, {
      method: "POST",
      headers: {
        authorization: `Bearer ${await gateway.token(identity)}`,
        accept: "application/json, text/event-stream",
        "mcp-protocol-version": REVISION,
        ...(session !== null && { "mcp-session-id": session }),
      },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, ...message }),
    });
  const openSession = async (identity: Partial<Identity>) => {
    const response = await post({ method: "initialize", params: HELLO }, identity);
    await response.text();
    return response.headers.get("mcp-session-id") ?? "";
  };

  it("S8 T6 another client's session is as unknown as one that never was", async () => {
    const session = await openSession({ subject: "alice" });
    const list = (subject: string, of: string) => post({ method: "tools/list" }, { subject }, of);
    expect((await list("alice", session)).status).toBe(200);
    const [taken, invented] = [await list("bob", session), await list("bob", crypto.randomUUID())];
    expect([taken.status, invented.status]).toEqual([404, 404]);
    expect(await taken.json()).toEqual(await invented.json());
    const authorization = `Bearer ${await gateway.token({ subject: "bob" })}`;
    for (const method of ["GET", "DELETE"])
      expect(
        (
          await fetch(`${gateway.url}/mcp/both`, {
            method,
            headers: { authorization, accept: "text/event-stream", "mcp-session-id": session },
          })
        ).status,
      ).toBe(404);
    expect((await list("alice", session)).status).toBe(200);
  });

  it("T6 a token sees and calls what it names, in a session of its subject's too", async () => {
    const subject = "carol";
    const session = await openSession({ subject });
    const some = { subject, permissions: ["tools:call:both__test_s*"] as Identity["permissions"] };
    const { result } = Tools.parse(await (await post({ method: "tools/list" }, some, session)).json());
    expect(result.tools.length).toBeGreaterThan(0);
    for (const { name } of result.tools) expect(name).toMatch(/^test_s/);
    const call = (name: string) => post({ method: "tools/call", params: { name } }, some, session);
    expect(await (await call("test_simple_text")).json()).toMatchObject({
      result: { content: [{ type: "text" }] },
    });
    const [hidden, missing] = [await call("test_image_content"), await call("no_such_tool")];
    expect(await hidden.json()).toMatchObject({
      error: { code: -32602, message: "Unknown tool: test_image_content" },
    });
    expect(await missing.json()).toMatchObject({
      error: { code: -32602, message: "Unknown tool: no_such_tool" },
    });
  });

  it("S8 a page whose own name was made to lead here is refused, with a good token too", async () => {
    const authorization = `Bearer ${await gateway.token()}`;
    const status = async (host: string, origin: string) => {
      const sent = httpRequest(`${gateway.url}/mcp/both`, {
        method: "POST",
        headers: { host, origin, authorization, accept: "application/json, text/event-stream" },
      });
      sent.end(JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: HELLO }));
      const [response] = await once(sent, "response");
      response.resume();
      return response.statusCode;
    };
    expect(await status("evil.example", "http://evil.example")).toBe(403);
    expect(await status(`127.0.0.1:${gateway.port}`, "http://evil.example")).toBe(403);
    expect(await status(`localhost:${gateway.port}`, `http://localhost:${gateway.port}`)).toBe(200);
  });

  it("T1 takes a message of which the length is not said beforehand, and none without end", async () => {
    const send = async (chunks: string[]) =>
      fetch(`${gateway.url}/mcp/both`, {
        method: "POST",
        headers: {
          authorization: `Bearer ${await gateway.token()}`,
          accept: "application/json, text/event-stream",
        },
        body: ReadableStream.from(chunks).pipeThrough(new TextEncoderStream()),
        duplex: "half",
      });
    const hello = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "initialize", params: HELLO });
    expect((await send([hello.slice(0, 20), hello.slice(20)])).status).toBe(200);
    expect((await send(Array(20).fill("x".repeat(100_000)))).status).toBe(413);
  });
});
