/** What is at a JSON Pointer (RFC 6901); undefined when nothing is there. */
export function at(value: unknown, pointer: string): unknown {
  let found = value;
  for (const part of pointer.split("/").slice(1)) {
    const name = part.replaceAll("~1", "/").replaceAll("~0", "~");
    if (found === null || typeof found !== "object" || !Object.hasOwn(found, name)) return undefined;
    found = Reflect.get(found, name);
  }
  return found;
}

/** Whether all of these are at their places, exactly so. */
export const holdsAll = (value: unknown, expected: Readonly<Record<string, unknown>>): boolean =>
  Object.entries(expected).every(([pointer, wanted]) => at(value, pointer) === wanted);
