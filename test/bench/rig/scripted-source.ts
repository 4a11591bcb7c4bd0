import { z } from "zod";
import type { Agent } from "../../../shared/swarm/agent.ts";
import type { CollectorNews, TelemetrySource } from "../../../sidecar/telemetry/hub.ts";
import { aServer } from "../../support/agents.ts";
import { BusySwarm } from "./swarm.ts";

export const Shape = z.object({ agents: z.number(), changing: z.number(), swarms: z.number() });

/**
 * `hz`: ticks a second, by deadline. `jitter`: each at a random moment of its slot, so that they do not run in
 * step with the gateway's. `stamped`: each tick's first agent says, as its `throughput`, at which moment it changed.
 */
export const Run = z.object({ hz: z.number(), jitter: z.boolean(), stamped: z.boolean() });
export type Run = z.infer<typeof Run>;

/** A telemetry source that ticks when it is told to, and only while somebody reads. */
export class ScriptedSource implements TelemetrySource {
  readonly pool = "bench";
  readonly #swarm: BusySwarm;
  readonly #random: () => number;
  #tell: ((news: CollectorNews) => void) | null = null;
  #timer: NodeJS.Timeout | null = null;
  intervalMs: number | null = null;
  ticks = 0;

  constructor(shape: z.infer<typeof Shape>, random: () => number) {
    this.#random = random;
    this.#swarm = new BusySwarm(shape, random, Date.now());
  }

  get agents(): readonly Agent[] {
    return this.#swarm.agents;
  }

  servers() {
    const { length } = this.#swarm.agents;
    return [aServer({ server: this.pool, pool: this.pool, server_source: this.pool, agents: length })];
  }

  watch(intervalMs: number | null, tell: (news: CollectorNews) => void): void {
    this.intervalMs = intervalMs;
    this.#tell = intervalMs === null ? null : tell;
    // What is known by now, whether it ticks or not.
    this.#say();
  }

  run(run: Run): void {
    this.pause();
    this.#wait(run, performance.now());
  }

  pause(): void {
    if (this.#timer) clearTimeout(this.#timer);
    this.#timer = null;
  }

  #wait(run: Run, slotMs: number): void {
    const slotLengthMs = 1_000 / run.hz;
    const dueMs = slotMs + (run.jitter ? this.#random() * slotLengthMs : 0);
    this.#timer = setTimeout(
      () => {
        // A process that was held up does not catch up: its sidecar would have asked less often, too.
        this.#wait(run, Math.max(slotMs + slotLengthMs, performance.now() - slotLengthMs));
        this.#tick(run);
      },
      Math.max(0, dueMs - performance.now()),
    );
  }

  #tick({ stamped }: Run): void {
    this.ticks++;
    const first = this.#swarm.tick(Date.now());
    if (stamped) this.#swarm.stamp(first, performance.timeOrigin + performance.now());
    this.#say();
  }

  #say(): void {
    this.#tell?.({ report: { agents: this.#swarm.agents, swarms: [] }, servers: this.servers() });
  }
}
