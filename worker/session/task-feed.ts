/**
 * Followed tasks of one shard: the sessions that follow a task share one event stream from the sidecar. A
 * session that needs older events reads a stream of its own until it has caught up with another, and then
 * shares that one: nobody waits for somebody else's past.
 */
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import { hasEnded, type TaskEvent } from "../../shared/swarm/task.ts";
import type { Session } from "./session.ts";

export type OpenEvents = (taskId: string, after: number, signal: AbortSignal) => AsyncIterable<TaskEvent>;
export type Unfollowed = (GatewayFrame & { type: "task_unfollowed" })["reason"];

export type TaskFeedPorts = {
  open: OpenEvents;
  deliver(session: Session, text: string): void;
  /** A session no longer follows, for another reason than having asked for it. */
  over(session: Session, taskId: string, reason: Unfollowed): void;
  log(message: string, error: unknown): void;
};

type Feed = {
  readonly taskId: string;
  readonly stream: AbortController;
  /** Number of the last event seen by each session. */
  readonly followers: Map<Session, number>;
  /** Number of the last event read from the stream. */
  position: number;
};

export class TaskFeeds {
  readonly #ports: TaskFeedPorts;
  readonly #feeds = new Set<Feed>();

  constructor(ports: TaskFeedPorts) {
    this.#ports = ports;
  }

  /** @throws HivegateError `overloaded` */
  follow(session: Session, taskId: string, after: number): void {
    this.unfollow(session, taskId);
    const followed = [...this.#feeds].filter(({ followers }) => followers.has(session)).length;
    if (followed >= LIMITS.followsPerSession) {
      throw new HivegateError("overloaded", `Follow at most ${LIMITS.followsPerSession} tasks at a time.`);
    }
    const shared = this.#feedsOf(taskId).find(({ position }) => position <= after);
    if (shared) shared.followers.set(session, after);
    else
      void this.#read({
        taskId,
        stream: new AbortController(),
        followers: new Map([[session, after]]),
        position: after,
      });
  }

  unfollow(session: Session, taskId: string): void {
    for (const feed of this.#feedsOf(taskId)) this.#leave(session, feed);
  }

  unfollowAll(session: Session): void {
    for (const feed of [...this.#feeds]) this.#leave(session, feed);
  }

  #feedsOf(taskId: string): Feed[] {
    return [...this.#feeds].filter((feed) => feed.taskId === taskId);
  }

  #leave(session: Session, feed: Feed): void {
    if (feed.followers.delete(session) && feed.followers.size === 0) this.#close(feed);
  }

  #close(feed: Feed): void {
    this.#feeds.delete(feed);
    feed.stream.abort();
  }

  async #read(feed: Feed): Promise<void> {
    this.#feeds.add(feed);
    let reason: Unfollowed = "lost";
    try {
      for await (const event of this.#ports.open(feed.taskId, feed.position, feed.stream.signal)) {
        if (!this.#feeds.has(feed)) return;
        this.#fanOut(feed, event);
        // A stream that merely stops, as when the sidecar is shut down, does not mean that the task is over.
        if (event.kind === "state" && hasEnded(event.task.state)) reason = "ended";
      }
    } catch (error) {
      if (this.#feeds.has(feed)) this.#ports.log("task stream", error);
    }
    if (!this.#feeds.delete(feed)) return;
    for (const session of feed.followers.keys()) this.#ports.over(session, feed.taskId, reason);
  }

  #fanOut(feed: Feed, event: TaskEvent): void {
    feed.position = event.seq;
    const text = JSON.stringify({ type: "task_event", event } satisfies GatewayFrame);
    for (const [session, seen] of feed.followers) {
      if (event.seq <= seen) continue;
      feed.followers.set(session, event.seq);
      this.#ports.deliver(session, text);
    }
    const level = this.#feedsOf(feed.taskId).find(
      (other) => other !== feed && other.position === feed.position,
    );
    if (level) this.#merge(feed, level);
  }

  /** Two streams at the same place are one too many. */
  #merge(from: Feed, into: Feed): void {
    for (const [session, seen] of from.followers) into.followers.set(session, seen);
    from.followers.clear();
    this.#close(from);
  }
}
