/**
 * Followed tasks of one shard: the sessions that want the same of a task, all of its events or its changes of state
 * alone, share one event stream from the sidecar. A session that needs older events reads a stream of its own until
 * it has caught up with another, and then shares that one: nobody waits for somebody else's past.
 */
import { HivegateError } from "../../shared/errors.ts";
import { LIMITS } from "../../shared/limits.ts";
import type { GatewayFrame } from "../../shared/protocol/gateway.ts";
import { hasEnded, type TaskEvent } from "../../shared/swarm/task.ts";
import type { EventsRequest } from "../sidecar-client.ts";

export type OpenEvents = (request: EventsRequest, signal: AbortSignal) => AsyncIterable<TaskEvent>;
/** After which event, and whether all of them or changes of state alone: these come as `task_update` in any case. */
export type Following = { after: number; output: boolean };
export type Unfollowed = (GatewayFrame & { type: "task_unfollowed" })["reason"];

/** `Follower` is a session, told apart by identity. */
export type TaskFeedPorts<Follower> = {
  open: OpenEvents;
  /** Who the session is of: its streams count as theirs. */
  subjectOf(session: Follower): string;
  deliver(session: Follower, text: string): void;
  /** Whether the session has read so far that more may be sent. */
  hasRoom(session: Follower): boolean;
  /** Waits until it has; false: it is gone, or took too long. */
  whenRoom(session: Follower): Promise<boolean>;
  now(): number;
  /** A session no longer follows, for another reason than having asked for it. */
  over(session: Follower, taskId: string, reason: Unfollowed): void;
  /** Whether the session follows anything, each time that this may have changed. */
  follows(session: Follower, anything: boolean): void;
  log(message: string, error: unknown): void;
};

type Feed<Follower> = {
  readonly taskId: string;
  readonly output: boolean;
  /** Of whoever asked first, also when others share the stream. */
  readonly subject: string;
  readonly stream: AbortController;
  /** Number of the last event seen by each session. */
  readonly followers: Map<Follower, number>;
  /** Number of the last event read from the stream. */
  position: number;
  /** Whether it waits until its only follower has read: nobody else shares it then. */
  waits: boolean;
};

export class TaskFeeds<Follower> {
  readonly #ports: TaskFeedPorts<Follower>;
  readonly #feeds = new Set<Feed<Follower>>();

  constructor(ports: TaskFeedPorts<Follower>) {
    this.#ports = ports;
  }

  /** In place of what the session followed of this task before. @throws HivegateError `overloaded` */
  follow(session: Follower, taskId: string, { after, output }: Following): void {
    this.mayFollow(session, { output }, taskId);
    this.unfollow(session, taskId);
    const shared = this.#feedsOf(taskId).find(
      (feed) => feed.output === output && feed.position <= after && !feed.waits,
    );
    if (shared) shared.followers.set(session, after);
    else
      void this.#read({
        ...{ taskId, output, waits: false },
        subject: this.#ports.subjectOf(session),
        stream: new AbortController(),
        followers: new Map([[session, after]]),
        position: after,
      });
    this.#note(session);
  }

  /** The same, unless the session follows the task already and is shown as much. */
  followToo(session: Follower, taskId: string, how: Following): void {
    const isFollowed = this.#feedsOf(taskId).some(
      (feed) => feed.followers.has(session) && (feed.output || !how.output),
    );
    if (!isFollowed) this.follow(session, taskId, how);
  }

  unfollow(session: Follower, taskId: string): void {
    for (const feed of this.#feedsOf(taskId)) this.#leave(session, feed);
  }

  unfollowAll(session: Follower): void {
    for (const feed of [...this.#feeds]) this.#leave(session, feed);
  }

  /** The session follows nothing any more, and is told so: it may ask again. */
  loseAll(session: Follower): void {
    for (const feed of [...this.#feeds]) if (feed.followers.has(session)) this.#lose(session, feed);
  }

  /** @throws HivegateError `overloaded` when the session follows as many tasks as it may, beside this one */
  mayFollow(session: Follower, { output }: Pick<Following, "output">, taskId: string | null = null): void {
    const most = output ? LIMITS.followsPerSession : LIMITS.watchesPerSession;
    const followed = [...this.#feeds].filter(
      (feed) => feed.output === output && feed.taskId !== taskId && feed.followers.has(session),
    );
    if (followed.length >= most)
      throw new HivegateError("overloaded", `Follow at most ${most} tasks at a time.`);
  }

  #feedsOf(taskId: string): Feed<Follower>[] {
    return [...this.#feeds].filter((feed) => feed.taskId === taskId);
  }

  #leave(session: Follower, feed: Feed<Follower>): void {
    if (!feed.followers.delete(session)) return;
    if (feed.followers.size === 0) this.#close(feed);
    this.#note(session);
  }

  #note(session: Follower): void {
    this.#ports.follows(
      session,
      [...this.#feeds].some(({ followers }) => followers.has(session)),
    );
  }

  #close(feed: Feed<Follower>): void {
    this.#feeds.delete(feed);
    feed.stream.abort();
  }

  async #read(feed: Feed<Follower>): Promise<void> {
    this.#feeds.add(feed);
    let reason: Unfollowed = "lost";
    try {
      const { taskId, position: after, output, subject, stream } = feed;
      const only = output ? null : "state";
      for await (const event of this.#ports.open({ taskId, after, only, subject }, stream.signal)) {
        await this.#makeRoom(feed);
        if (!this.#feeds.has(feed)) return;
        this.#fanOut(feed, event);
        // A stream that merely stops, as when the sidecar is shut down, does not mean that the task is over.
        if (event.kind === "state" && hasEnded(event.task.state)) reason = "ended";
      }
    } catch (error) {
      if (this.#feeds.has(feed)) this.#ports.log("task stream", error);
    }
    if (!this.#feeds.delete(feed)) return;
    for (const session of feed.followers.keys()) this.#note(session);
    // The last change of state says by itself that no more will come.
    if (reason === "ended" && !feed.output) return;
    for (const session of feed.followers.keys()) this.#ports.over(session, feed.taskId, reason);
  }

  /**
   * A follower that is behind holds up its own stream, and so the sidecar, but nobody else's: one that shares a
   * stream has to come again, and then has one of its own.
   */
  async #makeRoom(feed: Feed<Follower>): Promise<void> {
    for (const session of [...feed.followers.keys()]) {
      if (this.#ports.hasRoom(session)) continue;
      feed.waits = feed.followers.size === 1;
      if (!feed.waits || !(await this.#ports.whenRoom(session))) this.#lose(session, feed);
      feed.waits = false;
    }
  }

  #lose(session: Follower, feed: Feed<Follower>): void {
    if (!feed.followers.has(session)) return;
    this.#leave(session, feed);
    this.#ports.over(session, feed.taskId, "lost");
  }

  #fanOut(feed: Feed<Follower>, event: TaskEvent): void {
    feed.position = event.seq;
    const texts = this.#framesOf(feed, event).map((frame) => JSON.stringify(frame));
    for (const [session, seen] of feed.followers) {
      if (event.seq <= seen) continue;
      feed.followers.set(session, event.seq);
      for (const text of texts) this.#ports.deliver(session, text);
    }
    const level = this.#feedsOf(feed.taskId).find(
      (other) =>
        other !== feed && other.output === feed.output && other.position === feed.position && !other.waits,
    );
    if (level) this.#merge(feed, level);
  }

  #framesOf({ output }: Feed<Follower>, event: TaskEvent): GatewayFrame[] {
    const timestamp = this.#ports.now();
    return [
      ...(output ? [{ type: "task_event" as const, event }] : []),
      ...(event.kind === "state" ? [{ type: "task_update" as const, task: event.task, timestamp }] : []),
    ];
  }

  /** Two streams at the same place are one too many. */
  #merge(from: Feed<Follower>, into: Feed<Follower>): void {
    for (const [session, seen] of from.followers) into.followers.set(session, seen);
    from.followers.clear();
    this.#close(from);
  }
}
