import { describe, expect, it, vi } from "vitest";
import { ALL_PERMISSIONS, type Permission, type Scope } from "../../../shared/auth/permission.ts";
import { mintToken } from "../../../shared/auth/token.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { SessionState } from "../../../worker/session/session.ts";
import { aChange, anAgent, aSnapshot, aTask } from "../../support/agents.ts";
import { LIVE, SECRET, SNAPSHOT, setUp } from "./shard-setup.ts";

const manyAgents = (count: number, prefix = "agent") =>
  Array.from({ length: count }, (_, i) => anAgent({ agent_id: `${prefix}-${i}` }));

/** A shard that has lost its memory, and finds a socket with what was stored in it. */
function wokenWith(state: SessionState) {
  const parts = setUp();
  const sent: string[] = [];
  const closed: number[] = [];
  const socket = {
    send: (data: string | Uint8Array) => void sent.push(String(data)),
    close: (code: number) => void closed.push(code),
    ...{ save: () => {}, backlogBytes: () => null, heartbeatMs: () => null },
  };
  parts.shard.restore(socket, state);
  return { ...parts, socket, sent, closed };
}

const lastSaved = (saved: SessionState[]): SessionState => {
  const state = saved.at(-1);
  if (!state) throw new Error("nothing was stored");
  return state;
};

describe("what is remembered", () => {
  it("Q2 S6 sends everything to a client that missed more departures than are remembered", () => {
    const { connect, connectFeed, say, clock } = setUp();
    const { ofType } = connect("stream", { backlogBytes: () => 0 });
    const agents = manyAgents(LIMITS.departures + 1_000);
    const hive = connectFeed(LIVE, aSnapshot({ agents }));
    say(hive, aChange(1, { removed: agents.map(({ agent_id }) => agent_id) }));
    clock.advance(100);
    expect(ofType("snapshot").at(-1)).toMatchObject({ offset: 2, payload: { agents: [] } });
    expect(ofType("agent_update")).toEqual([]);
  });

  it("Q2 S8 does not call a client recovered that missed a task which is no longer kept", () => {
    const { connect, connectFeed, say } = setUp();
    connect("stream");
    const mine = (state: "running" | "completed") => aTask({ swarmId: "s1", state });
    const hive = connectFeed(LIVE, SNAPSHOT);
    say(hive, aChange(1, { tasks: [mine("running")] }), aChange(2, { tasks: [mine("completed")] }));
    for (let i = 0; i < 101; i++) {
      const taskId = `00000000-0000-4000-8000-${`${i}`.padStart(12, "0")}`;
      say(hive, aChange(3 + i, { tasks: [aTask({ taskId, swarmId: "s2" })] }));
    }
    const scope = { swarm_ids: ["s1"] };
    const back = connect("stream", { scope, position: { epoch: "e", offset: 2 } });
    expect(back.ofType("resumed")).toMatchObject([{ recovered: false }]);
  });
});

describe("a shard that loses its memory", () => {
  it("S6 removes clients that have been silent for long, though it has just found them", () => {
    const before = setUp();
    const { saved } = before.connect("relay");
    const { shard, clock, closed } = wokenWith(lastSaved(saved));
    clock.advance(LIMITS.idleSessionMs + 1);
    shard.wake();
    expect(closed).toEqual([4007]);
  });

  it("S6 knows of clients that were heard since they came", async () => {
    const before = setUp();
    const { saved, socket } = before.connect("relay");
    before.clock.advance(LIMITS.idleSessionMs - 1);
    await before.shard.receive(socket, '{"type":"ping"}');
    const { shard, clock, closed } = wokenWith(lastSaved(saved));
    clock.advance(LIMITS.idleSessionMs);
    shard.wake();
    expect(closed).toEqual([]);
  });

  it("S6 sends nothing more to a client that owed an answer, before it has given one", async () => {
    const before = setUp();
    const deaf = before.connect("stream");
    const hive = before.connectFeed(LIVE, SNAPSHOT);
    for (let i = 1; i < 6; i++) {
      const status = `${i}${"x".repeat(LIMITS.probeEveryBytes)}`;
      before.say(hive, aChange(i, { agents: [{ agent_id: "agent-1", status }] }));
      before.clock.advance(100);
    }
    const state = lastSaved(deaf.saved);
    expect(state.owesAnswer).toBe(true);

    const { shard, socket, sent, clock, connectFeed, say } = wokenWith(state);
    const probe = JSON.parse(sent[0] ?? "{}");
    expect(probe.type).toBe("probe");
    const feed = connectFeed(LIVE, aSnapshot({ offset: 6, agents: [anAgent()] }));
    const soFar = sent.length;
    say(feed, aChange(6, { agents: [{ agent_id: "agent-1", status: "new" }] }));
    clock.advance(200);
    expect(sent).toHaveLength(soFar);
    await shard.receive(socket, JSON.stringify({ type: "ack", probe: probe.probe }));
    clock.advance(200);
    expect(sent.at(-1)).toContain('"status":"new"');
  });
});

describe("a client that followed a task when its shard lost its memory", () => {
  it("H9 U2 is sent to come back and ask for it again; one whose tasks are over stays", async () => {
    const { shard, connect, answer } = setUp();
    const { socket, saved, ofType } = connect("stream");
    answer.resolve(Response.json({ task: aTask() }));
    await shard.receive(socket, JSON.stringify({ type: "follow_task", taskId: aTask().taskId }));
    expect(wokenWith(lastSaved(saved)).closed).toEqual([4004]);
    // This sidecar's stream breaks at once.
    await vi.waitFor(() => expect(ofType("task_unfollowed")).toHaveLength(1));
    expect(wokenWith(lastSaved(saved)).closed).toEqual([]);
  });
});

describe("a client that asks much", () => {
  it("P1 asks the Hive to dial once, however many clients come before it does", () => {
    const { connect, requests, clock, shard } = setUp();
    for (let i = 0; i < 100; i++) connect("stream", { subject: `${i}` });
    expect(requests).toHaveLength(1);
    clock.advance(2_000);
    shard.wake();
    expect(requests).toHaveLength(2);
  });

  it("S8 gets snapshots at a rate, and its acknowledgements cost it nothing", async () => {
    const { shard, connect, connectFeed } = setUp();
    const client = connect("stream");
    connectFeed(LIVE, SNAPSHOT);
    for (let i = 0; i < 30; i++) await shard.receive(client.socket, '{"type":"get_snapshot"}');
    expect(client.ofType("snapshot")).toHaveLength(1 + LIMITS.snapshotBurst);
    expect(client.ofType("error").at(-1)).toMatchObject({ code: "rate_limited" });
  });

  it("H9 hears of the task that it started, also when it may follow no more", async () => {
    const { shard, connect, answer } = setUp();
    const client = connect("relay");
    answer.resolve(
      new Response(
        JSON.stringify({ task: aTask(), created: true, telemetry: { status: "telemetry_unavailable" } }),
      ),
    );
    await shard.receive(client.socket, JSON.stringify({ type: "create_task", task: "x", follow: true }));
    expect(client.ofType("task_created")).toHaveLength(1);
  });
});

describe("a fresh token that allows less", () => {
  async function refreshed(change: { permissions?: Permission[]; scope?: Scope }) {
    const parts = setUp();
    const client = parts.connect("stream", { subject: "alice" });
    const agents = [anAgent({ agent_id: "a", swarm_id: "s1" }), anAgent({ agent_id: "b", swarm_id: "s2" })];
    parts.connectFeed(LIVE, aSnapshot({ agents }));
    const identity = { subject: "alice", hives: ["default"], permissions: [...ALL_PERMISSIONS], ...change };
    const expiresMs = parts.clock.now() + 60_000;
    const token = await mintToken({ ...identity, expiresMs }, SECRET, parts.clock.now());
    await parts.shard.receive(client.socket, JSON.stringify({ type: "refresh_token", token }));
    return client;
  }

  it("S8 shows from then on what it allows", async () => {
    const { ofType } = await refreshed({ scope: { swarm_ids: ["s2"] } });
    expect(ofType("token_refreshed")).toHaveLength(1);
    expect(
      ofType("snapshot")
        .at(-1)
        ?.payload.agents.map(({ agent_id }) => agent_id),
    ).toEqual(["b"]);
  });

  it("S8 is refused where it does not allow such a session at all", async () => {
    const { ofType } = await refreshed({ permissions: ["tasks:write"] });
    expect(ofType("error")).toMatchObject([{ code: "forbidden" }]);
  });
});

describe("time", () => {
  it("S5 goes on with its ticks when the clock is set back", () => {
    const { connect, connectFeed, say, clock } = setUp();
    const { ofType } = connect("stream");
    const hive = connectFeed(LIVE, SNAPSHOT);
    const change = (from: number) => {
      say(hive, aChange(from, { agents: [{ agent_id: "agent-1", status: `${from}` }] }));
      clock.advance(200);
    };
    change(1);
    clock.setBack(600_000);
    change(2);
    expect(ofType("agent_update")).toHaveLength(2);
  });

  it("S9 does not stall a VisionFlow client, which cannot say how far it has read", () => {
    const { connect, connectFeed, say, clock } = setUp();
    const { frames, closed } = connect("stream", { dialect: "visionflow" });
    const hive = connectFeed(LIVE, SNAPSHOT);
    for (let i = 1; i < 1_000; i++) {
      say(hive, aChange(i, { agents: [{ agent_id: "agent-1", current_task: `${i}${"x".repeat(10_000)}` }] }));
      clock.advance(100);
    }
    expect(closed).toEqual([]);
    expect(frames.length).toBeGreaterThan(900);
  });
});
