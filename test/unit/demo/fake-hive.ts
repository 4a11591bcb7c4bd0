import type { AgentEvents, AgentThread, Share } from "../../../sidecar/demo/agent-thread.ts";
import { Hive } from "../../../sidecar/demo/hive.ts";
import { jobOf } from "../../../sidecar/demo/work.ts";

/** An agent whose thread is the test: it works when told, and can be seen to be stopped. */
export class FakeAgent implements AgentThread {
  readonly share: Share;
  readonly events: AgentEvents;
  usage: { cpuMicros: number; heapBytes: number } | null = null;
  stopped = false;
  held = false;
  #next: number;

  constructor(share: Share, events: AgentEvents) {
    this.share = share;
    this.events = events;
    this.#next = share.first;
  }

  /** Does the next `units` of its share, all that are left when not given, and ends after the last. */
  work(units = Number.POSITIVE_INFINITY): void {
    const job = jobOf(this.share.task);
    this.events.online();
    for (let done = 0; done < units && this.#next < job.units; done++) {
      this.events.unitDone(this.#next, job.run(this.#next));
      this.#next += this.share.step;
    }
    if (this.#next >= job.units) this.events.ended();
  }

  hold = (isHeld: boolean) => {
    this.held = isHeld;
  };

  measure = async () => this.usage;

  stop = async () => {
    this.stopped = true;
    this.events.ended();
  };
}

/** A hive whose agents, clock and ids are the test's. */
export function fakeHive(options: { lingerMs?: number } = {}) {
  const agents: FakeAgent[] = [];
  const clock = { nowMs: 1_000_000 };
  const seen = { changes: 0, progress: 0, ids: 0 };
  const hive = new Hive({
    startAgent: (share, events) => {
      const agent = new FakeAgent(share, events);
      agents.push(agent);
      return agent;
    },
    now: () => clock.nowMs,
    newId: () => `id-${++seen.ids}`,
    lingerMs: options.lingerMs ?? 30_000,
    changed: () => {
      seen.changes++;
    },
    progressed: () => {
      seen.progress++;
    },
  });
  return { hive, agents, clock, seen };
}
