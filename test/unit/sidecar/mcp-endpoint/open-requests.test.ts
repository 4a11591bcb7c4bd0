import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import type { McpAnswer } from "../../../../shared/protocol/mcp.ts";
import { OpenRequests } from "../../../../sidecar/mcp/endpoint/open-requests.ts";
import { FakeUpstream } from "../../../support/fake-upstream.ts";
import { jsonOf, legacy, modern } from "../../../support/mcp-messages.ts";
import { initialize, send, setUp } from "./setup.ts";

const range = (count: number) => Array.from({ length: count }, (_, n) => n);
const SOME = 4;

describe("what clients have open at the same time", () => {
  it("S6 leaves room for others, and for tasks and telemetry beside all of it", () => {
    const open = new OpenRequests();
    for (const _ of range(LIMITS.mcpRequestsPerClient)) open.begin("greedy");
    expect(() => open.begin("greedy")).toThrow("Close some");
    for (let n = open.size; n < LIMITS.mcpRequests; n++) open.begin(`client ${n}`);
    expect(() => open.begin("one more")).toThrow("Close some");
    open.end("greedy");
    open.begin("one more");
    expect(() => open.begin("greedy")).toThrow("Close some");
    const { taskStreams, toolReaders, telemetryReaders, relayLinks, mcpRequests } = LIMITS;
    expect(taskStreams + toolReaders + telemetryReaders + relayLinks + mcpRequests).toBeLessThan(
      LIMITS.sidecarConnections - 200,
    );
  });

  it("S6 T8 is refused above that, by requests that wait and streams that are read alike, and cancelled at any time", async () => {
    const { promise: answered, resolve: answer } = Promise.withResolvers<McpAnswer>();
    const upstream = new FakeUpstream("2025", () => answered);
    const setup = setUp(upstream);
    const sessions: string[] = [];
    for (const _ of range(SOME)) sessions.push(await initialize(setup));
    const streams = await Promise.all(
      sessions.map((session) => send(setup, { method: "GET", headers: legacy(session, "").headers })),
    );
    const free = LIMITS.mcpRequestsPerClient - SOME;
    const waiting = range(free).map((id) => send(setup, modern("tools/call", { name: "look" }, { id })));
    await expect.poll(() => upstream.asked.length).toBe(free);
    expect(setup.endpoint.counts()).toMatchObject({ requests: free, streams: SOME });

    const [session = ""] = sessions;
    const more = await send(setup, legacy(session, "tools/list"));
    expect(more.status).toBe(503);
    expect((await jsonOf(more)).error).toMatchObject({ data: { code: "overloaded", retryable: true } });
    expect((await send(setup, { method: "GET", headers: legacy(session, "").headers })).status).toBe(503);
    const cancelling = {
      body: { jsonrpc: "2.0", method: "notifications/cancelled", params: { requestId: 1 } },
    };
    expect((await send(setup, { ...legacy(session, ""), ...cancelling })).status).toBe(202);
    expect(await initialize(setup, { client: "bob" })).toBeTruthy();

    await streams[0]?.body?.cancel();
    const again = await send(setup, { method: "GET", headers: legacy(session, "").headers });
    expect(again.status).toBe(200);
    answer({ result: { content: [] } });
    for (const response of await Promise.all(waiting)) expect(response.status).toBe(200);
    for (const each of sessions)
      expect((await send(setup, { method: "DELETE", headers: legacy(each, "").headers })).status).toBe(204);
    expect(setup.endpoint.counts()).toMatchObject({ requests: 0, streams: 0 });
  });
});
