import { isDeepStrictEqual } from "node:util";
import type { StoredConfig } from "../entry.ts";

/** All that is stored at a moment. None of it is to be written to: it is given to everybody. */
export type Snapshot = {
  /** By name, those that were there first before those that came later. */
  entries: ReadonlyMap<string, StoredConfig>;
  /** The names of those that may start and read only what the API may. */
  limited: ReadonlySet<string>;
};

/** `rows`: name and limited, of all. Whoever else wrote may have left the revision. What is the same stays the same object. */
export function snapshotOf(
  rows: readonly Record<string, unknown>[],
  before: Snapshot,
  read: (name: string) => StoredConfig | null,
): Snapshot {
  const entries = new Map<string, StoredConfig>();
  const limited = new Set<string>();
  for (const row of rows) {
    const name = String(row.name);
    const known = before.entries.get(name);
    const entry = read(name);
    if (entry) entries.set(name, known && isDeepStrictEqual(entry, known) ? known : entry);
    if (row.limited === 1) limited.add(name);
  }
  return { entries, limited };
}

/** Where nobody but us wrote, and no other ones than these: what came is the last. */
export function changedSnapshot(
  before: Snapshot,
  names: Iterable<string>,
  read: (name: string) => { entry: StoredConfig; isLimited: boolean } | null,
): Snapshot {
  const entries = new Map(before.entries);
  const limited = new Set(before.limited);
  for (const name of names) {
    const now = read(name);
    if (now) entries.set(name, now.entry);
    else entries.delete(name);
    if (now?.isLimited) limited.add(name);
    else limited.delete(name);
  }
  return { entries, limited };
}

export const EMPTY: Snapshot = { entries: new Map(), limited: new Set() };
