import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { reconcile } from "../../../shared/config/reconcile.ts";

const NAMES = ["a", "b", "c", "d"];
/** Few values, so that two sides often say the same. */
const values = fc
  .dictionary(fc.constantFrom(...NAMES), fc.constantFrom(1, 2, 3))
  .map((dictionary) => new Map(Object.entries(dictionary)));
const same = (one: number, other: number) => one === other;
type Values = ReadonlyMap<string, number>;

const merge = (base: Values, seed: Values, store: Values) => reconcile({ base, seed, store }, same);

function applied(
  store: Values,
  edits: readonly { name: string; entry: number | null }[],
): Map<string, number> {
  const after = new Map(store);
  for (const { name, entry } of edits) {
    if (entry === null) after.delete(name);
    else after.set(name, entry);
  }
  return after;
}

describe("C3 what the file says and what the API did, merged", () => {
  const of = (entries: Record<string, number>) => new Map(Object.entries(entries));

  it.each([
    ["nothing changed", { a: 1 }, { a: 1 }, { a: 1 }, { a: 1 }, []],
    ["the file changed it", { a: 1 }, { a: 2 }, { a: 1 }, { a: 2 }, []],
    ["the API changed it", { a: 1 }, { a: 1 }, { a: 2 }, { a: 2 }, []],
    ["the API removed it", { a: 1 }, { a: 1 }, {}, {}, []],
    ["the API added one", {}, {}, { a: 1 }, { a: 1 }, []],
    ["the file removed it", { a: 1 }, {}, { a: 1 }, {}, []],
    ["both changed it, alike", { a: 1 }, { a: 2 }, { a: 2 }, { a: 2 }, []],
    ["both removed it", { a: 1 }, {}, {}, {}, []],
    ["both changed it, differently", { a: 1 }, { a: 2 }, { a: 3 }, { a: 2 }, ["a"]],
    ["both added it, differently", {}, { a: 2 }, { a: 3 }, { a: 2 }, ["a"]],
    ["the file changed it, the API removed it", { a: 1 }, { a: 2 }, {}, { a: 2 }, ["a"]],
    ["the file removed it, the API changed it", { a: 1 }, {}, { a: 2 }, {}, ["a"]],
  ])("C3 %s", (_, base, seed, store, after, conflicts) => {
    const merged = merge(of(base), of(seed), of(store));
    expect(Object.fromEntries(applied(of(store), merged.edits))).toEqual(after);
    expect(merged.conflicts).toEqual(conflicts);
  });

  it("C3 a file that says what it said before changes nothing", () => {
    fc.assert(
      fc.property(values, values, (base, store) => {
        expect(merge(base, base, store)).toEqual({ edits: [], conflicts: [] });
      }),
    );
  });

  it("C3 nothing is lost: each side's last word is in force, or was replaced and told of", () => {
    fc.assert(
      fc.property(values, values, values, (base, seed, store) => {
        const { edits, conflicts } = merge(base, seed, store);
        const after = applied(store, edits);
        for (const name of NAMES) {
          const fileSpoke = seed.get(name) !== base.get(name);
          const apiSpoke = store.get(name) !== base.get(name);
          if (fileSpoke) expect(after.get(name)).toBe(seed.get(name));
          else expect(after.get(name)).toBe(store.get(name));
          const isTold = fileSpoke && apiSpoke && seed.get(name) !== store.get(name);
          expect(conflicts.includes(name)).toBe(isTold);
        }
      }),
    );
  });

  it("C3 taken over twice it changes nothing the second time", () => {
    fc.assert(
      fc.property(values, values, values, (base, seed, store) => {
        const after = applied(store, merge(base, seed, store).edits);
        expect(merge(seed, seed, after)).toEqual({ edits: [], conflicts: [] });
        // Killed before the base was kept: what is in force is what the file says.
        const again = merge(base, seed, after);
        expect(applied(after, again.edits)).toEqual(after);
        expect(again.conflicts).toEqual([]);
      }),
    );
  });

  it("C3 the order of names changes nothing but the order of the changes", () => {
    const turned = (map: Values) => new Map([...map].reverse());
    fc.assert(
      fc.property(values, values, values, (base, seed, store) => {
        const one = merge(base, seed, store);
        const other = merge(turned(base), turned(seed), turned(store));
        expect(applied(store, other.edits)).toEqual(applied(store, one.edits));
        expect(other.conflicts.toSorted()).toEqual(one.conflicts.toSorted());
      }),
    );
  });
});
