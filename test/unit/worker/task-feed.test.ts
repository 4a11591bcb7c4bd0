import { describe, expect, it, vi } from "vitest";
import { z } from "zod";
import { LIMITS } from "../../../shared/limits.ts";
import type { TaskEvent, TaskState } from "../../../shared/swarm/task.ts";
import { TaskFeeds } from "../../../worker/session/task-feed.ts";
import { aTask } from "../../support/agents.ts";

const TASK = "6f2ef6a1-3f7e-4d4c-9a53-0b8d8c9f2a10";
const Frame = z.object({
  event: z.object({ seq: z.number() }).optional(),
  task: z.object({ state: z.string() }).optional(),
});

/** All events after this one. */
const from = (after: number) => ({ after, output: true });
/** Changes of state alone. */
const STATES = { after: 0, output: false };

const stateEvent = (seq: number, state: TaskState): TaskEvent => ({
  ...{ kind: "state", taskId: TASK, seq, timestamp: 0, task: aTask({ state }) },
});

const event = (seq: number): TaskEvent => ({
  kind: "output",
  taskId: TASK,
  seq,
  timestamp: 0,
  stream: "stdout",
  text: `${seq}`,
});

/** A task whose history is there and whose next events come when the test says. */
function setUp(history: number) {
  const streams: {
    after: number;
    only: string | null;
    subject: string;
    signal: AbortSignal;
    push(event: TaskEvent): void;
    end(): void;
    fail(): void;
  }[] = [];
  const delivered: [string, number][] = [];
  const updates: [string, string][] = [];
  const over: [string, string][] = [];
  /** Who follows anything, as far as was told. */
  const following = new Set<string>();
  /** Names of those who have no room, and of those who never will. */
  const late = new Set<string>();
  const gone = new Set<string>();
  const feeds = new TaskFeeds<Follower>({
    async *open({ after, only, subject }, signal) {
      const queue: (TaskEvent | "end" | "fail")[] = [];
      let wake = () => {};
      const put = (item: TaskEvent | "end" | "fail") => {
        queue.push(item);
        wake();
      };
      streams.push({
        after,
        only,
        subject,
        signal,
        push: put,
        end: () => put("end"),
        fail: () => put("fail"),
      });
      for (let seq = after + 1; seq <= history; seq++) yield event(seq);
      while (true) {
        const item = queue.shift();
        if (item === "end") return;
        if (item === "fail") throw new Error("connection lost");
        if (item) yield item;
        else
          await new Promise<void>((resolve) => {
            wake = resolve;
          });
      }
    },
    subjectOf: ({ name }) => `subject of ${name}`,
    hasRoom: ({ name }) => !late.has(name),
    whenRoom: async ({ name }) => {
      await vi.waitFor(() => expect(late.has(name)).toBe(false), { timeout: 1_000, interval: 5 });
      return !gone.has(name);
    },
    deliver: (session, text) => {
      const frame: unknown = JSON.parse(text);
      const { event, task } = Frame.parse(frame);
      if (event) delivered.push([session.name, event.seq]);
      if (task) updates.push([session.name, task.state]);
    },
    now: () => 7,
    log: () => {},
    follows: ({ name }, anything) => void (anything ? following.add(name) : following.delete(name)),
    over: (session, _, reason) => over.push([session.name, reason]),
  });
  const seenBy = (id: string) => delivered.filter(([client]) => client === id).map(([, seq]) => seq);
  return { feeds, streams, over, updates, following, seenBy, late, gone };
}

describe("followed tasks", () => {
  it("H9 share one stream, whatever the number of followers", async () => {
    const { feeds, streams, seenBy } = setUp(2);
    const [a, b] = [session("a"), session("b")];
    feeds.follow(a, TASK, from(0));
    await vi.waitFor(() => expect(seenBy(a.name)).toEqual([1, 2]));
    feeds.follow(b, TASK, from(2));
    streams[0]?.push(event(3));
    await vi.waitFor(() => expect(seenBy(b.name)).toEqual([3]));
    expect(seenBy(a.name)).toEqual([1, 2, 3]);
    expect(streams.map(({ subject }) => subject)).toEqual(["subject of a"]);
  });

  it("H9 give a late follower the history on a stream of its own, until it has caught up", async () => {
    const { feeds, streams, seenBy } = setUp(2);
    const [a, b] = [session("a"), session("b")];
    feeds.follow(a, TASK, from(0));
    await vi.waitFor(() => expect(seenBy(a.name)).toEqual([1, 2]));
    streams[0]?.push(event(3));
    await vi.waitFor(() => expect(seenBy(a.name)).toEqual([1, 2, 3]));
    feeds.follow(b, TASK, from(0));
    await vi.waitFor(() => expect(seenBy(b.name)).toEqual([1, 2]));
    expect(streams.map(({ after, signal }) => [after, signal.aborted])).toEqual([
      [0, false],
      [0, false],
    ]);
    streams[1]?.push(event(3));
    await vi.waitFor(() => expect(streams[1]?.signal.aborted).toBe(true));
    streams[0]?.push(event(4));
    await vi.waitFor(() => expect(seenBy(b.name)).toEqual([1, 2, 3, 4]));
    expect(seenBy(a.name)).toEqual([1, 2, 3, 4]);
  });

  it("H9 end their stream with the last follower", async () => {
    const { feeds, streams } = setUp(0);
    const [a, b] = [session("a"), session("b")];
    feeds.follow(a, TASK, from(0));
    feeds.follow(b, TASK, from(0));
    feeds.unfollowAll(a);
    expect(streams[0]?.signal.aborted).toBe(false);
    feeds.unfollow(b, TASK);
    expect(streams[0]?.signal.aborted).toBe(true);
  });

  it("H1 say whether the task ended or the stream was lost", async () => {
    const { feeds, streams, over } = setUp(0);
    const a = session("a");
    feeds.follow(a, TASK, from(0));
    streams[0]?.fail();
    await vi.waitFor(() => expect(over).toEqual([[a.name, "lost"]]));
    feeds.follow(a, TASK, from(0));
    streams[1]?.end();
    await vi.waitFor(() => expect(over).toHaveLength(2));
    expect(over.at(-1)).toEqual([a.name, "lost"]);
    feeds.follow(a, TASK, from(0));
    streams[2]?.push(stateEvent(1, "completed"));
    streams[2]?.end();
    await vi.waitFor(() => expect(over.at(-1)).toEqual([a.name, "ended"]));
  });

  it("S5 S6 wait for a follower that is behind, and go on where they were", async () => {
    const { feeds, seenBy, late } = setUp(50);
    const a = session("a");
    late.add("a");
    feeds.follow(a, TASK, from(0));
    await new Promise((resolve) => setImmediate(resolve));
    expect(seenBy(a.name)).toEqual([]);
    late.delete("a");
    await vi.waitFor(() => expect(seenBy(a.name)).toHaveLength(50));
  });

  it("S5 let nobody wait for another follower: the one behind has to come again", async () => {
    const { feeds, streams, seenBy, over, late } = setUp(0);
    const [a, b] = [session("a"), session("b")];
    feeds.follow(a, TASK, from(0));
    feeds.follow(b, TASK, from(0));
    late.add("b");
    streams[0]?.push(event(1));
    await vi.waitFor(() => expect(seenBy(a.name)).toEqual([1]));
    expect([seenBy(b.name), over]).toEqual([[], [["b", "lost"]]]);
  });

  it("S5 let nobody share a stream that waits for somebody else, nor what it has to catch up with", async () => {
    const { feeds, streams, seenBy, late } = setUp(0);
    const [a, b, c] = [session("a"), session("b"), session("c")];
    late.add("a");
    feeds.follow(a, TASK, from(0));
    streams[0]?.push(event(1));
    await new Promise((resolve) => setImmediate(resolve));
    feeds.follow(b, TASK, from(0));
    feeds.follow(c, TASK, from(0));
    expect(streams).toHaveLength(2);
    streams[1]?.push(event(1));
    streams[1]?.push(event(2));
    await vi.waitFor(() =>
      expect([seenBy("b"), seenBy("c")]).toEqual([
        [1, 2],
        [1, 2],
      ]),
    );
    expect(seenBy("a")).toEqual([]);
    late.delete("a");
    streams[0]?.push(event(2));
    // Once it has read, one stream is enough again.
    await vi.waitFor(() =>
      expect([seenBy("a"), streams.map(({ signal }) => signal.aborted)]).toEqual([
        [1, 2],
        [true, false],
      ]),
    );
    streams[1]?.push(event(3));
    await vi.waitFor(() => expect(seenBy("a")).toEqual([1, 2, 3]));
  });

  it("S6 end for a follower that never reads", async () => {
    const { feeds, streams, over, late, gone } = setUp(5);
    late.add("a");
    gone.add("a");
    feeds.follow(session("a"), TASK, from(0));
    await new Promise((resolve) => setImmediate(resolve));
    late.delete("a");
    await vi.waitFor(() => expect(over).toEqual([["a", "lost"]]));
    expect(streams[0]?.signal.aborted).toBe(true);
  });

  it("H9 tell of each session whether it follows anything", async () => {
    const { feeds, streams, following } = setUp(0);
    const [a, b] = [session("a"), session("b")];
    feeds.follow(a, TASK, from(0));
    feeds.follow(a, "another", STATES);
    feeds.follow(b, TASK, from(0));
    expect([...following]).toEqual(["a", "b"]);
    feeds.unfollow(a, "another");
    feeds.follow(a, TASK, STATES);
    expect([...following].sort()).toEqual(["a", "b"]);
    streams[0]?.fail();
    await vi.waitFor(() => expect([...following]).toEqual(["a"]));
    streams[2]?.push(stateEvent(1, "completed"));
    streams[2]?.end();
    await vi.waitFor(() => expect([...following]).toEqual([]));
  });

  it("S6 are limited per session", () => {
    const { feeds } = setUp(0);
    const a = session("a");
    for (let i = 0; i < 16; i++) feeds.follow(a, `task-${i}`, from(0));
    feeds.follow(a, "task-3", from(0));
    expect(() => feeds.follow(a, "one-more", from(0))).toThrow(/at most 16/);
  });

  it("H1 are not taken away by a request for more that is refused", async () => {
    const { feeds, streams, updates } = setUp(0);
    const a = session("a");
    feeds.follow(a, TASK, STATES);
    for (let i = 0; i < 16; i++) feeds.follow(a, `task-${i}`, from(0));
    expect(() => feeds.follow(a, TASK, from(0))).toThrow(/at most 16/);
    streams[0]?.push(stateEvent(1, "running"));
    await vi.waitFor(() => expect(updates).toEqual([["a", "running"]]));
  });

  it("H1 stay as they are where as much is followed, and become more where more is asked", () => {
    const { feeds, streams } = setUp(0);
    const a = session("a");
    feeds.followToo(a, TASK, STATES);
    feeds.followToo(a, TASK, STATES);
    expect(streams.map(({ only }) => only)).toEqual(["state"]);
    feeds.followToo(a, TASK, from(0));
    feeds.followToo(a, TASK, STATES);
    expect(streams.map(({ only, signal }) => [only, signal.aborted])).toEqual([
      ["state", true],
      [null, false],
    ]);
  });
});

describe("changes of a task's state", () => {
  it("H1 reach whoever follows the task beside its events, and whoever wants them alone", async () => {
    const { feeds, streams, seenBy, updates, over } = setUp(0);
    const [a, b] = [session("a"), session("b")];
    feeds.follow(a, TASK, from(0));
    feeds.follow(b, TASK, STATES);
    expect(streams.map(({ only }) => only)).toEqual([null, "state"]);
    streams[0]?.push(event(1));
    for (const stream of streams) {
      stream.push(stateEvent(2, "completed"));
      stream.end();
    }
    await vi.waitFor(() => expect([over, updates.length]).toEqual([[["a", "ended"]], 2]));
    expect([seenBy("a"), seenBy("b")]).toEqual([[1, 2], []]);
    expect(updates.sort()).toEqual([
      ["a", "completed"],
      ["b", "completed"],
    ]);
  });

  it("H9 say when they were lost, so that they are asked for again", async () => {
    const { feeds, streams, over } = setUp(0);
    feeds.follow(session("a"), TASK, STATES);
    streams[0]?.fail();
    await vi.waitFor(() => expect(over).toEqual([["a", "lost"]]));
  });

  it("H9 come once, whichever way a session asked for them last", async () => {
    const { feeds, streams } = setUp(0);
    const a = session("a");
    feeds.follow(a, TASK, STATES);
    feeds.follow(a, TASK, from(0));
    expect(streams.map(({ signal }) => signal.aborted)).toEqual([true, false]);
    feeds.unfollow(a, TASK);
    expect(streams.map(({ signal }) => signal.aborted)).toEqual([true, true]);
  });

  it("S6 are limited per session, apart from what it follows", () => {
    const { feeds } = setUp(0);
    const a = session("a");
    for (let i = 0; i < LIMITS.watchesPerSession; i++) feeds.follow(a, `task-${i}`, STATES);
    expect(() => feeds.follow(a, "one-more", STATES)).toThrow(/at most 64/);
    feeds.follow(a, "one-more", from(0));
  });
});

type Follower = { name: string };

const session = (name: string): Follower => ({ name });
