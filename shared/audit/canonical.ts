/**
 * The one text of a JSON value, whatever order its members came in: names sorted by code units, nothing undefined, no
 * spaces, numbers and strings as `JSON.stringify` writes them (RFC 8785).
 */
export function canonicalJson(value: unknown): string {
  return JSON.stringify(value, (_, inner: unknown) => (isPlainObject(inner) ? sorted(inner) : inner));
}

const isPlainObject = (value: unknown): value is Record<string, unknown> =>
  typeof value === "object" && value !== null && !Array.isArray(value);

/** Without a prototype, so that `__proto__` is a name like any other. */
function sorted(object: Record<string, unknown>): Record<string, unknown> {
  const copy: Record<string, unknown> = Object.create(null);
  for (const name of Object.keys(object).sort()) copy[name] = object[name];
  return copy;
}
