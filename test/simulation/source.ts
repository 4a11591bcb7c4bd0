import type { Clock } from "../../shared/clock.ts";
import type { CollectorNews, TelemetrySource } from "../../sidecar/telemetry/hub.ts";
import type { Random } from "./random.ts";
import type { Pool } from "./swarm.ts";

/** Tells of a pool within the interval asked for, when it has changed, and whenever it was not asked before. */
export class Source implements TelemetrySource {
  readonly #pool: Pool;
  readonly #clock: Clock;
  readonly #random: Random;
  #watched: { intervalMs: number; tell: (news: CollectorNews) => void } | null = null;
  #isNews = true;
  #cancel: (() => void) | null = null;

  constructor(pool: Pool, clock: Clock, random: Random) {
    this.#pool = pool;
    this.#clock = clock;
    this.#random = random;
  }

  get pool(): string {
    return this.#pool.name;
  }

  servers = () => this.#pool.servers;

  watch(intervalMs: number | null, tell: (news: CollectorNews) => void): void {
    this.#watched = intervalMs === null ? null : { intervalMs, tell };
    this.#cancel?.();
    this.#cancel = null;
    if (this.#isNews) this.changed();
  }

  changed(): void {
    this.#isNews = true;
    if (!this.#watched || this.#cancel) return;
    const { intervalMs, tell } = this.#watched;
    this.#cancel = this.#clock.after(this.#random.between(1, intervalMs), () => {
      this.#cancel = null;
      this.#isNews = false;
      tell(this.#news());
    });
  }

  #news(): CollectorNews {
    const { servers, agents, swarms } = this.#pool;
    const answers = servers.some(({ status }) => status === "available");
    return { report: answers ? { agents: [...agents.values()], swarms: [...swarms] } : null, servers };
  }
}
