/**
 * The one text of a JSON value, whatever order its members came in: names in the order of their code units (but for those
 * that are whole numbers, which JavaScript puts first), nothing undefined, no spaces, numbers and strings as
 * `JSON.stringify` writes them (`1.0` is `1`, `-0` is `0`). Text is not normalised: two ways to write one letter are two
 * values. What comes from outside has to be read by `parseJson`, which limits its nesting.
 */
export const canonicalJson = (value: unknown): string => JSON.stringify(ordered(value));

function ordered(value: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  if (Array.isArray(value)) return value.map(ordered);
  const members = Object.entries(value);
  // What the gateway itself writes is: this is all that it costs then.
  if (isFlatAndOrdered(members)) return value;
  members.sort(([one], [other]) => (one < other ? -1 : 1));
  // Unlike an assignment this makes `__proto__` a name like any other.
  return Object.fromEntries(members.map(([name, member]) => [name, ordered(member)]));
}

function isFlatAndOrdered(members: readonly [name: string, member: unknown][]): boolean {
  let before = "";
  for (const [name, member] of members) {
    if (name < before || (typeof member === "object" && member !== null)) return false;
    before = name;
  }
  return true;
}
