import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { DEMO_LIMITS } from "../../../sidecar/demo/limits.ts";
import { fakeHive } from "./fake-hive.ts";

const order = { task: "count primes below 100000", priority: "Medium" } as const;

describe("the demo hive", () => {
  it("H1 gives a task the agents that its priority deserves, fewer when told so, never idle ones", () => {
    const { hive } = fakeHive();
    const workers = (more: object) => hive.orchestrate({ ...order, ...more }).workerCount;
    expect(workers({ priority: "High" })).toBe(4);
    expect(workers({ priority: "Medium" })).toBe(2);
    expect(workers({ priority: "Low" })).toBe(1);
    expect(workers({ priority: "High", maxWorkers: 3 })).toBe(3);
    expect(workers({ priority: "Low", maxWorkers: 64 })).toBe(1);
    expect(workers({ priority: "High", task: "count primes below 100" })).toBe(1);
  });

  it("comes to the same result whatever the order in which agents work", () => {
    fc.assert(
      fc.property(fc.infiniteStream(fc.integer({ min: 0, max: 3 })), (turns) => {
        const { hive, agents } = fakeHive();
        const swarm = hive.orchestrate({ ...order, priority: "High" });
        for (const turn of turns) {
          agents[turn]?.work(1);
          if (swarm.status !== "active") break;
        }
        expect(swarm.entry()).toMatchObject({ status: "completed", progress: 1, result: { primes: 9592 } });
      }),
      { numRuns: 20 },
    );
  });

  it("S2 shows agents appear, work, finish and go", () => {
    const { hive, agents, clock } = fakeHive({ lingerMs: 5_000 });
    const states = () => hive.agents().map(({ name, status, progress }) => [name, status, progress]);
    expect(states()).toEqual([]);
    const swarm = hive.orchestrate(order);
    expect(states()).toEqual([
      ["Queen", "working", 0],
      ["Worker 1", "starting", 0],
      ["Worker 2", "starting", 0],
    ]);
    agents[0]?.work(5);
    agents[1]?.work(1);
    agents[0]?.work(0);
    expect(states()).toEqual([
      ["Queen", "working", 0.6],
      ["Worker 1", "done", 1],
      ["Worker 2", "working", 0.2],
    ]);
    agents[1]?.work();
    expect(states().map(([, status]) => status)).toEqual(["done", "done", "done"]);
    expect(swarm.entry().endedAt).toBe(clock.nowMs);

    clock.nowMs += 4_999;
    expect(hive.agents()).toHaveLength(3);
    clock.nowMs += 1;
    expect(hive.agents()).toEqual([]);
    expect(hive.figures()).toEqual([]);
    expect(hive.swarms()).toEqual([swarm]);
  });

  it("S2 tells when an agent appears or ends, and apart from that how far it is", () => {
    const { hive, agents, seen } = fakeHive();
    hive.orchestrate(order);
    expect(seen).toMatchObject({ changes: 1, progress: 0 });
    agents[0]?.work(4);
    expect(seen).toMatchObject({ changes: 1, progress: 5 });
    agents[0]?.work();
    expect(seen.changes).toBe(2);
    agents[1]?.work();
    expect(seen.changes).toBe(3);
  });

  it("S2 measures what agents use, and knows nothing of those that do not work", async () => {
    const { hive, agents, clock } = fakeHive();
    const swarm = hive.orchestrate({ ...order, priority: "Low" });
    const [agent] = agents;
    if (!agent) throw new Error("no agent was started");
    const unknown = { cpuPercent: null, memoryBytes: null, unitsPerSecond: null, unitsDone: 0 };
    expect(hive.figures()).toMatchObject([unknown, unknown]);

    agent.work(1);
    await swarm.measure();
    expect(hive.figures()[1]).toMatchObject({ cpuPercent: null, memoryBytes: null });
    agent.usage = { cpuMicros: 10_000, heapBytes: 5_000_000 };
    await swarm.measure();
    expect(hive.figures()[1]).toMatchObject({ cpuPercent: null, memoryBytes: 5_000_000 });

    clock.nowMs += 200;
    agent.work(2);
    agent.usage = { cpuMicros: 160_000, heapBytes: 6_000_000 };
    await swarm.measure();
    expect(hive.figures()).toMatchObject([
      unknown,
      { cpuPercent: 75, memoryBytes: 6_000_000, unitsDone: 3, unitsPerSecond: 15, tasksActive: 1 },
    ]);

    clock.nowMs += 300;
    agent.work();
    clock.nowMs += 10_000;
    expect(hive.figures()).toMatchObject([
      { ...unknown, tasksActive: 0, tasksCompleted: 1 },
      { cpuPercent: null, memoryBytes: null, unitsDone: 10, unitsPerSecond: 20, tasksCompleted: 1 },
    ]);
  });

  it("H4 stops a swarm's threads, and says so when there is nothing to stop", async () => {
    const { hive, agents } = fakeHive();
    const swarm = hive.orchestrate(order);
    agents[0]?.work();
    await swarm.stop();
    expect(swarm.entry()).toMatchObject({ status: "stopped", progress: 0.5, result: null });
    expect(hive.agents().map(({ status }) => status)).toEqual(["stopped", "done", "stopped"]);
    expect(agents.every((agent) => agent.stopped)).toBe(true);
    await expect(swarm.stop()).rejects.toMatchObject({ code: "task_ended" });
    agents[1]?.work();
    expect(swarm.entry()).toMatchObject({ status: "stopped", progress: 0.5 });
  });

  it("H1 a swarm fails, and ends its other agents, when an agent's thread dies", () => {
    const { hive, agents } = fakeHive();
    const swarm = hive.orchestrate(order);
    agents[0]?.work(1);
    agents[0]?.events.ended();
    expect(swarm.entry()).toMatchObject({ status: "failed", result: null });
    expect(swarm.error).toContain("ended before its work was done");
    expect(hive.agents().map(({ status }) => status)).toEqual(["failed", "failed", "stopped"]);
    expect(agents[1]?.stopped).toBe(true);
    expect(hive.figures()[1]).toMatchObject({ tasksActive: 0, tasksCompleted: 0, tasksFailed: 1 });
  });

  it("H9 never runs the same task twice", () => {
    const { hive, agents } = fakeHive();
    const first = hive.orchestrate({ ...order, taskId: "task-1" });
    expect(hive.orchestrate({ ...order, taskId: "task-1", task: "another text" })).toBe(first);
    for (const agent of agents) agent.work();
    expect(hive.orchestrate({ ...order, taskId: "task-1" })).toBe(first);
    expect(hive.orchestrate(order)).not.toBe(first);
    expect(hive.find("task-1")).toBe(first);
    expect(hive.find(first.swarmId)).toBe(first);
    expect(() => hive.find("task-2")).toThrow("no such swarm");
  });

  it("S6 refuses more swarms than the limit, until one has ended", () => {
    const { hive, agents } = fakeHive();
    const low = { ...order, priority: "Low" } as const;
    for (let n = 0; n < DEMO_LIMITS.runningSwarms; n++) hive.orchestrate(low);
    expect(() => hive.orchestrate(low)).toThrow("at work already");
    agents[0]?.work();
    expect(hive.orchestrate(low).status).toBe("active");
  });

  it("S6 forgets the oldest of the swarms that ended", () => {
    const { hive, agents } = fakeHive();
    const tiny = { task: "count primes below 10", priority: "Low" } as const;
    const first = hive.orchestrate(tiny);
    const running = hive.orchestrate(tiny);
    agents[0]?.work();
    for (let n = 0; n <= DEMO_LIMITS.endedSwarms; n++) {
      hive.orchestrate(tiny);
      agents.at(-1)?.work();
    }
    expect(hive.swarms()).toHaveLength(DEMO_LIMITS.endedSwarms + 2);
    expect(hive.find(running.swarmId)).toBe(running);
    expect(() => hive.find(first.swarmId)).toThrow("no such swarm");
  });

  it("S6 shows a long text shortened", () => {
    const { hive } = fakeHive();
    hive.orchestrate({ ...order, task: "😀".repeat(1_000) });
    const shown = hive.agents()[0]?.currentTask ?? "";
    expect(shown).toHaveLength(DEMO_LIMITS.shownTextLength + 1);
    expect(shown.isWellFormed()).toBe(true);
  });
});
