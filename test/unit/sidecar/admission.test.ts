import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Priority } from "../../../shared/swarm/task.ts";
import { Admission, type AdmissionLimits, type Candidate } from "../../../sidecar/swarm/admission.ts";
import { taskId } from "./fakes.ts";

const MINUTE_MS = 60_000;
const PLENTY = {
  ...{ clientTaskBurst: 1_000, clientTasksPerSecond: 1, hiveTaskBurst: 1_000, hiveTasksPerSecond: 1 },
};

const admission = (limits: Partial<AdmissionLimits> = {}) => new Admission({ ...PLENTY, ...limits });

const candidate = (n: number, change: Partial<Candidate> = {}): Candidate => ({
  ...{ taskId: taskId(n), client: "a", priority: "Medium", createdAt: n, ...change },
});

/** All that wait, in the order of their turns when one runs at a time. */
function turns(queue: Admission): string[] {
  const order: string[] = [];
  for (let next = queue.next(); next; next = queue.next()) {
    order.push(next.taskId);
    queue.leave(next.taskId);
  }
  return order;
}

describe("the queue of tasks", () => {
  it("S6 lets as many run as may, and the others wait", () => {
    const queue = admission({ runningTasks: 2 });
    const states = [1, 2, 3].map((n) => queue.admit(candidate(n), 0));
    expect(states).toEqual(["spawning", "spawning", "queued"]);
    expect(queue.next()).toBe(null);
    queue.leave(taskId(1));
    expect(queue.next()?.taskId).toBe(taskId(3));
    expect(queue.next()).toBe(null);
  });

  it("S6 lets others pass a client that runs as many as it may", () => {
    const queue = admission({ runningTasks: 10, tasksPerClient: 1 });
    const states = [1, 2, 3].map((n) => queue.admit(candidate(n), 0));
    expect(states).toEqual(["spawning", "queued", "queued"]);
    expect(queue.admit(candidate(4, { client: "b" }), 0)).toBe("spawning");
    expect(queue.next()).toBe(null);
    queue.leave(taskId(1));
    expect(queue.next()?.taskId).toBe(taskId(2));
  });

  it("S6 refuses what it has no room for, and what comes too fast, and says what to do", () => {
    const full = admission({ runningTasks: 1, queuedTasks: 1 });
    full.admit(candidate(1), 0);
    full.admit(candidate(2), 0);
    expect(() => full.admit(candidate(3), 0)).toThrow(
      expect.objectContaining({ code: "overloaded", message: expect.stringContaining("Try again") }),
    );
    const fast = admission({ clientTaskBurst: 2, clientTasksPerSecond: 1 });
    for (const n of [1, 2]) fast.admit(candidate(n), 0);
    expect(() => fast.admit(candidate(3), 0)).toThrow(
      expect.objectContaining({ code: "rate_limited", message: expect.stringContaining("Wait 1000 ms") }),
    );
    expect(fast.admit(candidate(3, { client: "b" }), 0)).toBe("spawning");
    expect(fast.admit(candidate(4), 1_000)).toBe("spawning");
    const all = admission({ hiveTaskBurst: 1 });
    all.admit(candidate(1), 0);
    expect(() => all.admit(candidate(2, { client: "b" }), 0)).toThrow(
      expect.objectContaining({ code: "rate_limited" }),
    );
  });

  it("S6 keeps room in the queue for others when one client fills its part", () => {
    const queue = admission({ runningTasks: 1, queuedTasks: 3, queuedTasksPerClient: 2 });
    for (const n of [1, 2, 3]) queue.admit(candidate(n), 0);
    expect(() => queue.admit(candidate(4), 0)).toThrow(
      expect.objectContaining({ code: "overloaded", message: expect.stringContaining("your tasks") }),
    );
    expect(queue.admit(candidate(5, { client: "b" }), 0)).toBe("queued");
  });

  it("H1 takes High before Medium before Low, and equals in the order of their coming", () => {
    const queue = admission({ runningTasks: 1 });
    const priorities: Priority[] = ["Low", "Medium", "High", "Medium", "High", "Low"];
    for (const [n, priority] of priorities.entries()) queue.waits(candidate(n, { priority }));
    expect(turns(queue)).toEqual([2, 4, 1, 3, 0, 5].map(taskId));
  });

  it("H1 lets nobody wait for ever: half an hour later nobody passes a Low one", () => {
    const queue = admission({ runningTasks: 1 });
    const high = (n: number, minutes: number) =>
      queue.waits(candidate(n, { priority: "High", createdAt: minutes * MINUTE_MS }));
    queue.waits(candidate(1, { priority: "Low", createdAt: 0 }));
    high(2, 29);
    high(3, 31);
    expect(turns(queue)).toEqual([2, 1, 3].map(taskId));
  });

  it("H4 forgets a task that is not to be run any more", () => {
    const queue = admission({ runningTasks: 1 });
    for (const n of [1, 2]) queue.waits(candidate(n));
    queue.leave(taskId(1));
    expect(turns(queue)).toEqual([taskId(2)]);
  });

  it("S6 never runs more than it may, and leaves nobody waiting who could run", () => {
    const client = fc.constantFrom("a", "b", "c");
    const priority = fc.constantFrom<Priority>("High", "Medium", "Low");
    const step = fc.oneof(
      { weight: 3, arbitrary: fc.record({ client, priority }) },
      { weight: 2, arbitrary: fc.record({ leaves: fc.nat(20) }) },
    );
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const limits = { runningTasks: 4, tasksPerClient: 2 };
        const queue = admission(limits);
        const running = new Map<string, string>();
        const waiting = new Map<string, string>();
        const ofClient = (name: string) => [...running.values()].filter((each) => each === name).length;
        for (const [n, each] of steps.entries()) {
          if ("client" in each) {
            const state = queue.admit(candidate(n, each), n);
            (state === "queued" ? waiting : running).set(taskId(n), each.client);
          } else {
            const ends = [...running.keys()][each.leaves];
            if (ends === undefined) continue;
            queue.leave(ends);
            running.delete(ends);
          }
          for (let next = queue.next(); next; next = queue.next()) {
            expect(waiting.delete(next.taskId)).toBe(true);
            running.set(next.taskId, next.client);
          }
          expect(running.size).toBeLessThanOrEqual(limits.runningTasks);
          for (const name of ["a", "b", "c"])
            expect(ofClient(name)).toBeLessThanOrEqual(limits.tasksPerClient);
          const couldRun = [...waiting.values()].filter((name) => ofClient(name) < limits.tasksPerClient);
          if (running.size < limits.runningTasks) expect(couldRun).toEqual([]);
        }
      }),
    );
  });
});
