/** What has to be written where so that the older system's database and the store say the same. Pure. */
import type { ConfigEdit, ConfigEntry } from "../entry.ts";
import { sameEntry } from "../fingerprint.ts";

/** What the older tables are able to say: `canHold` gives a reason why not, `normal` is what comes back. */
export type OldForm = {
  canHold(entry: ConfigEntry): string | null;
  normal(entry: ConfigEntry): ConfigEntry;
};

export type Both = {
  old: readonly ConfigEntry[];
  store: readonly ConfigEntry[];
  /** Changed in the store, and not known to have come to the older database. */
  pending: ReadonlySet<string>;
  /** Which of the two is right about what differs. */
  counts: "old" | "store";
  /** They never said the same: what only one of them has is not something that the other removed. */
  isFirst: boolean;
};

export type PairingPlan = { toOld: ConfigEdit[]; toStore: ConfigEdit[] };

export function planPairing(both: Both, form: OldForm): PairingPlan {
  const old = byName(both.old);
  const store = byName(both.store);
  const plan: PairingPlan = { toOld: [], toStore: [] };
  for (const name of [...new Set([...old.keys(), ...store.keys()])].sort()) {
    const there = old.get(name) ?? null;
    const here = store.get(name) ?? null;
    if (there && here && sameEntry(there, here)) continue;
    const wanted = here && mirrored(here, form);
    if (isSame(there, wanted, form)) continue;
    const onlyOne = !there || !here;
    const storeWins =
      both.pending.has(name) || (both.isFirst && onlyOne ? here !== null : both.counts === "store");
    if (storeWins) plan.toOld.push({ name, entry: wanted });
    else plan.toStore.push({ name, entry: there });
  }
  return plan;
}

/** The same edits for the older database: what it cannot hold is not there. */
export const editsForOld = (edits: readonly ConfigEdit[], form: OldForm): ConfigEdit[] =>
  edits.map(({ name, entry }) => ({ name, entry: entry && mirrored(entry, form) }));

/** Names of what the two say differently, of answers that are an entry, a list of entries, or nothing. */
export function differentNames(old: unknown, store: unknown, form: OldForm): string[] {
  const [there, here] = [byName(entriesOf(old)), byName(entriesOf(store))];
  return [...new Set([...there.keys(), ...here.keys()])].filter(
    (name) => !isSame(there.get(name) ?? null, here.get(name) ?? null, form),
  );
}

const mirrored = (entry: ConfigEntry, form: OldForm): ConfigEntry | null =>
  form.canHold(entry) === null ? entry : null;

function isSame(one: ConfigEntry | null, other: ConfigEntry | null, form: OldForm): boolean {
  if (!one || !other) return one === other;
  if (sameEntry(one, other)) return true;
  return !form.canHold(one) && !form.canHold(other) && sameEntry(form.normal(one), form.normal(other));
}

const byName = (entries: readonly ConfigEntry[]) => new Map(entries.map((entry) => [entry.name, entry]));

const entriesOf = (answer: unknown): ConfigEntry[] =>
  (Array.isArray(answer) ? answer : [answer]).filter(isEntry);

const isEntry = (value: unknown): value is ConfigEntry =>
  typeof value === "object" && value !== null && "name" in value && "config" in value;
