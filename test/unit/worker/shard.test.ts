import { describe, expect, it } from "vitest";
import { ALL_PERMISSIONS } from "../../../shared/auth/permission.ts";
import { mintToken } from "../../../shared/auth/token.ts";
import { LIMITS } from "../../../shared/limits.ts";
import type { GatewayFrame } from "../../../shared/protocol/gateway.ts";
import { ALL_FIELDS, IS_NEW } from "../../../shared/swarm/fields.ts";
import type { FeedMessage } from "../../../worker/hive/feed.ts";
import { aChange, anAgent, aSnapshot, aTask } from "../../support/agents.ts";
import { LIVE, LOST, SECRET, SNAPSHOT, STATUS, setUp } from "./shard-setup.ts";

/** By then a shard has told what it counted. */
const REPORTED_MS = 10_000;

describe("a shard and its feed", () => {
  it("P6 H9 wants no feed for clients that left while it was dialled, nor for a relay", () => {
    const { shard, connect, feed, requests } = setUp();
    connect("relay");
    expect(requests).toEqual([]);
    const { socket } = connect("stream");
    expect(requests).toHaveLength(1);
    shard.disconnect(socket);
    const late = feed();
    shard.feedConnected(late);
    expect(late.closed).toBe(true);
  });

  it("Q2 asks for the picture once when changes do not fit, and takes none before it comes", () => {
    const { connect, connectFeed, say } = setUp();
    const { types } = connect("stream");
    const socket = connectFeed(LIVE, SNAPSHOT);
    say(socket, ...[5, 6, 7].map((from) => aChange(from, {})));
    expect(socket.sent.map((text) => JSON.parse(text))).toEqual([
      { type: "watch", position: null, intervalMs: 100 },
      { type: "watch", position: null, intervalMs: 100 },
    ]);
    say(socket, SNAPSHOT);
    expect(types()).toEqual(["welcome", "snapshot"]);
  });

  it("P6 goes on from its picture when a client comes back to an empty shard", () => {
    const { shard, connect, connectFeed, say } = setUp();
    const first = connect("stream");
    connectFeed(SNAPSHOT);
    shard.disconnect(first.socket);
    const second = connect("stream");
    const socket = connectFeed();
    expect(JSON.parse(socket.sent[0] ?? "")).toMatchObject({ position: { epoch: "e", offset: 1 } });
    expect(second.types()).toEqual(["welcome"]);
    say(socket, aChange(1, { removed: ["agent-1"] }, { offset: 7 }));
    expect(second.frames.at(-1)).toMatchObject({ type: "snapshot", offset: 7, payload: { agents: [] } });
  });

  it("S1 says how often the fastest of its clients wants news, when that changes", async () => {
    const { shard, connect, connectFeed } = setUp();
    const slow = connect("stream", { mode: "low_frequency" });
    const socket = connectFeed(LIVE, SNAPSHOT);
    const fast = connect("stream", { mode: "high_frequency" });
    await shard.receive(slow.socket, JSON.stringify({ type: "performance_mode", mode: "on_demand" }));
    shard.disconnect(fast.socket);
    expect(socket.sent.map((text) => JSON.parse(text).intervalMs)).toEqual([1_000, 16, 10_000]);
  });

  it("S4 tells a newcomer that the sidecar is away, also when there never was a picture", () => {
    const { connect, connectFeed } = setUp();
    const first = connect("stream");
    connectFeed(LOST);
    const second = connect("stream");
    for (const { frames } of [first, second]) {
      expect(frames.at(-1)).toMatchObject({ type: "hive_status", live: false, stale_since: 5 });
    }
  });

  it("S4 tells everybody of the circuit breaker, once per change", () => {
    const { connect, connectFeed, say } = setUp();
    const { ofType } = connect("stream");
    const socket = connectFeed(LIVE, SNAPSHOT);
    const open = { state: "open", since: 7, retry_at: 9 } as const;
    const message: FeedMessage = { type: "status", status: { live: false, staleSince: 6, circuit: open } };
    say(socket, message, message);
    expect(ofType("hive_status")).toMatchObject([{ live: false, stale_since: 6, circuit: open }]);
  });

  it("S1 Q2 after its memory was lost brings everybody from where its feed goes on", () => {
    const before = setUp();
    const { saved } = before.connect("stream");
    before.connectFeed(LIVE, SNAPSHOT);
    const state = saved.at(-1);
    if (!state) throw new Error("nothing was saved");

    const { shard, feed, say, clock } = setUp();
    const frames: GatewayFrame[] = [];
    const socket = {
      send: (data: string | Uint8Array) => void frames.push(JSON.parse(String(data))),
      ...{ close: () => {}, save: () => {}, backlogBytes: () => null, heartbeatMs: () => null },
    };
    shard.restore(socket, state);
    const restored = feed();
    shard.feedRestored(restored, true);
    expect(restored.sent).toEqual([]);
    say(restored, aChange(1, { agents: [{ agent_id: "agent-1", status: "done" }] }));
    expect(JSON.parse(restored.sent[0] ?? "")).toMatchObject({ type: "watch", position: null });
    const agents = [anAgent({ status: "done" })];
    say(restored, {
      ...aSnapshot({ offset: 2, agents }),
      history: {
        ...{
          horizon: 0,
          agents: [
            [
              [1, (ALL_FIELDS | IS_NEW) & ~STATUS],
              [2, STATUS],
            ],
          ],
          tasks: [],
          departures: [],
        },
        parts: { servers: 0, swarms: 0, container: 0 },
      },
    });
    clock.advance(100);
    expect(frames).toMatchObject([
      {
        type: "agent_update",
        from: 1,
        offset: 2,
        payload: { agents: [{ agent_id: "agent-1", status: "done" }] },
      },
    ]);
    expect(
      Object.keys(frames[0]?.type === "agent_update" ? (frames[0].payload.agents[0] ?? {}) : {}),
    ).toHaveLength(2);
  });
});

describe("a shard and its clients", () => {
  it("S6 H9 follows nothing for a client that left while its request was under way", async () => {
    const { shard, connect, answer, asked } = setUp();
    const { socket } = connect("relay");
    const { taskId } = aTask();
    const received = shard.receive(socket, JSON.stringify({ type: "follow_task", taskId }));
    shard.disconnect(socket);
    answer.resolve(Response.json({ task: aTask() }));
    await received;
    expect(asked).toEqual([`/v1/tasks/${taskId}`]);
  });

  it("S6 serves the others when a socket has gone in the middle of a broadcast", () => {
    const { connect, connectFeed } = setUp();
    const gone = connect("stream");
    const other = connect("stream");
    gone.socket.send = () => {
      throw new Error("closed");
    };
    gone.socket.save = () => {
      throw new Error("closed");
    };
    connectFeed(SNAPSHOT);
    expect(other.types()).toEqual(["welcome", "snapshot"]);
  });

  it("S1 pushes nothing on demand but what is asked for, and S5 has no timer when nothing is due", async () => {
    const { shard, connect, connectFeed, say, clock } = setUp();
    const { socket, types, frames } = connect("stream", { mode: "on_demand" });
    const hive = connectFeed(SNAPSHOT);
    say(hive, aChange(1, { removed: ["agent-1"] }));
    clock.advance(REPORTED_MS);
    expect(clock.waiting).toBe(0);
    await shard.receive(socket, JSON.stringify({ type: "resume", epoch: "e", offset: 1, requestId: "r" }));
    expect(types()).toEqual(["welcome", "snapshot", "resumed", "agent_update"]);
    expect(frames.at(-2)).toMatchObject({ recovered: true, requestId: "r", offset: 2 });
    await shard.receive(socket, JSON.stringify({ type: "get_snapshot" }));
    expect(frames.at(-1)).toMatchObject({ type: "snapshot", offset: 2 });
  });

  it("S5 sends no more updates than the mode has ticks, and one early, with nothing but what changed", () => {
    const { connect, connectFeed, say, clock } = setUp();
    const { ofType } = connect("stream");
    const hive = connectFeed(SNAPSHOT);
    for (let offset = 1; offset <= 30; offset++) {
      say(hive, aChange(offset, { agents: [{ agent_id: "agent-1", status: `${offset}` }] }));
      clock.advance(10);
    }
    clock.advance(100);
    const updates = ofType("agent_update");
    expect(updates.length).toBeGreaterThanOrEqual(3);
    expect(updates.length).toBeLessThanOrEqual(5);
    expect(updates.at(-1)?.payload).toEqual({ agents: [{ agent_id: "agent-1", status: "30" }] });
    clock.advance(REPORTED_MS);
    expect(clock.waiting).toBe(0);
  });

  it("S5 keeps to 60 updates a second, however often something changes", () => {
    const { connect, connectFeed, say, clock } = setUp();
    const { ofType } = connect("stream", { mode: "high_frequency" });
    const hive = connectFeed(SNAPSHOT);
    for (let offset = 1; offset <= 1_000; offset++) {
      say(hive, aChange(offset, { agents: [{ agent_id: "agent-1", status: `${offset}` }] }));
      clock.advance(1);
    }
    const updates = ofType("agent_update").length;
    expect(updates).toBeGreaterThan(55);
    expect(updates).toBeLessThanOrEqual(62);
  });

  it("P1 encodes once for all that see the same, and gives each mode its own ticks", () => {
    const { connect, connectFeed, say, clock } = setUp();
    const fast = connect("stream", { mode: "high_frequency" });
    const slow = connect("stream", { mode: "low_frequency" });
    const hive = connectFeed(SNAPSHOT);
    say(hive, aChange(1, { agents: [{ agent_id: "agent-1", progress: 0.1 }] }));
    clock.advance(0);
    say(hive, aChange(2, { agents: [{ agent_id: "agent-1", progress: 0.2 }] }));
    clock.advance(17);
    expect(fast.ofType("agent_update").map(({ from, offset }) => [from, offset])).toEqual([
      [1, 2],
      [2, 3],
    ]);
    clock.advance(1_000);
    expect(slow.ofType("agent_update").map(({ from, offset }) => [from, offset])).toEqual([
      [1, 2],
      [2, 3],
    ]);
  });

  it("S5 Q2 goes on from where a client stopped, or says that it cannot and sends everything", () => {
    const { connect, connectFeed, say } = setUp();
    connect("stream");
    const hive = connectFeed(SNAPSHOT);
    say(hive, aChange(1, { agents: [{ agent_id: "agent-1", status: "done" }] }));
    const back = connect("stream", { position: { epoch: "e", offset: 1 } });
    expect(back.types()).toEqual(["welcome", "resumed", "agent_update"]);
    const same = connect("stream", { position: { epoch: "e", offset: 2 } });
    expect(same.types()).toEqual(["welcome", "resumed"]);
    for (const position of [
      { epoch: "other", offset: 1 },
      { epoch: "e", offset: 3 },
    ]) {
      const lost = connect("stream", { position });
      expect(lost.types()).toEqual(["welcome", "resumed", "snapshot"]);
      expect(lost.ofType("resumed")).toMatchObject([{ recovered: false, offset: 2 }]);
    }
  });

  it("Q2 gives nobody the frame of another epoch that had come to the same offset", () => {
    const { connect, connectFeed, say, clock } = setUp();
    const { ofType } = connect("stream");
    const hive = connectFeed(LIVE);
    for (const epoch of ["first", "second"]) {
      say(hive, aSnapshot({ epoch, agents: [anAgent()] }));
      say(hive, aChange(1, { agents: [{ agent_id: "agent-1", status: epoch }] }, { epoch }));
      clock.advance(100);
    }
    const changed = ofType("agent_update").flatMap(({ payload }) => payload.agents);
    expect(changed.map(({ status }) => status)).toEqual(["first", "second"]);
  });

  it("S1 S8 goes on from nothing that was seen through other filters or permissions", () => {
    const { connect, connectFeed } = setUp();
    const all = connect("stream");
    connectFeed(LIVE, SNAPSHOT);
    const [{ view } = {}] = all.ofType("snapshot");
    const position = { epoch: "e", offset: 1, view };
    expect(connect("stream", { position }).ofType("resumed")).toMatchObject([{ recovered: true }]);
    for (const other of [{ filters: { swarm_ids: ["s"] } }, { scope: { agent_types: ["worker"] } }]) {
      const { types, ofType } = connect("stream", { position, ...other });
      expect(ofType("resumed")).toMatchObject([{ recovered: false }]);
      expect(types().at(-1)).toBe("snapshot");
    }
  });

  it("S5 compresses large frames, once, for those who asked for it", () => {
    const { connect, connectFeed } = setUp();
    const plain = connect("stream");
    const deflated = connect("stream", { encoding: "deflate" });
    const agents = Array.from({ length: 20 }, (_, i) => anAgent({ agent_id: `${i}` }));
    connectFeed(aSnapshot({ agents }));
    expect([plain.binary.length, deflated.binary.length]).toEqual([0, 1]);
    expect(deflated.frames.at(-1)).toEqual(plain.frames.at(-1));
    // The welcome is small: there is nothing to gain.
    expect(deflated.types()).toEqual(["welcome", "snapshot"]);
  });

  it("S8 shows a client what is in its token's scope and nothing else, before its filters", async () => {
    const { shard, connect, connectFeed, say, clock } = setUp();
    const { frames, socket, ofType } = connect("stream", { scope: { swarm_ids: ["s1"] } });
    const agents = [
      anAgent({ agent_id: "mine", swarm_id: "s1" }),
      anAgent({ agent_id: "theirs", swarm_id: "s2" }),
    ];
    const hive = connectFeed(aSnapshot({ agents }));
    say(hive, aChange(1, { agents: [{ agent_id: "theirs", status: "secret" }] }));
    clock.advance(200);
    await shard.receive(
      socket,
      JSON.stringify({ type: "update_filters", filters: { swarm_ids: ["s1", "s2"] } }),
    );
    say(hive, aChange(2, { removed: ["theirs"] }));
    clock.advance(200);
    expect(JSON.stringify(frames)).not.toContain("theirs");
    expect(ofType("snapshot").map(({ payload }) => payload.agents.length)).toEqual([1, 1]);
  });

  it("S9 speaks to a VisionFlow client as it expects, beside its own clients, out of the same picture", async () => {
    const { shard, connect, connectFeed, say, clock } = setUp();
    const ours = connect("stream");
    const theirs = connect("stream", { dialect: "visionflow" });
    const messages: { type: string }[] = theirs.frames;
    const hive = connectFeed(LIVE, SNAPSHOT);
    say(hive, aChange(1, { agents: [{ agent_id: "agent-1", status: "done" }] }));
    clock.advance(100);
    expect(messages.map(({ type }) => type)).toEqual(["multi_agent_update", "multi_agent_update"]);
    expect(messages[1]).toMatchObject({
      agents: [{ agent_id: "agent-1", status: "done", name: "worker 1" }],
    });
    expect(ours.types()).toEqual(["welcome", "snapshot", "agent_update"]);
    const configure = { action: "configure", data: { performance_mode: "low_frequency" } };
    await shard.receive(theirs.socket, JSON.stringify(configure));
    expect(messages.at(-1)).toMatchObject({ type: "config_updated", performance_mode: "low_frequency" });
    await shard.receive(theirs.socket, JSON.stringify({ action: "dance" }));
    expect(messages.at(-1)).toMatchObject({ type: "error", message: "Unknown message format" });
  });

  it("S8 hides tasks of other swarms from a token with a scope", async () => {
    const { shard, connect, answer } = setUp();
    const { socket, frames } = connect("relay", { scope: { swarm_ids: ["s1"] } });
    answer.resolve(Response.json({ task: aTask({ swarmId: "s2" }) }));
    const { taskId } = aTask();
    await shard.receive(socket, JSON.stringify({ type: "follow_task", taskId }));
    expect(frames.at(-1)).toMatchObject({ type: "error", code: "unknown_task" });
  });

  it("S8 goes on with a fresh token of the same subject, and with no other", async () => {
    const { shard, connect, clock } = setUp();
    const { socket, frames, closed } = connect("relay", {
      expiresMs: clock.now() + 10_000,
      subject: "alice",
    });
    const refresh = async (subject: string) => {
      const identity = { subject, hives: ["default"], permissions: [...ALL_PERMISSIONS] };
      const token = await mintToken({ ...identity, expiresMs: clock.now() + 60_000 }, SECRET, clock.now());
      await shard.receive(socket, JSON.stringify({ type: "refresh_token", token }));
    };
    await refresh("mallory");
    expect(frames.at(-1)).toMatchObject({ type: "error", code: "forbidden" });
    await refresh("alice");
    expect(frames.at(-1)).toMatchObject({ type: "token_refreshed" });
    clock.advance(30_000);
    await shard.receive(socket, '{"type":"ping"}');
    expect(frames.at(-1)).toMatchObject({ type: "pong" });
    clock.advance(30_000);
    await shard.receive(socket, '{"type":"ping"}');
    expect(closed).toEqual([4503]);
  });

  it("S8 answers what comes too fast with an error, and closes a client that does not heed it", async () => {
    const { shard, connect } = setUp();
    const { socket, frames, closed } = connect("relay");
    for (let i = 0; i < 300; i++) await shard.receive(socket, `{"type":"ping","requestId":"${i}"}`);
    expect(frames.filter(({ type }) => type === "pong")).toHaveLength(60);
    expect(frames.at(-1)).toMatchObject({ type: "error", code: "rate_limited", requestId: "259" });
    expect(closed).toEqual([4001]);
  });

  it("S8 takes so many clients, and so many of one subject", () => {
    const { shard, connect } = setUp();
    for (let i = 0; i < LIMITS.sessionsPerSubject; i++) connect("relay", { subject: "one" });
    expect([shard.refusal("one"), shard.refusal("two")]).toEqual(["subject", null]);
    for (let i = LIMITS.sessionsPerSubject; i < LIMITS.sessionsPerShard; i++)
      connect("relay", { subject: `${i}` });
    expect(shard.refusal("two")).toBe("full");
  });

  it("S6 removes clients that gave no sign of life, and looks again only while somebody is here", () => {
    const { shard, connect, clock, wakes } = setUp();
    const silent = connect("relay");
    const alive = connect("relay", { heartbeatMs: () => clock.now() });
    clock.advance(LIMITS.idleSessionMs + 1);
    shard.wake();
    expect([silent.closed, alive.closed]).toEqual([[4007], []]);
    expect(wakes).toHaveLength(2);
    shard.disconnect(alive.socket);
    shard.wake();
    expect(wakes).toHaveLength(2);
  });
});

describe("a slow client", () => {
  const BIG = "x".repeat(70_000);

  /** A feed that changes a large thing each 100 ms, so that whoever does not read falls behind. */
  function flood() {
    const parts = setUp();
    const { connectFeed, say, clock } = parts;
    const begin = () => {
      const hive = connectFeed(LIVE, SNAPSHOT);
      let offset = 1;
      return (times: number) => {
        for (let i = 0; i < times; i++) {
          const status = `${offset}${BIG}`;
          say(hive, aChange(offset++, { agents: [{ agent_id: "agent-1", status }] }));
          clock.advance(100);
        }
      };
    };
    return { ...parts, begin };
  }

  it("S5 S7 is told that it is slowed down, gets merged updates, and is sped up again", async () => {
    const { shard, connect, begin, clock } = flood();
    const slow = connect("stream");
    const push = begin();
    push(30);
    expect(slow.ofType("mode_changed")).toMatchObject([
      { mode: "normal", effective_mode: "low_frequency", reason: "slow_client" },
    ]);
    expect(slow.ofType("agent_update").length).toBeLessThan(6);
    for (const { probe } of slow.ofType("probe")) {
      await shard.receive(slow.socket, JSON.stringify({ type: "ack", probe }));
    }
    const before = slow.frames.length;
    push(10);
    const [merged] = slow.frames.slice(before);
    expect(merged).toMatchObject({ type: "agent_update", offset: expect.any(Number) });
    if (merged?.type === "agent_update") expect(merged.offset - merged.from).toBeGreaterThan(10);
    for (let i = 0; i < 12; i++) {
      for (const { probe } of slow.ofType("probe")) {
        await shard.receive(slow.socket, JSON.stringify({ type: "ack", probe }));
      }
      push(10);
    }
    expect(slow.ofType("mode_changed").at(-1)).toMatchObject({
      effective_mode: "normal",
      reason: "caught_up",
    });
    await shard.receive(slow.socket, '{"type":"get_session"}');
    const [session] = slow.ofType("session");
    expect(session?.quality.skipped_updates).toBeGreaterThan(5);
    expect(session?.quality.latency_ms).not.toBeNull();
    // The next tick, and the report for metrics.
    expect(clock.waiting).toBeLessThanOrEqual(2);
  });

  it("S6 that reads nothing at all is closed, and what waited for it stayed within its limit", () => {
    const { connect, begin } = flood();
    const deaf = connect("stream");
    const push = begin();
    push(700);
    expect(deaf.closed).toEqual([4003]);
    const sent = deaf.frames.reduce((sum, frame) => sum + JSON.stringify(frame).length, 0);
    expect(sent).toBeLessThan(LIMITS.lateSessionBytes + 2 * BIG.length);
  });

  it("S6 does not take a guess for having read", async () => {
    const { shard, connect, begin } = flood();
    const liar = connect("stream");
    const push = begin();
    for (let i = 0; i < 70; i++) {
      await shard.receive(liar.socket, JSON.stringify({ type: "ack", probe: `${i}` }));
      push(10);
    }
    expect(liar.closed).toEqual([4003]);
  });

  it("S5 is judged by what the runtime has not sent, where that is known", () => {
    const { connect, begin } = flood();
    let unsent = 0;
    const client = connect("stream", { backlogBytes: () => unsent });
    const push = begin();
    push(20);
    expect(client.ofType("agent_update").length).toBe(20);
    unsent = 300_000;
    push(5);
    expect(client.ofType("agent_update").length).toBe(20);
    unsent = 0;
    push(1);
    expect(client.ofType("agent_update").at(-1)).toMatchObject({ from: 21, offset: 27 });
  });

  it("S5 S8 ends a session whose token has expired", () => {
    const { connect, connectFeed, clock } = setUp();
    const brief = connect("stream", { expiresMs: clock.now() + 500 });
    clock.advance(600);
    connectFeed(SNAPSHOT);
    expect(brief.closed).toEqual([4503]);
  });

  it("S8 ends a session with its token, also when there was no need to look at it for long", () => {
    const { connect, connectFeed, say, clock } = setUp();
    const expiresMs = clock.now() + 1_234;
    const brief = connect("stream", { expiresMs, mode: "high_frequency" });
    const other = connect("stream", { mode: "high_frequency" });
    const hive = connectFeed(LIVE, SNAPSHOT);
    for (let offset = 1; offset < 200; offset++) {
      say(hive, aChange(offset, { agents: [{ agent_id: "agent-1", status: `${offset}` }] }));
      clock.advance(17);
    }
    expect(brief.closed).toEqual([4503]);
    const given = other.ofType("agent_update").filter(({ timestamp }) => timestamp < expiresMs);
    expect(given.length).toBeGreaterThan(50);
    expect(brief.ofType("agent_update")).toEqual(given);
  });
});
