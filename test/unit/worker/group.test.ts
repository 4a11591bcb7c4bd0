import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Filters } from "../../../shared/protocol/client.ts";
import type { GatewayFrame, SeenAgent } from "../../../shared/protocol/gateway.ts";
import type { TelemetryLine } from "../../../shared/protocol/sidecar.ts";
import { asSeen, filterKey, sees } from "../../../shared/swarm/filter.ts";
import { Picture } from "../../../shared/swarm/picture.ts";
import { Group } from "../../../worker/session/group.ts";
import { anAgent, aTask } from "../../support/agents.ts";

const EMPTY: TelemetryLine = {
  type: "snapshot",
  epoch: "e",
  offset: 0,
  timestamp: 0,
  agents: [],
  servers: [],
  tasks: [],
};

/** A client that follows the protocol's rule: a frame applies if it starts at or before what is held. */
class Client {
  readonly agents = new Map<string, SeenAgent>();
  offset = 0;

  take(frame: GatewayFrame): void {
    if (frame.type === "snapshot") {
      this.agents.clear();
      for (const agent of frame.payload.agents) this.agents.set(agent.agent_id, agent);
      this.offset = frame.offset;
    } else if (frame.type === "agent_update") {
      expect(frame.from).toBeLessThanOrEqual(this.offset);
      for (const agent of frame.payload.agents) this.agents.set(agent.agent_id, agent);
      for (const id of frame.payload.removed ?? []) this.agents.delete(id);
      this.offset = frame.offset;
    }
  }
}

type Step =
  | { kind: "change"; id: number; agent_type: string; status: string }
  | { kind: "remove"; id: number }
  | { kind: "tick" }
  | { kind: "join" };

const step: fc.Arbitrary<Step> = fc.oneof(
  fc.record({
    kind: fc.constant("change" as const),
    id: fc.nat(4),
    agent_type: fc.constantFrom("queen", "worker"),
    status: fc.string({ maxLength: 3 }),
  }),
  fc.record({ kind: fc.constant("remove" as const), id: fc.nat(4) }),
  fc.constant({ kind: "tick" as const }),
  fc.constant({ kind: "join" as const }),
);

describe("a group of sessions", () => {
  it("Q2 shows every client the filtered picture, whenever it joined and whatever changed between ticks", () => {
    const filters = Filters.parse({ agent_types: ["queen"] });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 40 }), (steps) => {
        const picture = new Picture();
        picture.apply(EMPTY);
        const group = new Group({ filters, mode: "normal", seesTasks: false }, picture.offset);
        const clients: Client[] = [];
        const tick = () => {
          const frame = group.tick(picture, 0);
          for (const client of clients) if (frame) client.take(frame);
        };
        for (const each of steps) {
          if (each.kind === "tick") tick();
          else if (each.kind === "join") {
            const client = new Client();
            client.take(group.snapshot(picture, true, 0));
            clients.push(client);
          } else {
            const agent_id = `agent-${each.id}`;
            const change =
              each.kind === "remove" ? { removed: [agent_id] } : { agents: [anAgent({ ...each, agent_id })] };
            picture.apply({
              type: "change",
              from: picture.offset,
              offset: picture.offset + 1,
              timestamp: 0,
              change,
            });
            group.note(change);
          }
        }
        tick();
        const seen = [...picture.agents.values()].filter((agent) => sees(filters, agent));
        for (const client of clients) {
          expect(new Map([...client.agents].sort())).toEqual(
            new Map(seen.map((agent) => [agent.agent_id, asSeen(filters, agent)] as const).sort()),
          );
        }
      }),
      { numRuns: 500 },
    );
  });

  it("S5 sends nothing when nothing that it sees has changed", () => {
    const picture = new Picture();
    picture.apply(EMPTY);
    const group = new Group(
      { filters: Filters.parse({ swarm_ids: ["other"] }), mode: "normal", seesTasks: false },
      0,
    );
    const change = { agents: [anAgent()], tasks: [aTask()] };
    picture.apply({ type: "change", from: 0, offset: 1, timestamp: 0, change });
    group.note(change);
    expect(group.tick(picture, 0)).toBeNull();
  });

  it("S8 shows tasks only to those who may read them", () => {
    const picture = new Picture();
    picture.apply({ ...EMPTY, tasks: [aTask()] });
    const filters = Filters.parse({});
    const tasksSeen = (seesTasks: boolean) => {
      const frame = new Group({ filters, mode: "normal", seesTasks }, 0).snapshot(picture, true, 0);
      return frame.type === "snapshot" ? frame.payload.tasks.length : null;
    };
    expect([tasksSeen(true), tasksSeen(false)]).toEqual([1, 0]);
  });
});

describe("filters", () => {
  it("S1 of equal meaning share a group, whatever their order", () => {
    const key = (filters: unknown) => filterKey(Filters.parse(filters));
    expect(key({ agent_types: ["a", "b", "a"] })).toBe(key({ agent_types: ["b", "a"] }));
    expect(key({ agent_types: ["a"] })).not.toBe(key({ swarm_ids: ["a"] }));
    expect(key({ agent_types: [] })).not.toBe(key({}));
  });

  it("S1 let through what is listed; an agent without a swarm is in no listed swarm", () => {
    expect(sees(Filters.parse({ swarm_ids: ["swarm-1"] }), anAgent())).toBe(true);
    expect(sees(Filters.parse({ swarm_ids: ["swarm-1"] }), anAgent({ swarm_id: null }))).toBe(false);
    expect(sees(Filters.parse({ server_types: ["ruv_swarm"] }), anAgent())).toBe(false);
  });
});
