/**
 * A JSON value as the one text that all equal values have: keys sorted by their UTF-16 units, nothing between tokens,
 * numbers as JSON writes them (`1.0` is `1`, `-0` is `0`: servers are not told the difference either). Text is not
 * normalised: two ways to write one letter are two values. Null when the value is nested deeper than `depth`.
 */
export function canonicalJson(value: unknown, depth: number): string | null {
  if (typeof value !== "object" || value === null) return JSON.stringify(value) ?? "null";
  if (depth === 0) return null;
  return Array.isArray(value) ? canonicalArray(value, depth) : canonicalObject(value, depth);
}

function canonicalArray(array: readonly unknown[], depth: number): string | null {
  let text = "[";
  for (let index = 0; index < array.length; index++) {
    const part = canonicalJson(array[index], depth - 1);
    if (part === null) return null;
    text += index === 0 ? part : `,${part}`;
  }
  return `${text}]`;
}

function canonicalObject(object: object, depth: number): string | null {
  let text = "{";
  for (const [key, item] of Object.entries(object).sort(byKey)) {
    const part = canonicalJson(item, depth - 1);
    if (part === null) return null;
    text += `${text === "{" ? "" : ","}${JSON.stringify(key)}:${part}`;
  }
  return `${text}}`;
}

const byKey = ([a]: [string, unknown], [b]: [string, unknown]): number => (a < b ? -1 : 1);
