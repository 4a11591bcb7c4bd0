import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ConfigEdit, ConfigEntry } from "../../../../sidecar/config/entry.ts";
import { sameEntry } from "../../../../sidecar/config/fingerprint.ts";
import { canHold } from "../../../../sidecar/config/old/plan.ts";
import { normalEntry } from "../../../../sidecar/config/old/rows.ts";
import { type Both, differentNames, planPairing } from "../../../../sidecar/config/rollout/pairing.ts";
import { stdio, tcp } from "./rig.ts";

const FORM = { canHold, normal: normalEntry };
const NAMES = ["a", "b", "c", "d"];

const entriesOf = (isOld: boolean) =>
  fc
    .array(
      fc.record({ name: fc.constantFrom(...NAMES), command: fc.constantFrom("x", "y"), isTcp: fc.boolean() }),
    )
    .map((picked): ConfigEntry[] => {
      const entry = ({ name, command, isTcp }: (typeof picked)[number]) =>
        isTcp && !isOld ? tcp(name) : stdio(name, command);
      return [...new Map(picked.map((each) => [each.name, entry(each)])).values()];
    });

const both: fc.Arbitrary<Both> = fc.record({
  old: entriesOf(true),
  store: entriesOf(false),
  pending: fc.subarray(NAMES).map((names) => new Set(names)),
  counts: fc.constantFrom("old" as const, "store" as const),
  isFirst: fc.boolean(),
});

function applied(entries: readonly ConfigEntry[], edits: readonly ConfigEdit[]): ConfigEntry[] {
  const byName = new Map(entries.map((entry) => [entry.name, entry]));
  for (const { name, entry } of edits) {
    if (entry) byName.set(name, entry);
    else byName.delete(name);
  }
  return [...byName.values()];
}

const named = (entries: readonly ConfigEntry[], name: string) => entries.find((entry) => entry.name === name);

describe("making both databases the same", () => {
  it("C4 leaves the older one with what it can hold of the store, and nothing else to do", () => {
    fc.assert(
      fc.property(both, (both) => {
        const { toOld, toStore } = planPairing(both, FORM);
        const [old, store] = [applied(both.old, toOld), applied(both.store, toStore)];
        const held = store.filter((entry) => canHold(entry) === null);
        expect(differentNames(old, held, FORM)).toEqual([]);
        expect(planPairing({ ...both, old, store, isFirst: false }, FORM)).toEqual({
          toOld: [],
          toStore: [],
        });
      }),
    );
  });

  it("C4 removes nothing the first time, from neither", () => {
    fc.assert(
      fc.property(both, (both) => {
        const { toOld, toStore } = planPairing({ ...both, pending: new Set(), isFirst: true }, FORM);
        for (const { name, entry } of toStore) {
          expect(entry).not.toBeNull();
          if (both.counts === "store") expect(named(both.store, name)).toBeUndefined();
        }
        for (const { name, entry } of toOld) {
          const mine = named(both.store, name);
          expect(mine).toBeDefined();
          if (entry === null) expect(mine && canHold(mine)).not.toBeNull();
        }
      }),
    );
  });

  it("C4 never takes the older value of what waits for the older database", () => {
    fc.assert(
      fc.property(both, (both) => {
        const { toStore } = planPairing({ ...both, isFirst: false }, FORM);
        expect(toStore.filter(({ name }) => both.pending.has(name))).toEqual([]);
        if (both.counts === "store") expect(toStore).toEqual([]);
      }),
    );
  });

  it("C6 sees any difference in an answer, and none in what means the same", () => {
    const mine = { ...stdio("a"), config: { args: [], command: "node" } };
    expect(sameEntry(mine, stdio("a"))).toBe(false);
    expect(differentNames(stdio("a"), mine, FORM)).toEqual([]);
    expect(differentNames([stdio("a"), stdio("b")], [stdio("b"), mine], FORM)).toEqual([]);
    expect(differentNames(null, mine, FORM)).toEqual(["a"]);
    expect(differentNames([stdio("a")], [], FORM)).toEqual(["a"]);
    expect(differentNames(stdio("a"), { ...mine, enabled: false }, FORM)).toEqual(["a"]);
    expect(differentNames(tcp("a"), stdio("a"), FORM)).toEqual(["a"]);
    expect(differentNames(tcp("a"), tcp("a"), FORM)).toEqual([]);
    expect(differentNames(null, null, FORM)).toEqual([]);
  });
});
