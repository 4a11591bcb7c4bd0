import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../shared/limits.ts";
import {
  type ContainerFigures,
  type ServerState,
  type SwarmTopology,
  TelemetryLine,
} from "../../../shared/protocol/sidecar.ts";
import type { Agent } from "../../../shared/swarm/agent.ts";
import { Picture } from "../../../shared/swarm/picture.ts";
import type { Task } from "../../../shared/swarm/task.ts";
import { TelemetryPicture } from "../../../sidecar/telemetry/picture.ts";
import { anAgent, aServer, aTask } from "../../support/agents.ts";

const stateOf = (name: string, change: Partial<ServerState> = {}) =>
  aServer({ server: name, pool: name, status: "unavailable", agents: 0, ...change });
const servers = ["a", "b"].map((name) => stateOf(name));
const fresh = (agents = 100, agentsBytes = 1_000_000, tasks: Task[] = []) =>
  new TelemetryPicture({ epoch: "e", servers, tasks, nowMs: 0, limits: { agents, agentsBytes } });

const poll = (picture: TelemetryPicture, pool: string, agents: Agent[], nowMs: number) =>
  picture.applyPoll(
    pool,
    { agents, swarms: [] },
    [stateOf(pool, { status: "available", agents: agents.length })],
    nowMs,
  );
const fail = (picture: TelemetryPicture, pool: string, staleSince: number, nowMs: number) => {
  const before = picture.snapshot(0).servers.find(({ server }) => server === pool);
  return picture.applyServers(
    [{ ...stateOf(pool), ...before, status: "unavailable", stale_since: staleSince }],
    nowMs,
  );
};

const agentOf = (server: string, id: string, cpu: number | null = 1) => {
  const agent = anAgent({ agent_id: id, server });
  return { ...agent, performance: { ...agent.performance, cpu_usage: cpu } };
};

const ids = (picture: TelemetryPicture) =>
  picture.snapshot(0).agents.map((agent) => `${agent.server}:${agent.agent_id}`);

const taskNumber = (n: number, createdAt: number) =>
  aTask({ taskId: `00000000-0000-4000-8000-${String(n).padStart(12, "0")}`, createdAt, startedAt: null });

describe("the sending end's picture", () => {
  it("S5 Q2 tells a reader what it missed since any place that it remembers, and otherwise everything", () => {
    const picture = fresh();
    poll(picture, "a", [agentOf("a", "1"), agentOf("a", "2")], 1);
    poll(picture, "a", [agentOf("a", "1", 2), agentOf("a", "2")], 2);
    poll(picture, "a", [agentOf("a", "1", 3)], 3);
    expect(picture.missedSince({ epoch: "e", offset: 3 }, 4)).toBe("up_to_date");
    expect(picture.missedSince({ epoch: "e", offset: 4 }, 4)).toBe("snapshot");
    expect(picture.missedSince({ epoch: "other", offset: 1 }, 4)).toBe("snapshot");
    const line = picture.missedSince({ epoch: "e", offset: 1 }, 4);
    expect(line).toMatchObject({ type: "change", epoch: "e", from: 1, offset: 3, timestamp: 4 });
    expect(line).toHaveProperty("change.agents", [{ agent_id: "1", performance: { cpu_usage: 3 } }]);
    expect(line).toHaveProperty("change.removed", ["2"]);
  });

  it("S3 holds the topology that each pool tells of, in place of what that pool told before", () => {
    const picture = fresh();
    const swarm = (server: string, swarm_id: string): SwarmTopology => ({
      ...{ swarm_id, server, server_source: "demo", topology: "mesh", status: null },
      ...{ coordinator: null, agents: null, max_agents: null },
    });
    const tell = (pool: string, ...ids: string[]) =>
      picture.applyPoll(pool, { agents: [], swarms: ids.map((id) => swarm(pool, id)) }, [], 1)?.change.swarms;
    expect(tell("a", "1", "2")).toHaveLength(2);
    expect(tell("b", "3")?.map(({ swarm_id }) => swarm_id)).toEqual(["1", "2", "3"]);
    expect(tell("a", "2")?.map(({ swarm_id }) => swarm_id)).toEqual(["3", "2"]);
    expect(tell("a", "2")).toBeUndefined();
  });

  it("S2 tells of the container when its figures change, and that it has none any more", () => {
    const picture = fresh();
    const figures: ContainerFigures = {
      ...{ container: "c", cpu_usage: 1, memory_bytes: 2, memory_limit_bytes: null },
      ...{ network_received_bytes: null, network_sent_bytes: null, processes: 3, timestamp: 4 },
    };
    expect(picture.applyContainer(null, 1)).toBeNull();
    expect(picture.applyContainer(figures, 2)?.change).toEqual({ container: figures });
    expect(picture.applyContainer(null, 3)?.change).toEqual({ container: null });
  });

  it("S5 a poll that says nothing new makes no line", () => {
    const picture = fresh();
    expect(poll(picture, "a", [agentOf("a", "1")], 1)).not.toBeNull();
    expect(poll(picture, "a", [agentOf("a", "1")], 2)).toBeNull();
    expect(picture.snapshot(3).offset).toBe(1);
  });

  it("S5 only what changed is sent: a new agent whole, a known one's fields, one that is gone by its id", () => {
    const picture = fresh();
    poll(picture, "a", [agentOf("a", "1"), agentOf("a", "2"), agentOf("a", "3")], 1);
    const line = poll(picture, "a", [agentOf("a", "1"), agentOf("a", "2", 2)], 2);
    expect(line).toMatchObject({ type: "change", from: 1, offset: 2, timestamp: 2 });
    expect(line?.change.agents).toEqual([{ agent_id: "2", performance: { cpu_usage: 2 } }]);
    expect(line?.change.removed).toEqual(["3"]);
  });

  it("S3 each server's agents come and go by its own word alone", () => {
    const picture = fresh();
    poll(picture, "a", [agentOf("a", "1")], 1);
    poll(picture, "b", [agentOf("b", "2")], 1);
    poll(picture, "a", [], 2);
    expect(ids(picture)).toEqual(["b:2"]);
  });

  it("S3 an agent that two servers tell of belongs to the first, until that one fails or drops it", () => {
    const picture = fresh();
    poll(picture, "a", [agentOf("a", "1"), agentOf("a", "2")], 1);
    expect(poll(picture, "b", [agentOf("b", "1")], 1)?.change.agents).toBeUndefined();
    expect(ids(picture)).toEqual(["a:1", "a:2"]);

    poll(picture, "a", [agentOf("a", "2")], 2);
    poll(picture, "b", [agentOf("b", "1"), agentOf("b", "2")], 2);
    expect(ids(picture)).toEqual(["a:2", "b:1"]);

    fail(picture, "a", 2, 3);
    poll(picture, "b", [agentOf("b", "1"), agentOf("b", "2")], 3);
    poll(picture, "a", [agentOf("a", "2")], 4);
    expect(ids(picture).sort()).toEqual(["b:1", "b:2"]);
  });

  it("S4 a server that fails keeps its agents, marked stale; when it is back they are fresh", () => {
    const picture = fresh();
    poll(picture, "a", [agentOf("a", "1")], 10);
    const state = () => picture.snapshot(0).servers.find(({ server }) => server === "a");
    expect(fail(picture, "a", 10, 20)?.change.agents).toBeUndefined();
    expect(state()).toMatchObject({ status: "unavailable", stale_since: 10, agents: 1 });
    expect(fail(picture, "a", 10, 30)).toBeNull();
    expect(ids(picture)).toEqual(["a:1"]);
    poll(picture, "a", [agentOf("a", "1")], 40);
    expect(state()).toMatchObject({ status: "available", stale_since: null });
  });

  it("S6 agents above the limit are left out, and the picture says so", () => {
    const picture = fresh(3);
    poll(picture, "a", [agentOf("a", "1"), agentOf("a", "2")], 1);
    poll(picture, "b", [agentOf("b", "3"), agentOf("b", "4"), agentOf("b", "5")], 1);
    expect(ids(picture)).toEqual(["a:1", "a:2", "b:3"]);
    expect(picture.snapshot(0).servers.map((state) => state.agents)).toEqual([2, 3]);
    poll(picture, "a", [], 2);
    poll(picture, "b", [agentOf("b", "3"), agentOf("b", "4"), agentOf("b", "5")], 2);
    expect(ids(picture)).toHaveLength(3);
  });

  it("S6 agents whose JSON has no room are left out, and come when there is", () => {
    const bytes = JSON.stringify(agentOf("a", "1")).length + 1;
    const picture = fresh(100, 3 * bytes);
    poll(picture, "a", [agentOf("a", "1"), agentOf("a", "2")], 1);
    poll(picture, "b", [agentOf("b", "3"), agentOf("b", "4")], 1);
    expect(ids(picture)).toEqual(["a:1", "a:2", "b:3"]);
    poll(picture, "a", [agentOf("a", "1")], 2);
    poll(picture, "b", [agentOf("b", "3"), agentOf("b", "4")], 2);
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
    expect(fresh(1, 1, [worstTask(1)]).snapshot(1).tasks[0]?.task).toBe(cut);
    expect(fresh(1, 1, [taskNumber(1, 1)]).snapshot(1).tasks).toEqual([taskNumber(1, 1)]);
  });

  it.each([
    ["all that is allowed", 500],
    ["an id and little else", 0],
  ])("S6 the largest picture fits a line, and so does its replacement: agents with %s", (_, words) => {
    const tasks = Array.from({ length: 100 }, (_, n) => worstTask(n));
    const picture = new TelemetryPicture({ epoch: "e", servers, tasks, nowMs: 0 });
    const text = LINE_BREAKER.repeat(words);
    const worst = (n: number) => ({
      ...anAgent({ agent_id: `${LINE_BREAKER.repeat(194)}${n}`, server: "a", name: text, swarm_id: text }),
      current_task: text,
    });
    const from = (first: number) => Array.from({ length: 6_000 }, (_, n) => worst(first + n));
    const sizes = [100_000, 200_000].flatMap((first) => [
      JSON.stringify(poll(picture, "a", from(first), 1)).length,
      JSON.stringify(picture.snapshot(1)).length,
    ]);
    expect(Math.min(...sizes)).toBeGreaterThan(LIMITS.agentsBytes / 2);
    expect(Math.max(...sizes)).toBeLessThan(LIMITS.telemetryLineBytes);
  });

  it("H9 a snapshot has the hundred tasks that changed last, in whatever order they come", () => {
    const tasks = Array.from({ length: 150 }, (_, n) => taskNumber(n, n));
    const old = { ...taskNumber(0, 0), endedAt: 1_000 };
    const snapshot = fresh(1, 1, [...tasks.slice(1), old].reverse()).snapshot(0);
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
            receiver.apply(sender.snapshot(nowMs));
          }
          const line = apply(sender, ledger, event, nowMs);
          if (receiver.epoch === null) continue;
          // What travels is JSON, and has to be what both ends agreed on.
          const travelled = line && TelemetryLine.parse(JSON.parse(JSON.stringify(line)));
          if (travelled) expect(receiver.apply(travelled)).toBe("applied");

          const here = sender.snapshot(0);
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
  fc.record({ kind: fc.constant("gone" as const), server }),
);
type Event = typeof anEvent extends fc.Arbitrary<infer T> ? T : never;

function apply(sender: TelemetryPicture, ledger: Map<string, Task>, event: Event, nowMs: number) {
  switch (event.kind) {
    case "poll": {
      const agents = event.agents.map(({ id, cpu }) => agentOf(event.server, id, cpu));
      return poll(sender, event.server, agents, nowMs);
    }
    case "failure":
      return fail(sender, event.server, event.at, nowMs);
    case "rest":
      return sender.applyServers(
        [stateOf(event.server, { status: "available", stale_since: event.at })],
        nowMs,
      );
    case "gone": {
      const left = sender.snapshot(0).servers.filter(({ pool }) => pool !== event.server);
      const line = sender.applySources(left, new Set([event.server]), nowMs);
      expect(ids(sender).filter((id) => id.startsWith(event.server))).toEqual([]);
      return line;
    }
    case "task": {
      const task = taskNumber(event.n, event.at);
      ledger.set(task.taskId, task);
      return sender.applyTask(task, nowMs);
    }
  }
}

const byId = (a: { agent_id: string }, b: { agent_id: string }) => (a.agent_id < b.agent_id ? -1 : 1);
