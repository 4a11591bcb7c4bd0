import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LivePicture } from "../../../shared/client/live-picture.ts";
import type { GatewayFrame } from "../../../shared/protocol/gateway.ts";
import type { TelemetryChange } from "../../../shared/protocol/sidecar.ts";
import { type Agent, AgentPerformance, Agent as AgentSchema } from "../../../shared/swarm/agent.ts";
import {
  ALL_FIELDS,
  changedFields,
  isWhole,
  patched,
  patchedFields,
  pickFields,
} from "../../../shared/swarm/fields.ts";
import { Picture } from "../../../shared/swarm/picture.ts";
import { EVERYTHING, seenOf, seenOfMissed, type View, viewKey } from "../../../shared/swarm/view.ts";
import { aChange, anAgent, aServer, aSnapshot, aTask } from "../../support/agents.ts";

const AGENTS = ["a", "b", "c", "d"];
const TASKS = [1, 2, 3].map((n) => `00000000-0000-4000-8000-00000000000${n}`);

const SWARMS = ["s1", "s2", null];

const agent = fc
  .record({
    agent_id: fc.constantFrom(...AGENTS),
    server_source: fc.constantFrom("demo", "claude_flow"),
    agent_type: fc.constantFrom("worker", "queen"),
    swarm_id: fc.constantFrom("s1", "s2", null),
    status: fc.constantFrom("idle", "working"),
    capabilities: fc.subarray(["code"]),
    progress: fc.constantFrom(0, 0.5, null),
    neural_info: fc.constantFrom(null, { cognitive_pattern: "lateral", network_id: null }),
    cpu: fc.constantFrom(1, 2, null),
  })
  .map(({ cpu, ...rest }) => anAgent({ ...rest, performance: { ...anAgent().performance, cpu_usage: cpu } }));

/** What happens in a swarm: an agent is there as told, or goes; a task or a server changes. */
const event = fc.oneof(
  { weight: 6, arbitrary: agent.map((value) => ({ kind: "agent" as const, value })) },
  { weight: 2, arbitrary: fc.constantFrom(...AGENTS).map((id) => ({ kind: "gone" as const, id })) },
  // A task's swarm does not change, once it is known.
  fc.nat(2).map((n) => ({
    kind: "task" as const,
    value: aTask({ taskId: TASKS[n] ?? "", swarmId: SWARMS[n] ?? null }),
  })),
  fc.nat(3).map((agents) => ({ kind: "servers" as const, value: [aServer({ agents })] })),
);
type Event = typeof event extends fc.Arbitrary<infer T> ? T : never;

const names = <T extends string>(...values: T[]) => fc.option(fc.subarray(values), { nil: undefined });
const scope = fc.record(
  { server_types: names("demo"), agent_types: names("worker", "queen"), swarm_ids: names("s1", "s2") },
  { requiredKeys: [] },
);
const view: fc.Arbitrary<View> = fc.record({
  scope,
  filters: fc
    .tuple(scope, fc.boolean(), fc.boolean(), fc.boolean())
    .map(([lists, include_performance, include_neural, include_topology]) => ({
      ...lists,
      ...{ include_performance, include_neural, include_topology },
    })),
  seesTasks: fc.boolean(),
});

function changeOf(picture: Picture, event: Event): TelemetryChange | null {
  if (event.kind === "task") return { tasks: [event.value] };
  if (event.kind === "servers") return { servers: event.value };
  if (event.kind === "gone") return picture.agents.has(event.id) ? { removed: [event.id] } : null;
  const before = picture.agents.get(event.value.agent_id);
  if (!before) return { agents: [event.value] };
  const fields = changedFields(before, event.value);
  return fields ? { agents: [pickFields(event.value, fields)] } : null;
}

function happen(picture: Picture, events: readonly Event[]): void {
  for (const event of events) {
    const change = changeOf(picture, event);
    if (change) expect(picture.apply(aChange(picture.offset, change))).toBe("applied");
  }
}

function started(): Picture {
  const picture = new Picture();
  picture.apply(aSnapshot({ offset: 0 }));
  return picture;
}

/** What a client shows: frames as the gateway makes them. */
function snapshotFrame(picture: Picture, view: View): GatewayFrame {
  const { agents, servers = [], tasks = [], swarms, container } = seenOf(picture, view);
  return {
    ...{ type: "snapshot", epoch: picture.epoch, offset: picture.offset, timestamp: 0, live: true },
    payload: {
      ...{ agents, servers, tasks },
      ...(swarms && { topology_changes: swarms }),
      ...(container !== undefined && { performance_metrics: { container } }),
    },
  };
}

function updateFrame(from: number, picture: Picture, view: View): GatewayFrame {
  const {
    agents = [],
    removed,
    servers,
    tasks,
  } = seenOfMissed(picture.missedSince(from), picture, view) ?? {};
  return {
    ...{ type: "agent_update", from, offset: picture.offset, timestamp: 0 },
    payload: {
      agents,
      ...(removed && { removed }),
      ...(servers && { servers }),
      ...(tasks && { tasks }),
    },
  };
}

const shown = ({ agents, servers, tasks }: LivePicture) => ({
  agents: [...agents.values()].sort((a, b) => (a.agent_id < b.agent_id ? -1 : 1)),
  servers,
  tasks: [...tasks.values()],
});

describe("an agent's fields", () => {
  it("S5 are all known: a patch that sets each of them is a whole agent", () => {
    const whole = anAgent({ neural_info: { cognitive_pattern: null, network_id: null } });
    expect(isWhole(whole)).toBe(true);
    for (const field of AgentSchema.keyof().exclude(["agent_id"]).options) {
      const { [field]: _, ...rest } = whole;
      expect(patchedFields(rest)).not.toBe(ALL_FIELDS);
    }
    for (const figure of AgentPerformance.keyof().options) {
      const { [figure]: _, ...rest } = whole.performance;
      expect(patchedFields({ ...whole, performance: { ...rest } })).not.toBe(ALL_FIELDS);
    }
  });

  it("S5 apply(diff(a, b), a) = b, and the difference says nothing else", () => {
    fc.assert(
      fc.property(agent, agent, (a: Agent, b: Agent) => {
        const after = { ...b, agent_id: a.agent_id };
        const fields = changedFields(a, after);
        const patch = pickFields(after, fields);
        expect(patched(a, patch)).toEqual(after);
        expect(patchedFields(patch)).toBe(fields);
      }),
    );
  });
});

describe("a picture", () => {
  it("Q2 tells a reader at any earlier offset what it missed: filter, then diff = diff as the filter sees it", () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 12, size: "max" }),
        fc.array(event, { maxLength: 25, size: "max" }),
        view,
        (before, after, view) => {
          const picture = started();
          happen(picture, before);
          const client = new LivePicture();
          client.apply(snapshotFrame(picture, view));
          const from = picture.offset;
          happen(picture, after);
          expect(client.apply(updateFrame(from, picture, view))).not.toBe("gap");
          const fresh = new LivePicture();
          fresh.apply(snapshotFrame(picture, view));
          expect(shown(client)).toEqual(shown(fresh));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("Q2 an update does no harm to a reader that was further on than it assumes", () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 12, size: "max" }),
        fc.array(event, { maxLength: 12, size: "max" }),
        view,
        (first, second, view) => {
          const picture = started();
          const from = picture.offset;
          happen(picture, first);
          const client = new LivePicture();
          client.apply(snapshotFrame(picture, view));
          happen(picture, second);
          client.apply(updateFrame(from, picture, view));
          const fresh = new LivePicture();
          fresh.apply(snapshotFrame(picture, view));
          expect(shown(client)).toEqual(shown(fresh));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("Q2 one made from a snapshot, or from merged changes, can tell as well as the first one", () => {
    fc.assert(
      fc.property(
        fc.array(event, { maxLength: 10, size: "max" }),
        fc.array(event, { maxLength: 10, size: "max" }),
        fc.array(event, { maxLength: 10, size: "max" }),
        view,
        (first, second, third, view) => {
          const source = started();
          happen(source, first);
          const client = new LivePicture();
          client.apply(snapshotFrame(source, view));
          const from = source.offset;
          happen(source, second);
          const copy = new Picture();
          copy.apply(JSON.parse(JSON.stringify(source.toSnapshot("e", 0))));
          const at = source.offset;
          happen(source, third);
          const missed = seenOfMissed(source.missedSince(at), source, EVERYTHING);
          if (missed) copy.apply(aChange(at, missed, { offset: source.offset }));
          expect([...copy.agents.values()]).toEqual(expect.arrayContaining([...source.agents.values()]));
          expect(copy.agents.size).toBe(source.agents.size);
          client.apply(updateFrame(from, copy, view));
          const fresh = new LivePicture();
          fresh.apply(snapshotFrame(source, view));
          expect(shown(client)).toEqual(shown(fresh));
        },
      ),
      { numRuns: 500 },
    );
  });

  it("S8 tells nobody of agents that were out of their sight all the time", () => {
    const picture = started();
    const other: View = { ...EVERYTHING, scope: { swarm_ids: ["s1"] } };
    happen(picture, [
      { kind: "agent", value: anAgent({ agent_id: "a", swarm_id: "s2" }) },
      { kind: "agent", value: anAgent({ agent_id: "a", swarm_id: null }) },
      { kind: "gone", id: "a" },
    ]);
    expect(seenOfMissed(picture.missedSince(0), picture, other)).toBeNull();
  });

  it("S5 sends the fields that changed and no others, and nothing for fields that were not asked for", () => {
    const picture = started();
    happen(picture, [{ kind: "agent", value: anAgent({ agent_id: "a" }) }]);
    const from = picture.offset;
    const busy = { ...anAgent().performance, cpu_usage: 7 };
    happen(picture, [{ kind: "agent", value: anAgent({ agent_id: "a", performance: busy }) }]);
    const asking = seenOfMissed(picture.missedSince(from), picture, EVERYTHING);
    expect(asking).toEqual({ agents: [{ agent_id: "a", performance: { cpu_usage: 7 } }] });
    const filters = { include_performance: false, include_neural: false, include_topology: false };
    expect(seenOfMissed(picture.missedSince(from), picture, { ...EVERYTHING, filters })).toBeNull();
  });

  it("S6 remembers so many departures, and says from where on it can tell", () => {
    const picture = started();
    for (let i = 0; i < 4_001; i++) {
      picture.apply(aChange(picture.offset, { agents: [anAgent({ agent_id: `${i}` })] }));
      picture.apply(aChange(picture.offset, { removed: [`${i}`] }));
    }
    expect(picture.remembers({ epoch: "e", offset: 3_999 })).toBe(false);
    expect(picture.remembers({ epoch: "e", offset: 4_000 })).toBe(true);
    expect(picture.remembers({ epoch: "other", offset: picture.offset })).toBe(false);
    expect(picture.remembers({ epoch: "e", offset: picture.offset + 1 })).toBe(false);
    expect(picture.missedSince(4_000).departures).toHaveLength(2_001);
  });

  it("Q2 takes no change that does not follow, nor a patch of an agent that it does not know", () => {
    const picture = started();
    expect(picture.apply(aChange(1, {}))).toBe("gap");
    expect(picture.apply(aChange(0, {}, { epoch: "other" }))).toBe("gap");
    expect(picture.apply(aChange(0, { agents: [{ agent_id: "a", status: "done" }] }))).toBe("gap");
    expect(picture.offset).toBe(0);
  });

  it("P1 equal views have equal keys, whatever the order of their lists", () => {
    const one: View = { ...EVERYTHING, scope: { swarm_ids: ["a", "b"] } };
    const two: View = { ...EVERYTHING, scope: { swarm_ids: ["b", "a", "b"] } };
    expect(viewKey(one)).toBe(viewKey(two));
    expect(viewKey(one)).not.toBe(viewKey(EVERYTHING));
  });
});
