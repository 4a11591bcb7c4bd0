import type { ConfigDifference } from "../protocol/config.ts";

/** What changed between two states, by name, in the order of the names. */
export function differenceOf<Value>(
  before: ReadonlyMap<string, Value>,
  after: ReadonlyMap<string, Value>,
  same: (one: Value, other: Value) => boolean,
): ConfigDifference {
  const difference: ConfigDifference = { added: [], changed: [], removed: [] };
  for (const [name, value] of after) {
    const old = before.get(name);
    if (old === undefined) difference.added.push(name);
    else if (!same(old, value)) difference.changed.push(name);
  }
  for (const name of before.keys()) if (!after.has(name)) difference.removed.push(name);
  difference.added.sort();
  difference.changed.sort();
  difference.removed.sort();
  return difference;
}

export const isNoDifference = ({ added, changed, removed }: ConfigDifference): boolean =>
  added.length + changed.length + removed.length === 0;
