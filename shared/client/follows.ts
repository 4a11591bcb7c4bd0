/** Followed tasks: each from the last event seen, asked for again whenever the way there was lost. */
import type { Clock } from "../clock.ts";
import { HivegateError } from "../errors.ts";
import { LIMITS } from "../limits.ts";
import { type Backoff, backoffMs } from "../pressure/backoff.ts";
import type { TaskEvent } from "../swarm/task.ts";
import { GatewayUnreachable, mayRetry } from "./client-errors.ts";
import { isFinalEvent } from "./decode.ts";

export type FollowListener = {
  event(event: TaskEvent): void;
  /** The task cannot be followed: it is not there, or the token does not allow it. */
  failed(error: Error): void;
};

export type FollowsPorts = {
  clock: Clock;
  random(): number;
  /** Asks the gateway for a task's events after `after`. */
  ask(taskId: string, after: number): Promise<unknown>;
  /** Tells the gateway that nobody follows any more. */
  stop(taskId: string): void;
};

type Follow = { listener: FollowListener; seen: number; attempt: number; cancelRetry: (() => void) | null };

const RETRY: Backoff = { firstMs: 500, mostMs: 15_000 };

export class Follows {
  readonly #ports: FollowsPorts;
  readonly #follows = new Map<string, Follow>();

  constructor(ports: FollowsPorts) {
    this.#ports = ports;
  }

  /**
   * From the task's first event to its last. A second follower of the same task takes the first one's place.
   * @throws HivegateError `overloaded`
   */
  add(taskId: string, listener: FollowListener): () => void {
    if (!this.#follows.has(taskId) && this.#follows.size >= LIMITS.followsPerSession) {
      throw new HivegateError("overloaded", `Follow at most ${LIMITS.followsPerSession} tasks at a time.`);
    }
    this.#end(taskId);
    const follow: Follow = { listener, seen: 0, attempt: 0, cancelRetry: null };
    this.#follows.set(taskId, follow);
    void this.#ask(taskId, follow);
    return () => {
      if (this.#follows.get(taskId) !== follow) return;
      this.#end(taskId);
      this.#ports.stop(taskId);
    };
  }

  /** The connection is there again. */
  resume(): void {
    for (const [taskId, follow] of this.#follows) void this.#ask(taskId, follow);
  }

  event(event: TaskEvent): void {
    const follow = this.#follows.get(event.taskId);
    if (!follow || event.seq <= follow.seen) return;
    // Numbers have no holes but those that a gap accounts for: this event was still on its way to somebody
    // who followed the task before.
    if (event.seq !== follow.seen + 1 && event.kind !== "gap") {
      if (!follow.cancelRetry) this.#retry(event.taskId, follow);
      return;
    }
    follow.seen = event.seq;
    follow.attempt = 0;
    this.#cancelRetry(follow);
    if (isFinalEvent(event)) this.#end(event.taskId);
    follow.listener.event(event);
  }

  /** The gateway sends no more. A task whose last event was not seen is asked for again, whatever the reason. */
  lost(taskId: string): void {
    const follow = this.#follows.get(taskId);
    if (follow) this.#retry(taskId, follow);
  }

  /** Nobody listens any more. */
  clear(): void {
    for (const taskId of [...this.#follows.keys()]) this.#end(taskId);
  }

  async #ask(taskId: string, follow: Follow): Promise<void> {
    this.#cancelRetry(follow);
    try {
      await this.#ports.ask(taskId, follow.seen);
    } catch (thrown) {
      if (this.#follows.get(taskId) !== follow) return;
      // Without a connection there is nothing to do: `resume` asks again.
      if (thrown instanceof GatewayUnreachable) return;
      if (mayRetry(thrown)) this.#retry(taskId, follow);
      else {
        this.#end(taskId);
        follow.listener.failed(thrown instanceof Error ? thrown : new HivegateError("internal"));
      }
    }
  }

  #retry(taskId: string, follow: Follow): void {
    this.#cancelRetry(follow);
    const delayMs = backoffMs(RETRY, follow.attempt++, this.#ports.random());
    follow.cancelRetry = this.#ports.clock.after(delayMs, () => void this.#ask(taskId, follow));
  }

  #cancelRetry(follow: Follow): void {
    follow.cancelRetry?.();
    follow.cancelRetry = null;
  }

  #end(taskId: string): void {
    const follow = this.#follows.get(taskId);
    if (follow) this.#cancelRetry(follow);
    this.#follows.delete(taskId);
  }
}
