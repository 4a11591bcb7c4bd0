import type { ConfigEntry } from "../entry.ts";

export type Plan = {
  /** Not in the store yet. */
  added: ConfigEntry[];
  /** There already, word for word. */
  equal: string[];
  /** There already, and different: whose word counts is not ours to say. */
  clashing: string[];
  /** In the store alone: they stay. */
  kept: string[];
};

/** What taking these entries over into a store that has those comes to. */
export function planOf(
  entries: readonly ConfigEntry[],
  stored: readonly ConfigEntry[],
  isSame: (one: ConfigEntry, other: ConfigEntry) => boolean,
): Plan {
  const there = new Map(stored.map((entry) => [entry.name, entry]));
  const plan: Plan = { added: [], equal: [], clashing: [], kept: [] };
  for (const entry of entries) {
    const known = there.get(entry.name);
    there.delete(entry.name);
    if (known === undefined) plan.added.push(entry);
    else plan[isSame(known, entry) ? "equal" : "clashing"].push(entry.name);
  }
  plan.kept = [...there.keys()];
  return plan;
}
