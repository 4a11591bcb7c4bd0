import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { AgentPatch } from "../../../shared/swarm/agent.ts";
import { changedFields, pickFields } from "../../../shared/swarm/fields.ts";
import { isPlainPatch } from "../../../shared/swarm/plain-patch.ts";
import { anAgent } from "../../support/agents.ts";

const FIELDS = Object.keys(AgentPatch.shape);
const FIGURES = Object.keys(AgentPatch.shape.performance.unwrap().shape);

/** Values that some field takes, and some that none does. */
const leaf = fc.constantFrom<unknown>(
  "",
  "a",
  "x".repeat(201),
  null,
  0,
  -1,
  1.5,
  1e16,
  5,
  true,
  [],
  ["a"],
  {},
);
const figures = fc.dictionary(fc.constantFrom(...FIGURES, "secret"), leaf, { maxKeys: 3 });
const patch = fc.dictionary(
  fc.constantFrom(...FIELDS, "secret"),
  fc.oneof({ weight: 4, arbitrary: leaf }, figures),
  { maxKeys: 4 },
);
const asJson = (value: unknown): unknown => JSON.parse(JSON.stringify(value));

describe("a patch that is plain at a glance", () => {
  it("S8 is one that the schema lets through, unchanged", () => {
    let plain = 0;
    fc.assert(
      fc.property(fc.oneof(patch, leaf), fc.boolean(), (given, withId) => {
        const value = asJson(withId && typeof given === "object" ? { ...given, agent_id: "a" } : given);
        if (!isPlainPatch(value)) return;
        plain++;
        expect(AgentPatch.parse(value)).toEqual(value);
      }),
      { numRuns: 5_000 },
    );
    expect(plain).toBeGreaterThan(100);
  });

  it("S5 is what a working agent's changes are", () => {
    const before = anAgent();
    const after = anAgent({
      ...{ status: "idle", progress: 0.75, last_active: 3, current_task: "b" },
      performance: { ...before.performance, cpu_usage: 7 },
    });
    expect(isPlainPatch(asJson(pickFields(after, changedFields(before, after))))).toBe(true);
  });
});
