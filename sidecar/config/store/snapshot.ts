import { isDeepStrictEqual } from "node:util";
import type { StoredConfig } from "../entry.ts";

/** All that is stored at a moment. None of it is to be written to: it is given to everybody. */
export type Snapshot = {
  /** By name, those that were there first before those that came later. */
  entries: ReadonlyMap<string, StoredConfig>;
  /** In the order of their names. */
  list: readonly StoredConfig[];
  /** The names of those that may start and read only what the API may. */
  limited: ReadonlySet<string>;
};

/**
 * `rows`: name, revision and limited. What is as it was in `before` is not read again, which takes ten times as long, unless somebody
 * else wrote (`isOurs` is false): he may have left the revision. What is the same stays the same object.
 */
export function snapshotOf(
  rows: readonly Record<string, unknown>[],
  { before, isOurs }: { before: Snapshot; isOurs: boolean },
  read: (name: string) => StoredConfig | null,
): Snapshot {
  const entries = new Map<string, StoredConfig>();
  const limited = new Set<string>();
  for (const row of rows) {
    const name = String(row.name);
    const known = before.entries.get(name);
    const entry = isOurs && known?.revision === row.revision ? known : read(name);
    if (entry) entries.set(name, known && isDeepStrictEqual(entry, known) ? known : entry);
    if (row.limited === 1) limited.add(name);
  }
  const list = [...entries.values()].sort((one, other) => (one.name < other.name ? -1 : 1));
  return { entries, list, limited };
}

export const EMPTY: Snapshot = { entries: new Map(), list: [], limited: new Set() };
