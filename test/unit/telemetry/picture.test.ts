import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import { TelemetryLine } from "../../../shared/protocol/sidecar.ts";
import { Picture } from "../../../shared/swarm/picture.ts";
import type { Task } from "../../../shared/swarm/task.ts";
import { TelemetryPicture } from "../../../sidecar/telemetry/picture.ts";
import { anAgent, aTask } from "../../support/agents.ts";

const servers = ["a", "b"].map((name) => ({ name, source: "demo" }));
const fresh = (agents = 100, agentsBytes = 1_000_000) =>
  new TelemetryPicture({ epoch: "e", servers, nowMs: 0, limits: { agents, agentsBytes } });

const agentOf = (server: string, id: string, cpu: number | null = 1) => {
  const agent = anAgent({ agent_id: id, server });
  return { ...agent, performance: { ...agent.performance, cpu_usage: cpu } };
};

const ids = (picture: TelemetryPicture) =>
  picture.snapshot([], 0).agents.map((agent) => `${agent.server}:${agent.agent_id}`);

const taskNumber = (n: number, createdAt: number) =>
  aTask({ taskId: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`, createdAt, startedAt: null });

describe("the sending end's picture", () => {
  it("S5 a poll that says nothing new makes no line", () => {
    const picture = fresh();
    expect(picture.applyPoll("a", [agentOf("a", "1")], 1)).not.toBeNull();
    expect(picture.applyPoll("a", [agentOf("a", "1")], 2)).toBeNull();
    expect(picture.snapshot([], 3).offset).toBe(1);
  });

  it("S5 only changed agents are sent, whole; one that is gone by its id", () => {
    const picture = fresh();
    picture.applyPoll("a", [agentOf("a", "1"), agentOf("a", "2"), agentOf("a", "3")], 1);
    const line = picture.applyPoll("a", [agentOf("a", "1"), agentOf("a", "2", 2)], 2);
    expect(line).toMatchObject({ type: "change", from: 1, offset: 2, timestamp: 2 });
    expect(line?.change.agents).toEqual([agentOf("a", "2", 2)]);
    expect(line?.change.removed).toEqual(["3"]);
  });

  it("S3 each server's agents come and go by its own word alone", () => {
    const picture = fresh();
    picture.applyPoll("a", [agentOf("a", "1")], 1);
    picture.applyPoll("b", [agentOf("b", "2")], 1);
    picture.applyPoll("a", [], 2);
    expect(ids(picture)).toEqual(["b:2"]);
  });

  it("S3 an agent that two servers tell of belongs to the first, until that one fails or drops it", () => {
    const picture = fresh();
    picture.applyPoll("a", [agentOf("a", "1"), agentOf("a", "2")], 1);
    expect(picture.applyPoll("b", [agentOf("b", "1")], 1)?.change.agents).toBeUndefined();
    expect(ids(picture)).toEqual(["a:1", "a:2"]);

    picture.applyPoll("a", [agentOf("a", "2")], 2);
    picture.applyPoll("b", [agentOf("b", "1"), agentOf("b", "2")], 2);
    expect(ids(picture)).toEqual(["a:2", "b:1"]);

    picture.applyFailure("a", 2, 3);
    picture.applyPoll("b", [agentOf("b", "1"), agentOf("b", "2")], 3);
    picture.applyPoll("a", [agentOf("a", "2")], 4);
    expect(ids(picture).sort()).toEqual(["b:1", "b:2"]);
  });

  it("S4 a server that fails keeps its agents, marked stale; when it is back they are fresh", () => {
    const picture = fresh();
    picture.applyPoll("a", [agentOf("a", "1")], 10);
    const state = () => picture.snapshot([], 0).servers.find(({ server }) => server === "a");
    expect(picture.applyFailure("a", 10, 20)?.change.agents).toBeUndefined();
    expect(state()).toMatchObject({ status: "unavailable", stale_since: 10, agents: 1 });
    expect(picture.applyFailure("a", 10, 30)).toBeNull();
    expect(ids(picture)).toEqual(["a:1"]);
    picture.applyPoll("a", [agentOf("a", "1")], 40);
    expect(state()).toMatchObject({ status: "available", stale_since: null });
  });

  it("S6 agents above the limit are left out, and the picture says so", () => {
    const picture = fresh(3);
    picture.applyPoll("a", [agentOf("a", "1"), agentOf("a", "2")], 1);
    picture.applyPoll("b", [agentOf("b", "3"), agentOf("b", "4"), agentOf("b", "5")], 1);
    expect(ids(picture)).toEqual(["a:1", "a:2", "b:3"]);
    expect(picture.snapshot([], 0).servers.map((state) => state.agents)).toEqual([2, 3]);
    picture.applyPoll("a", [], 2);
    picture.applyPoll("b", [agentOf("b", "3"), agentOf("b", "4"), agentOf("b", "5")], 2);
    expect(ids(picture)).toHaveLength(3);
  });

  it("S6 agents whose JSON has no room are left out, and come when there is", () => {
    const bytes = JSON.stringify(agentOf("a", "1")).length + 1;
    const picture = fresh(100, 3 * bytes);
    picture.applyPoll("a", [agentOf("a", "1"), agentOf("a", "2")], 1);
    picture.applyPoll("b", [agentOf("b", "3"), agentOf("b", "4")], 1);
    expect(ids(picture)).toEqual(["a:1", "a:2", "b:3"]);
    picture.applyPoll("a", [agentOf("a", "1")], 2);
    picture.applyPoll("b", [agentOf("b", "3"), agentOf("b", "4")], 2);
    expect(ids(picture)).toEqual(["a:1", "b:3", "b:4"]);
  });

  const LINE_BREAKER = "\x01";
  const worstTask = (n: number) => ({
    ...taskNumber(n, n),
    task: LINE_BREAKER.repeat(LIMITS.taskTextBytes),
    swarmId: LINE_BREAKER.repeat(200),
  });

  it("S6 the texts of tasks are cut, so that they cannot break a line", () => {
    const picture = fresh();
    const cut = `${LINE_BREAKER.repeat(LIMITS.listedTaskTextChars - 1)}…`;
    expect(picture.applyTask(worstTask(1), 1)?.change.tasks?.[0]?.task).toBe(cut);
    expect(picture.snapshot([worstTask(1)], 1).tasks[0]?.task).toBe(cut);
    expect(picture.snapshot([taskNumber(1, 1)], 1).tasks).toEqual([taskNumber(1, 1)]);
  });

  it.each([
    ["all that is allowed", 500],
    ["an id and little else", 0],
  ])("S6 the largest picture fits a line, and so does its replacement: agents with %s", (_, words) => {
    const picture = new TelemetryPicture({ epoch: "e", servers, nowMs: 0 });
    const text = LINE_BREAKER.repeat(words);
    const worst = (n: number) => ({
      ...anAgent({ agent_id: `${LINE_BREAKER.repeat(194)}${n}`, server: "a", name: text, swarm_id: text }),
      current_task: text,
    });
    const from = (first: number) => Array.from({ length: 6_000 }, (_, n) => worst(first + n));
    const tasks = Array.from({ length: 100 }, (_, n) => worstTask(n));
    const sizes = [100_000, 200_000].flatMap((first) => [
      JSON.stringify(picture.applyPoll("a", from(first), 1)).length,
      JSON.stringify(picture.snapshot(tasks, 1)).length,
    ]);
    expect(Math.min(...sizes)).toBeGreaterThan(LIMITS.agentsBytes / 2);
    expect(Math.max(...sizes)).toBeLessThan(LIMITS.telemetryLineBytes);
  });

  it("H9 a snapshot has the hundred tasks that changed last, in whatever order they come", () => {
    const tasks = Array.from({ length: 150 }, (_, n) => taskNumber(n, n));
    const old = { ...taskNumber(0, 0), endedAt: 1_000 };
    const snapshot = fresh().snapshot([...tasks.slice(1), old].reverse(), 0);
    expect(snapshot.tasks).toHaveLength(100);
    expect(snapshot.tasks.at(-1)).toEqual(old);
    expect(snapshot.tasks[0]).toEqual(tasks[51]);
  });

  it("Q2 whoever applies the lines to a snapshot has the same picture as the sender", () => {
    fc.assert(
      fc.property(fc.array(anEvent, { maxLength: 30 }), fc.nat(30), (events, joinsAt) => {
        const sender = fresh(4);
        const receiver = new Picture();
        const ledger = new Map<string, Task>();
        for (const [nowMs, event] of events.entries()) {
          if (nowMs === Math.min(joinsAt, events.length - 1)) {
            receiver.apply(sender.snapshot([...ledger.values()], nowMs));
          }
          const line = apply(sender, ledger, event, nowMs);
          if (receiver.epoch === null) continue;
          // What travels is JSON, and has to be what both ends agreed on.
          const travelled = line && TelemetryLine.parse(JSON.parse(JSON.stringify(line)));
          if (travelled) expect(receiver.apply(travelled)).toBe("applied");

          const here = sender.snapshot([], 0);
          const there = receiver.toSnapshot("e", 0);
          expect(there.offset).toBe(here.offset);
          expect(there.agents.toSorted(byId)).toEqual(here.agents.toSorted(byId));
          expect(there.servers).toEqual(here.servers);
          expect(receiver.tasks).toEqual(ledger);
          expect(here.agents.length).toBeLessThanOrEqual(4);
        }
      }),
    );
  });
});

const server = fc.constantFrom("a", "b");
const told = fc.record({ id: fc.constantFrom("1", "2", "3", "4", "5"), cpu: fc.constantFrom(null, 1, 2) });
const anEvent = fc.oneof(
  fc.record({ kind: fc.constant("poll" as const), server, agents: fc.array(told, { maxLength: 6 }) }),
  fc.record({ kind: fc.constantFrom("failure" as const, "rest" as const), server, at: fc.nat(9) }),
  fc.record({ kind: fc.constant("task" as const), n: fc.nat(5), at: fc.nat(9) }),
);
type Event = typeof anEvent extends fc.Arbitrary<infer T> ? T : never;

function apply(sender: TelemetryPicture, ledger: Map<string, Task>, event: Event, nowMs: number) {
  switch (event.kind) {
    case "poll": {
      const agents = event.agents.map(({ id, cpu }) => agentOf(event.server, id, cpu));
      return sender.applyPoll(event.server, agents, nowMs);
    }
    case "failure":
      return sender.applyFailure(event.server, event.at, nowMs);
    case "rest":
      return sender.applyRest(event.server, event.at, nowMs);
    case "task": {
      const task = taskNumber(event.n, event.at);
      ledger.set(task.taskId, task);
      return sender.applyTask(task, nowMs);
    }
  }
}

const byId = (a: { agent_id: string }, b: { agent_id: string }) => (a.agent_id < b.agent_id ? -1 : 1);
