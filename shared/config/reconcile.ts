/**
 * Merges what a file (or a variable) says with what was changed since then by other ways, server by server. `base` is what
 * the file said when it was taken over last, `seed` what it says now, `store` what is in force.
 */
export type Reconciled<Value> = {
  /**
   * What the seed says anew, to be so in the store; `entry` null: it is removed. In the order of the seed. What is so already is
   * told too: from now on the seed says it.
   */
  edits: { name: string; entry: Value | null }[];
  /** Of those: both sides changed them, differently. What the seed says is in force, as the newest act. */
  conflicts: string[];
};

type Values<Value> = ReadonlyMap<string, Value>;

/** The next base is the seed. `same` says whether two values mean the same. */
export function reconcile<Value>(
  { base, seed, store }: { base: Values<Value>; seed: Values<Value>; store: Values<Value> },
  same: (one: Value, other: Value) => boolean,
): Reconciled<Value> {
  const areSame = (one: Value | undefined, other: Value | undefined): boolean =>
    one === undefined || other === undefined ? one === other : same(one, other);
  const edits: Reconciled<Value>["edits"] = [];
  const conflicts: string[] = [];
  for (const name of new Set([...seed.keys(), ...base.keys()])) {
    const [before, now, inForce] = [base.get(name), seed.get(name), store.get(name)];
    if (areSame(now, before) || (now ?? inForce) === undefined) continue;
    edits.push({ name, entry: now ?? null });
    if (!areSame(inForce, before) && !areSame(now, inForce)) conflicts.push(name);
  }
  return { edits, conflicts };
}
