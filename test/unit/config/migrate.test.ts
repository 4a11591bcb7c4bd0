import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConfigBackend } from "../../../sidecar/config/backend.ts";
import type { ConfigEntry } from "../../../sidecar/config/entry.ts";
import { sameEntry } from "../../../sidecar/config/fingerprint.ts";
import { planOf } from "../../../sidecar/config/migrate/plan.ts";
import { bar, jsonLines, STEPS } from "../../../sidecar/config/migrate/progress.ts";
import { compareOperations } from "../../../sidecar/config/migrate/times.ts";

const anEntry: fc.Arbitrary<ConfigEntry> = fc.record({
  name: fc.constantFrom("a", "b", "c", "d", "e"),
  config: fc.record({ command: fc.constantFrom("one", "two") }),
  agent_names: fc.subarray(["x", "y"]),
  allowed_tools: fc.constant<string[]>(["*"]),
  enabled: fc.boolean(),
});
const entries = fc.uniqueArray(anEntry, { selector: ({ name }) => name });

describe("what a migration would do", () => {
  it("C4 puts each entry of the source into one of three lists, and leaves every other one alone", () => {
    fc.assert(
      fc.property(entries, entries, (source, stored) => {
        const plan = planOf(source, stored, sameEntry);
        const names = [...plan.added.map(({ name }) => name), ...plan.equal, ...plan.clashing];
        expect(names.sort()).toEqual(source.map(({ name }) => name).sort());
        expect([...plan.kept, ...plan.equal, ...plan.clashing].sort()).toEqual(
          stored.map(({ name }) => name).sort(),
        );
      }),
    );
  });
});

describe("progress", () => {
  const drawn = async (columns: number, isColoured: boolean): Promise<string> => {
    const pieces: string[] = [];
    const draw = bar(async (piece) => void pieces.push(piece), columns, isColoured);
    for (const step of STEPS) for (const done of [0, 1, 2, 3]) await draw(step, done, 3);
    await draw("write", 0, 0);
    return pieces.join("");
  };

  it("C4 fits any width, in one line for each step", async () => {
    await fc.assert(
      fc.asyncProperty(fc.integer({ min: 1, max: 200 }), async (columns) => {
        const text = await drawn(columns, false);
        const pieces = text.replaceAll("\r\u001b[K", "\n").split("\n");
        expect(Math.max(...pieces.map((piece) => piece.length))).toBeLessThan(columns);
        expect(text.match(/\n/g)).toHaveLength(STEPS.length + 1);
      }),
    );
  });

  it("C4 has a colour only where one is wanted", async () => {
    expect(await drawn(80, true)).toContain("\u001b[32m");
    expect(await drawn(80, false)).not.toContain("\u001b[32m");
  });

  it("C4 is lines of JSON for programs", async () => {
    const lines: string[] = [];
    await jsonLines(
      async (line) => void lines.push(line),
      () => 5,
    )("verify", 1, 2);
    expect(lines).toEqual(['{"step":"verify","done":1,"total":2,"at":5}\n']);
  });
});

describe("times of operations", () => {
  const list: ConfigEntry[] = Array.from({ length: 20 }, (_, index) => ({
    name: `s${index}`,
    config: { command: "node" },
    agent_names: index % 2 === 0 ? [`agent-${index}`] : [],
    allowed_tools: ["*"],
    enabled: true,
  }));

  /** Takes so long by a clock that only it moves, and hears of every write. */
  function backend(clock: { ms: number }, tookMs: (operation: string) => number, writes: ConfigEntry[] = []) {
    const take = <T>(operation: string, answer: T): T => {
      clock.ms += tookMs(operation);
      return answer;
    };
    return {
      kind: "old",
      list: async () => take("list", list),
      get: async () => take("get", null),
      ofAgent: async () => take("of_agent", []),
      async write(edits) {
        for (const { entry } of take("write", edits)) if (entry) writes.push(entry);
      },
      fingerprint: async () => ({ servers: 0, assignments: 0, sha256: "" }),
      close: async () => {},
    } satisfies ConfigBackend;
  }

  it("C5 finds the one operation that got slower, and asks a source that is no copy for nothing that changes it", async () => {
    for (const isCopy of [true, false]) {
      const clock = { ms: 0 };
      const writes: ConfigEntry[] = [];
      const before = { backend: backend(clock, () => 1, writes), isCopy, close: async () => {} };
      const after = backend(clock, (operation) => (operation === "get" ? 1.5 : 1));
      const times = await compareOperations(
        before,
        after,
        list,
        () => clock.ms,
        async () => {},
      );
      expect(times).toEqual(
        ["list", "get", "of_agent", ...(isCopy ? ["write"] : [])].map((operation) => ({
          ...{ operation, before_ms: 1, after_ms: operation === "get" ? 1.5 : 1 },
          verdict: operation === "get" ? "slower" : "fine",
        })),
      );
      expect(writes.length > 0).toBe(isCopy);
    }
  });

  it("C5 makes of each write a change", async () => {
    const clock = { ms: 0 };
    const writes: ConfigEntry[] = [];
    const before = { backend: backend(clock, () => 1, writes), isCopy: true, close: async () => {} };
    await compareOperations(
      before,
      backend(clock, () => 1),
      list,
      () => clock.ms,
      async () => {},
    );
    const now = new Map(list.map(({ name, enabled }) => [name, enabled]));
    for (const { name, enabled } of writes) {
      expect(enabled).not.toBe(now.get(name));
      now.set(name, enabled);
    }
    expect(writes.length).toBeGreaterThan(list.length * 2);
  });
});
