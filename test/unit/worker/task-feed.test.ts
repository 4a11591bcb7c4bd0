import { describe, expect, it, vi } from "vitest";
import type { TaskEvent } from "../../../shared/swarm/task.ts";
import { TaskFeeds } from "../../../worker/session/task-feed.ts";
import { aTask } from "../../support/agents.ts";

const TASK = "6f2ef6a1-3f7e-4d4c-9a53-0b8d8c9f2a10";
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
    signal: AbortSignal;
    push(event: TaskEvent): void;
    end(): void;
    fail(): void;
  }[] = [];
  const delivered: [string, number][] = [];
  const over: [string, string][] = [];
  const feeds = new TaskFeeds<Follower>({
    async *open(_, after, signal) {
      const queue: (TaskEvent | "end" | "fail")[] = [];
      let wake = () => {};
      const put = (item: TaskEvent | "end" | "fail") => {
        queue.push(item);
        wake();
      };
      streams.push({ after, signal, push: put, end: () => put("end"), fail: () => put("fail") });
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
    deliver: (session, text) => delivered.push([session.name, JSON.parse(text).event.seq]),
    log: () => {},
    over: (session, _, reason) => over.push([session.name, reason]),
  });
  const seenBy = (id: string) => delivered.filter(([client]) => client === id).map(([, seq]) => seq);
  return { feeds, streams, over, seenBy };
}

describe("followed tasks", () => {
  it("H9 share one stream, whatever the number of followers", async () => {
    const { feeds, streams, seenBy } = setUp(2);
    const [a, b] = [session("a"), session("b")];
    feeds.follow(a, TASK, 0);
    await vi.waitFor(() => expect(seenBy(a.name)).toEqual([1, 2]));
    feeds.follow(b, TASK, 2);
    streams[0]?.push(event(3));
    await vi.waitFor(() => expect(seenBy(b.name)).toEqual([3]));
    expect(seenBy(a.name)).toEqual([1, 2, 3]);
    expect(streams).toHaveLength(1);
  });

  it("H9 give a late follower the history on a stream of its own, until it has caught up", async () => {
    const { feeds, streams, seenBy } = setUp(2);
    const [a, b] = [session("a"), session("b")];
    feeds.follow(a, TASK, 0);
    await vi.waitFor(() => expect(seenBy(a.name)).toEqual([1, 2]));
    streams[0]?.push(event(3));
    await vi.waitFor(() => expect(seenBy(a.name)).toEqual([1, 2, 3]));
    feeds.follow(b, TASK, 0);
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
    feeds.follow(a, TASK, 0);
    feeds.follow(b, TASK, 0);
    feeds.unfollowAll(a);
    expect(streams[0]?.signal.aborted).toBe(false);
    feeds.unfollow(b, TASK);
    expect(streams[0]?.signal.aborted).toBe(true);
  });

  it("H1 say whether the task ended or the stream was lost", async () => {
    const { feeds, streams, over } = setUp(0);
    const a = session("a");
    feeds.follow(a, TASK, 0);
    streams[0]?.fail();
    await vi.waitFor(() => expect(over).toEqual([[a.name, "lost"]]));
    feeds.follow(a, TASK, 0);
    streams[1]?.end();
    await vi.waitFor(() => expect(over).toHaveLength(2));
    expect(over.at(-1)).toEqual([a.name, "lost"]);
    feeds.follow(a, TASK, 0);
    streams[2]?.push({
      kind: "state",
      taskId: TASK,
      seq: 1,
      timestamp: 0,
      task: aTask({ state: "completed" }),
    });
    streams[2]?.end();
    await vi.waitFor(() => expect(over.at(-1)).toEqual([a.name, "ended"]));
  });

  it("S6 are limited per session", () => {
    const { feeds } = setUp(0);
    const a = session("a");
    for (let i = 0; i < 16; i++) feeds.follow(a, `task-${i}`, 0);
    feeds.follow(a, "task-3", 0);
    expect(() => feeds.follow(a, "one-more", 0)).toThrow(/at most 16/);
  });
});

type Follower = { name: string };

const session = (name: string): Follower => ({ name });
