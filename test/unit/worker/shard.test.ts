import { describe, expect, it } from "vitest";
import { ALL_PERMISSIONS } from "../../../shared/auth/permission.ts";
import type { GatewayFrame } from "../../../shared/protocol/gateway.ts";
import type { FeedMessage } from "../../../worker/hive/feed.ts";
import type { SessionState } from "../../../worker/session/session.ts";
import { Shard } from "../../../worker/session/shard.ts";
import { SidecarClient } from "../../../worker/sidecar-client.ts";
import { anAgent, aTask } from "../../support/agents.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const SYNC: FeedMessage = {
  type: "sync",
  live: true,
  snapshot: {
    type: "snapshot",
    epoch: "e",
    offset: 1,
    timestamp: 0,
    agents: [anAgent()],
    servers: [],
    tasks: [],
  },
};

/** A shard whose sidecar answers when the test says so. */
function setUp() {
  const clock = new ManualClock();
  const answer = Promise.withResolvers<Response>();
  const asked: string[] = [];
  const sidecar = new SidecarClient({
    hive: "default",
    url: "http://sidecar",
    key: { kid: "k", mac: () => new Uint8Array(32) },
    fetch: (url) => {
      asked.push(new URL(url).pathname);
      return answer.promise;
    },
    sha256: () => new Uint8Array(32),
    clock,
    nonce: () => "nonce-0123456789",
  });
  let clients = 0;
  const wakes: number[] = [];
  const shard = new Shard({
    hive: "default",
    sidecar,
    clock,
    uuid: () => `00000000-0000-4000-8000-${`${clients++}`.padStart(12, "0")}`,
    requestFeed: () => {},
    wakeAfter: (delayMs) => wakes.push(delayMs),
    log: () => {},
  });
  const connect = (
    kind: SessionState["kind"],
    options: { backlogBytes?: number; expiresMs?: number } = {},
  ) => {
    const frames: GatewayFrame[] = [];
    const closed: number[] = [];
    const socket = {
      send: (text: string) => void frames.push(JSON.parse(text)),
      close: (code: number) => void closed.push(code),
      save: () => {},
      backlogBytes: () => options.backlogBytes ?? null,
    };
    const { expiresMs = Number.MAX_SAFE_INTEGER } = options;
    shard.connect(socket, { kind, identity: { subject: "s", permissions: [...ALL_PERMISSIONS], expiresMs } });
    return { socket, frames, closed, types: () => frames.map(({ type }) => type) };
  };
  const feed = () => {
    const sent: string[] = [];
    const feedSocket = {
      closed: false,
      send: (text: string) => void sent.push(text),
      close: () => {
        feedSocket.closed = true;
      },
      sent,
    };
    return feedSocket;
  };
  return { shard, clock, connect, feed, answer, asked, wakes };
}

describe("a shard", () => {
  it("P6 H9 wants no feed for clients that left while it was dialled, nor for a relay", () => {
    const { shard, connect, feed, wakes } = setUp();
    connect("relay");
    expect(wakes).toEqual([]);
    const { socket } = connect("stream");
    expect(wakes).toHaveLength(1);
    shard.disconnect(socket);
    const late = feed();
    shard.feedConnected(late);
    expect(late.closed).toBe(true);
  });

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

  it("Q2 asks for the picture once when changes do not fit, and takes none before it comes", () => {
    const { shard, connect, feed } = setUp();
    const { types } = connect("stream");
    const socket = feed();
    shard.feedConnected(socket);
    shard.feedReceived(socket, JSON.stringify(SYNC));
    for (const from of [5, 6, 7]) {
      const change: FeedMessage = { type: "change", from, offset: from + 1, timestamp: 0, change: {} };
      shard.feedReceived(socket, JSON.stringify(change));
    }
    expect(socket.sent).toEqual(["resync"]);
    shard.feedReceived(socket, JSON.stringify(SYNC));
    expect(types()).toEqual(["welcome", "snapshot", "snapshot"]);
  });

  it("S4 tells a newcomer that the sidecar is away, also when there never was a picture", () => {
    const { shard, connect, feed } = setUp();
    const first = connect("stream");
    const hive = feed();
    shard.feedConnected(hive);
    shard.feedReceived(hive, JSON.stringify({ type: "lost" } satisfies FeedMessage));
    const second = connect("stream");
    for (const { frames } of [first, second]) {
      expect(frames.at(-1)).toMatchObject({ type: "hive_status", live: false });
    }
  });

  it("S6 serves the others when a socket has gone in the middle of a broadcast", () => {
    const { shard, connect, feed } = setUp();
    const gone = connect("stream");
    const other = connect("stream");
    gone.socket.send = () => {
      throw new Error("closed");
    };
    gone.socket.save = () => {
      throw new Error("closed");
    };
    const hive = feed();
    shard.feedConnected(hive);
    shard.feedReceived(hive, JSON.stringify(SYNC));
    expect(other.types()).toEqual(["welcome", "snapshot"]);
  });

  it("S1 pushes nothing on demand but what is asked for, and S5 has no timer when nothing is due", async () => {
    const { shard, connect, feed, clock } = setUp();
    const { socket, types } = connect("stream");
    await shard.receive(socket, JSON.stringify({ type: "performance_mode", mode: "on_demand" }));
    const hive = feed();
    shard.feedConnected(hive);
    shard.feedReceived(hive, JSON.stringify(SYNC));
    const change: FeedMessage = {
      type: "change",
      from: 1,
      offset: 2,
      timestamp: 0,
      change: { removed: ["agent-1"] },
    };
    shard.feedReceived(hive, JSON.stringify(change));
    expect(clock.waiting).toBe(0);
    await shard.receive(socket, JSON.stringify({ type: "get_snapshot" }));
    expect(types()).toEqual(["welcome", "session", "snapshot", "snapshot"]);
  });

  it("S5 sends at most one update per tick of the mode, whatever comes", () => {
    const { shard, connect, feed, clock } = setUp();
    const { types } = connect("stream");
    const hive = feed();
    shard.feedConnected(hive);
    shard.feedReceived(hive, JSON.stringify(SYNC));
    for (let offset = 1; offset <= 30; offset++) {
      const agents = [anAgent({ status: `${offset}` })];
      shard.feedReceived(
        hive,
        JSON.stringify({
          type: "change",
          from: offset,
          offset: offset + 1,
          timestamp: 0,
          change: { agents },
        }),
      );
      clock.advance(10);
    }
    clock.advance(100);
    const updates = types().filter((type) => type === "agent_update").length;
    expect(updates).toBeGreaterThanOrEqual(3);
    expect(updates).toBeLessThanOrEqual(4);
    expect(clock.waiting).toBe(0);
  });

  it("S5 S8 closes a socket that does not take its data, and one whose token has expired", () => {
    const { shard, connect, feed, clock } = setUp();
    const slow = connect("stream", { backlogBytes: 2 * 1024 * 1024 });
    const brief = connect("stream", { expiresMs: clock.now() + 500 });
    expect(slow.closed).toEqual([4003]);
    clock.advance(600);
    const hive = feed();
    shard.feedConnected(hive);
    shard.feedReceived(hive, JSON.stringify(SYNC));
    expect(brief.closed).toEqual([4503]);
  });

  it("S8 answers what comes too fast with an error, and closes a client that does not heed it", async () => {
    const { shard, connect } = setUp();
    const { socket, frames, closed } = connect("relay");
    for (let i = 0; i < 300; i++) await shard.receive(socket, '{"type":"ping"}');
    expect(frames.filter(({ type }) => type === "pong")).toHaveLength(60);
    expect(frames.at(-1)).toMatchObject({ type: "error", code: "rate_limited" });
    expect(closed).toEqual([4001]);
  });
});
