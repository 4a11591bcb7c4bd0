import { describe, expect, it } from "vitest";
import { HivegateError } from "../../../shared/errors.ts";
import { Member } from "../../../sidecar/telemetry/member.ts";
import { Pool } from "../../../sidecar/telemetry/pool.ts";
import type { TelemetryProfile } from "../../../sidecar/telemetry/profile.ts";
import { anAgent } from "../../support/agents.ts";
import { recordingLog } from "../../support/recording-log.ts";

/** Two calls a poll, the second of which only adds to the first. */
const profile: TelemetryProfile = {
  serverSource: "demo",
  notifies: false,
  read: async (server, call) => {
    await Promise.all([call("agent_list", {}), call("agent_metrics", {})]);
    return { agents: [anAgent({ server })], swarms: [], leftOut: 0 };
  },
};

type Behaviour = "answers" | "fails" | "hangs" | "is_never_asked";

/** A server that behaves as it is told; its circuit is what the test says. */
function fakeServer(name: string) {
  const server = {
    ...{ name, pool: "flow", behaviour: "answers" as Behaviour, polls: 0, atOnce: 0, mostAtOnce: 0 },
    connection: {
      circuit: { state: "closed" as "closed" | "open" | "half_open", since: 0, retry_at: null },
      ...{ retryInMs: 0, isFailing: false, pending: 0 },
      call: async (tool: string) => {
        if (tool === "agent_list") server.polls++;
        if (server.connection.retryInMs > 0) throw new HivegateError("circuit_open");
        if (server.behaviour === "is_never_asked") throw new HivegateError("overloaded");
        if (server.behaviour === "hangs") return new Promise<never>(() => {});
        server.atOnce++;
        server.mostAtOnce = Math.max(server.mostAtOnce, server.atOnce);
        await Promise.resolve();
        server.atOnce--;
        if (server.behaviour === "fails") throw new HivegateError("mcp_unavailable");
        return {};
      },
    },
  };
  return server;
}

function poolOf(count: number) {
  const { log, lines } = recordingLog();
  const clock = { nowMs: 1_000 };
  const servers = Array.from({ length: count }, (_, n) => fakeServer(`flow-${n}`));
  const members = servers.map(
    (server) => new Member({ server, profile, timeoutMs: 5_000, log, now: () => clock.nowMs }),
  );
  const pool = new Pool("flow", "claude_flow", members);
  const read = async () => {
    clock.nowMs += 100;
    return pool.read();
  };
  /** Polls so often that every member has been asked. */
  const settle = async () => {
    for (let n = 0; n < 2 * count; n++) await read();
  };
  const polls = () => servers.map((server) => server.polls);
  const status = () => pool.servers(null, true).map((state) => state.status);
  return { pool, servers, clock, lines, read, settle, polls, status };
}

/** The server of this place. */
function at<T>(list: readonly T[], place: number): T {
  const item = list[place];
  if (item === undefined) throw new Error(`there is nothing at ${place}`);
  return item;
}

describe("a pool of servers that tell of the same agents", () => {
  it("S3 is asked by turns, one server a poll", async () => {
    const { read, settle, polls, status } = poolOf(3);
    await settle();
    expect(status()).toEqual(["available", "available", "available"]);
    const before = polls();
    for (let n = 0; n < 30; n++) await read();
    expect(polls().map((count, n) => count - at(before, n))).toEqual([10, 10, 10]);
  });

  it("S3 its agents carry the pool's name, whichever server told of them", async () => {
    const { read } = poolOf(2);
    for (let n = 0; n < 4; n++) expect((await read()).agents).toEqual([anAgent({ server: "flow" })]);
  });

  it("S3 asks the one with the fewest calls waiting", async () => {
    const { servers, read, settle, polls } = poolOf(3);
    await settle();
    at(servers, 0).connection.pending = 2;
    at(servers, 1).connection.pending = 1;
    const before = polls();
    for (let n = 0; n < 5; n++) await read();
    expect(polls().map((count, n) => count - at(before, n))).toEqual([0, 0, 5]);
  });

  it("S3 goes on to the next server within the same poll when one fails, and says which is away since when", async () => {
    const { pool, servers, clock, read, settle, lines } = poolOf(2);
    await settle();
    const told = { agents: 1, atMs: clock.nowMs };
    at(servers, 0).behaviour = "fails";
    for (let n = 0; n < 4; n++) expect((await read()).agents).toHaveLength(1);
    expect(pool.servers(told, true)).toMatchObject([
      { server: "flow-0", pool: "flow", server_source: "claude_flow", status: "unavailable", agents: 1 },
      { server: "flow-1", status: "available", stale_since: null },
    ]);
    expect(pool.servers(told, true)[0]?.stale_since).toBeLessThanOrEqual(told.atMs);
    expect(lines.filter((line) => line.includes("does not tell of its agents"))).toHaveLength(1);

    at(servers, 0).behaviour = "answers";
    await settle();
    expect(pool.servers(told, true)).toMatchObject([{ status: "available", stale_since: null }, {}]);
  });

  it("S3 a server that hangs keeps nobody waiting, and is tried no more than once at a time", async () => {
    const { pool, servers, read, settle, polls } = poolOf(2);
    await settle();
    at(servers, 0).behaviour = "fails";
    await settle();
    at(servers, 0).behaviour = "hangs";
    const [before] = polls();
    for (let n = 0; n < 20; n++) await read();
    expect(polls()[0]).toBeLessThanOrEqual((before ?? 0) + 1);
    expect(pool.servers(null, true).map(({ status }) => status)).toEqual(["unavailable", "available"]);
  });

  it("S3 says when a server is back that was left out, once for each", async () => {
    const { pool, servers, read, settle } = poolOf(3);
    let returns = 0;
    pool.onReturn(() => returns++);
    await settle();
    // The first to be asked was never away.
    expect(returns).toBe(2);
    at(servers, 0).behaviour = "fails";
    await settle();
    at(servers, 0).behaviour = "answers";
    await settle();
    expect(returns).toBe(3);
    await read();
    expect(returns).toBe(3);
  });

  it("S4 a server whose circuit is open is not asked at all", async () => {
    const { servers, read, settle, polls } = poolOf(2);
    await settle();
    at(servers, 0).behaviour = "fails";
    await settle();
    at(servers, 0).connection.retryInMs = 1_000;
    const [before] = polls();
    for (let n = 0; n < 10; n++) await read();
    expect(polls()[0]).toBe(before);
  });

  it("S4 when all fail, the poll fails, and is worth trying when the first circuit lets a call through", async () => {
    const { pool, servers, read } = poolOf(2);
    at(servers, 0).connection.retryInMs = 4_000;
    at(servers, 1).connection.retryInMs = 3_000;
    await expect(read()).rejects.toMatchObject({ code: "circuit_open" });
    expect(pool.retryInMs).toBe(3_000);
  });

  it("S4 a circuit that is being probed gets its calls one after the other", async () => {
    const { servers, read } = poolOf(1);
    const server = at(servers, 0);
    await read();
    expect(server.mostAtOnce).toBe(2);
    server.mostAtOnce = 0;
    server.connection.circuit.state = "half_open";
    await read();
    expect(server.mostAtOnce).toBe(1);
  });

  it("S4 a server that never answered is missed since it was asked first", async () => {
    const { pool, servers, clock, read } = poolOf(1);
    at(servers, 0).behaviour = "fails";
    await read().catch(() => {});
    const firstMs = clock.nowMs;
    for (let n = 0; n < 5; n++) await read().catch(() => {});
    expect(pool.servers(null, true)).toMatchObject([{ agents: 0, stale_since: firstMs }]);
  });

  it("S6 a call of ours too many says nothing of the server", async () => {
    const { pool, servers, read, settle, status, lines } = poolOf(1);
    await settle();
    at(servers, 0).behaviour = "is_never_asked";
    await expect(read()).rejects.toMatchObject({ code: "overloaded" });
    expect(status()).toEqual(["available"]);
    expect(pool.servers(null, true)).toMatchObject([{ stale_since: null }]);
    expect(lines).toEqual([]);
  });

  it("S6 agents that are left out are logged when their number changes, not at every poll", async () => {
    const { log, lines } = recordingLog();
    const server = fakeServer("flow-0");
    const strange = { ...profile, read: async () => ({ agents: [], swarms: [], leftOut: 2 }) };
    const member = new Member({ server, profile: strange, timeoutMs: 1, log, now: () => 0 });
    for (let n = 0; n < 10; n++) await member.read();
    expect(lines).toHaveLength(1);
    expect(lines[0]).toContain('"leftOut":2');
  });
});
