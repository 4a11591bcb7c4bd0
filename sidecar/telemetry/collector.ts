import { isDeepStrictEqual } from "node:util";
import type { Clock } from "../../shared/clock.ts";
import type { ServerState } from "../../shared/protocol/sidecar.ts";
import type { CollectorNews, TelemetrySource } from "./hub.ts";
import { LONGEST_INTERVAL_MS, type Polled, pauseMs, SHORTEST_INTERVAL_MS } from "./poll-pause.ts";
import type { Pool, Told } from "./pool.ts";
import type { TelemetryReport } from "./profile.ts";

export type CollectorOptions = {
  pool: Pick<Pool, "name" | "retryInMs" | "read" | "servers">;
  /** Calls `wake` when a server says by itself that something happened, is lost, or is back. Returns how to stop. */
  listen(wake: () => void): () => void;
  /** As `TelemetryProfile.notifies`. */
  notifies: boolean;
  clock: Clock;
};

type Watcher = { intervalMs: number; tell: (news: CollectorNews) => void; stopListening: () => void };

/**
 * Asks one pool of servers about its agents for as long as somebody watches. Polls never overlap, unless the pool
 * consists of other servers meanwhile. Where the server notifies of every change, silence spares nearly all of them.
 */
export class Collector implements TelemetrySource {
  readonly #options: CollectorOptions;
  #watcher: Watcher | null = null;
  #cancel: (() => void) | null = null;
  /** The poll that is under way. */
  #poll: symbol | null = null;
  #isWoken = false;
  #last: { polled: Polled; endedMs: number } | null = null;
  #report: TelemetryReport | null = null;
  #told: Told | null = null;

  constructor(options: CollectorOptions) {
    this.#options = options;
  }

  get pool(): string {
    return this.#options.pool.name;
  }

  servers(): ServerState[] {
    return this.#options.pool.servers(this.#told, this.#watcher !== null);
  }

  /** Begins with a poll at once. An interval is held between 16 ms and 10 s. */
  watch(intervalMs: number | null, tell: (news: CollectorNews) => void): void {
    if (intervalMs === null) {
      this.#rest();
      return;
    }
    const held = Math.min(LONGEST_INTERVAL_MS, Math.max(SHORTEST_INTERVAL_MS, intervalMs));
    if (this.#watcher) {
      this.#watcher = { ...this.#watcher, intervalMs: held, tell };
      if (!this.#poll) this.#schedule();
      return;
    }
    this.#watcher = { intervalMs: held, tell, stopListening: this.#options.listen(() => this.#wake()) };
    // A poll that was under way when the last one stopped watching will do.
    if (!this.#poll) this.#pollAfter(0);
  }

  /**
   * Call it when the pool consists of other servers than before. They are asked at once, and what a server says that has
   * not answered yet, and may be none of them, is not used.
   */
  renew(): void {
    this.#poll = null;
    if (!this.#watcher) return;
    this.#watcher.stopListening();
    this.#watcher.stopListening = this.#options.listen(() => this.#wake());
    this.#pollAfter(0);
  }

  #rest(): void {
    this.#watcher?.stopListening();
    this.#watcher = null;
    this.#cancel?.();
    this.#cancel = null;
  }

  /** Any number of calls during a pause are one reason to end it. */
  #wake(): void {
    this.#isWoken = true;
    if (!this.#poll) this.#schedule();
  }

  #schedule(): void {
    if (!this.#watcher || !this.#last) return;
    const { polled, endedMs } = this.#last;
    const pause = pauseMs(polled, this.#watcher.intervalMs, this.#isWoken);
    // Of a clock that was set back in between, the pause is waited out anew.
    this.#pollAfter(Math.min(pause, endedMs + pause - this.#options.clock.now()));
  }

  #pollAfter(waitMs: number): void {
    this.#cancel?.();
    this.#cancel = this.#options.clock.after(Math.max(0, waitMs), () => void this.#ask());
  }

  async #ask(): Promise<void> {
    const { pool, clock } = this.#options;
    const poll = Symbol();
    const startedMs = clock.now();
    this.#cancel = null;
    this.#poll = poll;
    this.#isWoken = false;
    // Whose fault it was is in the log, and in the servers' states.
    const report = await pool.read().catch(() => null);
    if (this.#poll !== poll) return;
    this.#poll = null;
    const endedMs = clock.now();
    this.#last = { polled: this.#polled(report, endedMs - startedMs), endedMs };
    // What nobody heard of does not count: it must not make older data look fresh.
    if (!this.#watcher) return;
    this.#tell(report, endedMs);
    this.#schedule();
  }

  #polled(report: TelemetryReport | null, tookMs: number): Polled {
    const { pool, notifies } = this.#options;
    if (!report) return { tookMs, failed: { retryInMs: pool.retryInMs }, isQuiet: false };
    return { tookMs, failed: null, isQuiet: notifies && isDeepStrictEqual(report, this.#report) };
  }

  #tell(report: TelemetryReport | null, nowMs: number): void {
    if (report) {
      this.#report = report;
      this.#told = { agents: report.agents.length, atMs: nowMs };
    }
    this.#watcher?.tell({ report, servers: this.servers() });
  }
}
