import fc from "fast-check";
import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { fakeHive } from "./fake-hive.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** What may happen to a hive, to the agent of that number where it is an agent's. */
const anyEvent = fc.oneof(
  fc.record({ kind: fc.constant("time passes" as const), ms: fc.nat(6_000) }),
  fc.record({
    kind: fc.constant("a task comes" as const),
    priority: fc.constantFrom("High" as const, "Low" as const),
  }),
  fc.record({ kind: fc.constant("an agent works" as const), agent: fc.nat(5), units: fc.nat(12) }),
  fc.record({ kind: fc.constant("an agent dies" as const), agent: fc.nat(5) }),
  fc.record({
    kind: fc.constant("agents are measured" as const),
    agent: fc.nat(5),
    cpuMicros: fc.nat(1_000),
  }),
  fc.record({ kind: fc.constant("a task is stopped" as const) }),
);
type Event = typeof anyEvent extends fc.Arbitrary<infer T> ? T : never;
type Fake = ReturnType<typeof fakeHive>;

async function happens({ hive, agents, clock }: Fake, event: Event): Promise<void> {
  switch (event.kind) {
    case "time passes":
      clock.nowMs += event.ms;
      await vi.advanceTimersByTimeAsync(event.ms);
      break;
    case "a task comes":
      hive.orchestrate({ task: "count primes below 100000", priority: event.priority });
      break;
    case "an agent works":
      agents[event.agent]?.work(event.units);
      break;
    case "an agent dies":
      agents[event.agent]?.events.ended();
      break;
    case "agents are measured": {
      const agent = agents[event.agent];
      if (agent) agent.usage = { cpuMicros: event.cpuMicros, heapBytes: event.cpuMicros };
      await Promise.all(hive.running().map((swarm) => swarm.measure()));
      break;
    }
    case "a task is stopped":
      await hive.running()[0]?.stop();
      break;
  }
}

describe("the demo hive's notices", () => {
  it("Q1 tell of every change that its tools show, so that whoever hears none need not ask (P6)", async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(anyEvent, { maxLength: 60, size: "max" }), async (events) => {
        const fake = fakeHive({ lingerMs: 5_000 });
        const { hive, seen } = fake;
        const shown = () => JSON.stringify([hive.agents(), hive.figures(), hive.topologies()]);
        const told = () => seen.changes + seen.progress;
        for (const event of events) {
          const before = { shown: shown(), told: told() };
          await happens(fake, event);
          const isNew = shown() !== before.shown;
          // That an agent is listed no longer is told a millisecond later.
          await happens(fake, { kind: "time passes", ms: 1 });
          if (isNew) expect(told()).toBeGreaterThan(before.told);
        }
        await hive.close();
      }),
    );
  });
});
