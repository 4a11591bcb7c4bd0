import { setFlagsFromString } from "node:v8";
import { runInNewContext } from "node:vm";
import { describe, expect, it, vi } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import { KeepAlive } from "../../../../sidecar/mcp/endpoint/event-stream.ts";
import { OpenRequests } from "../../../../sidecar/mcp/endpoint/open-requests.ts";
import { Sessions } from "../../../../sidecar/mcp/endpoint/sessions.ts";
import { FakeUpstream } from "../../../support/fake-upstream.ts";
import { ManualClock } from "../../../support/manual-clock.ts";
import { Events, legacy } from "../../../support/mcp-messages.ts";
import { initialize, send, setUp } from "./setup.ts";

setFlagsFromString("--expose-gc");
const collectGarbage: () => void = runInNewContext("gc");

function open() {
  const clock = new ManualClock();
  const sessions = new Sessions(clock, new KeepAlive(clock, new OpenRequests()));
  const of = (id: string, client = "alice") =>
    sessions.open({ id, client, server: "one", version: "2025-11-25", capabilities: {}, clientInfo: {} });
  const has = (id: string, client = "alice") => sessions.find(id, client, "one") !== null;
  return { clock, sessions, of, has };
}

describe("all sessions", () => {
  it("S6 makes room for a client's next session by ending its own that was idle longest", () => {
    const { sessions, of, has } = open();
    of("other", "bob");
    for (let n = 0; n < LIMITS.mcpSessionsPerClient; n++) of(`s${n}`);
    expect(has("s0")).toBe(true);
    sessions.find("s1", "alice", "one")?.begin(1);
    of("next");
    expect(sessions.size).toBe(LIMITS.mcpSessionsPerClient + 1);
    expect([has("s0"), has("s1"), has("s2"), has("next"), has("other", "bob")]).toEqual([
      true,
      true,
      false,
      true,
      true,
    ]);
  });

  it("S6 refuses a session when there is no room and none is idle", () => {
    const { sessions, of } = open();
    for (let n = 0; n < LIMITS.mcpSessions; n++) of(`s${n}`, `client ${n % 100}`).begin(1);
    expect(() => of("next")).toThrow("Too many sessions");
    expect(sessions.size).toBe(LIMITS.mcpSessions);
  });

  it("S6 ends those that nobody used for long, by one timer that goes with the last of them", () => {
    const { clock, sessions, of, has } = open();
    for (let n = 0; n < 100; n++) of(`s${n}`);
    expect(clock.waiting).toBe(1);
    const busy = of("busy");
    busy.begin(1);
    clock.advance(LIMITS.mcpSessionIdleMs - LIMITS.mcpSessionSweepMs);
    expect(has("s7")).toBe(true);
    clock.advance(2 * LIMITS.mcpSessionSweepMs);
    expect([sessions.size, has("s7"), has("busy")]).toEqual([2, true, true]);
    busy.done(1);
    clock.advance(LIMITS.mcpSessionIdleMs + LIMITS.mcpSessionSweepMs);
    expect([sessions.size, clock.waiting]).toEqual([0, 0]);
  });

  it("S6 lets go of what a session held, were it in use to the end", async () => {
    const { sessions, of } = open();
    const refs = Array.from({ length: 100 }, (_, n) => new WeakRef(of(`s${n}`)));
    for (const ref of refs) {
      ref.deref()?.begin(1);
      ref.deref()?.standalone.send("x".repeat(1_000));
    }
    expect(sessions.eventBytes).toBeGreaterThan(100_000);
    sessions.close();
    expect(sessions.eventBytes).toBe(0);
    // What was dereferenced lives on until the next task.
    await new Promise((resolve) => setImmediate(resolve));
    collectGarbage();
    expect(refs.filter((ref) => ref.deref() !== undefined)).toEqual([]);
  });

  it("T1 S6 leaves nothing of 10,000 sessions that were opened, used and abandoned", async () => {
    const upstream = new FakeUpstream("2025", (_request, { onNotification }) => {
      onNotification?.({ method: "notifications/progress", params: { progressToken: 1 } });
      return { result: {} };
    });
    const setup = setUp(upstream);
    for (let n = 0; n < 10_000; n++) {
      const client = `client-${n % 50}`;
      const session = await initialize(setup, { client });
      if (n % 100 > 0) continue;
      const { headers } = legacy(session, "");
      const stream = new Events(await send(setup, { method: "GET", headers, client }));
      await stream.next();
      await stream.leave();
      await send(setup, { ...legacy(session, "resources/subscribe", { uri: "a:b" }), client });
      const call = new Events(await send(setup, { ...legacy(session, "tools/call", { name: "a" }), client }));
      await call.next();
      await call.leave();
    }
    expect(setup.endpoint.counts()).toMatchObject({ sessions: 10_000, streams: 0, subscriptions: 1 });
    // One looks after idle sessions, one after what is watched.
    expect(setup.clock.waiting).toBe(2);
    setup.clock.advance(LIMITS.mcpSessionIdleMs + LIMITS.mcpSessionSweepMs);
    expect(setup.endpoint.counts()).toEqual({
      ...{ sessions: 0, requests: 0, streams: 0, heldCalls: 0, subscriptions: 0, eventBytes: 0 },
    });
    // The server is told that nobody wants to hear of its resource any more.
    await vi.waitFor(() => expect([setup.clock.waiting, upstream.listeners]).toEqual([0, 0]));
  });
});
