/**
 * Followed tasks of one shard: one event stream from the sidecar per task, whatever the number of
 * sessions that follow it.
 */
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import { hasEnded, type TaskEvent } from "../../shared/swarm/task.ts";
import type { Session } from "./session.ts";

export type OpenEvents = (taskId: string, after: number, signal: AbortSignal) => AsyncIterable<TaskEvent>;
export type Unfollowed = (GatewayFrame & { type: "task_unfollowed" })["reason"];

type Feed = {
  /** Number of the last event seen by each session. */
  followers: Map<Session, number>;
  /** Number of the last event read from the stream. */
  position: number;
  stream: AbortController;
};

export class TaskFeeds {
  readonly #open: OpenEvents;
  readonly #deliver: (session: Session, text: string) => void;
  readonly #over: (session: Session, taskId: string, reason: Unfollowed) => void;
  readonly #feeds = new Map<string, Feed>();

  constructor(ports: {
    open: OpenEvents;
    deliver: (session: Session, text: string) => void;
    /** A session no longer follows, for another reason than having asked for it. */
    over: (session: Session, taskId: string, reason: Unfollowed) => void;
  }) {
    this.#open = ports.open;
    this.#deliver = ports.deliver;
    this.#over = ports.over;
  }

  /** @throws HivegateError `overloaded` */
  follow(session: Session, taskId: string, after: number): void {
    const feed = this.#feeds.get(taskId);
    if (!feed?.followers.has(session) && this.#followedBy(session) >= LIMITS.followsPerSession) {
      throw new HivegateError("overloaded", `Follow at most ${LIMITS.followsPerSession} tasks at a time.`);
    }
    if (feed && feed.position <= after) {
      feed.followers.set(session, after);
      return;
    }
    // The stream is past what this session needs: it is read again from there. The others skip what they have.
    feed?.stream.abort();
    const followers = feed?.followers ?? new Map<Session, number>();
    followers.set(session, after);
    const reopened: Feed = { followers, position: after, stream: new AbortController() };
    this.#feeds.set(taskId, reopened);
    void this.#read(taskId, reopened);
  }

  unfollow(session: Session, taskId: string): void {
    const feed = this.#feeds.get(taskId);
    if (!feed?.followers.delete(session) || feed.followers.size > 0) return;
    this.#feeds.delete(taskId);
    feed.stream.abort();
  }

  unfollowAll(session: Session): void {
    for (const taskId of [...this.#feeds.keys()]) this.unfollow(session, taskId);
  }

  #followedBy(session: Session): number {
    return [...this.#feeds.values()].filter((feed) => feed.followers.has(session)).length;
  }

  async #read(taskId: string, feed: Feed): Promise<void> {
    let reason: Unfollowed = "lost";
    try {
      for await (const event of this.#open(taskId, feed.position, feed.stream.signal)) {
        if (feed.stream.signal.aborted) return;
        this.#fanOut(feed, event);
        // A stream that merely stops, as when the sidecar is shut down, does not mean that the task is over.
        if (event.kind === "state" && hasEnded(event.task.state)) reason = "ended";
      }
    } catch {
      // The connection was lost; after the last event that makes no difference.
    }
    if (this.#feeds.get(taskId) !== feed) return;
    this.#feeds.delete(taskId);
    for (const session of feed.followers.keys()) this.#over(session, taskId, reason);
  }

  #fanOut(feed: Feed, event: TaskEvent): void {
    feed.position = event.seq;
    const text = JSON.stringify({ type: "task_event", event } satisfies GatewayFrame);
    for (const [session, seen] of feed.followers) {
      if (event.seq <= seen) continue;
      feed.followers.set(session, event.seq);
      this.#deliver(session, text);
    }
  }
}
