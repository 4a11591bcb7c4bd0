/** What to say of keys that mean nothing here: they are ignored, and whoever wrote them should know. */
import { type Kind, SHAPES } from "./schema.ts";

/** Keys of other tools whose meaning has another name here, or none. */
const ELSEWHERE: ReadonlyMap<string, string> = new Map([
  ["serverUrl", 'did you mean "url"?'],
  ["httpUrl", 'did you mean "url"?'],
  ["transport", 'did you mean "type"?'],
  ["transportType", 'did you mean "type"?'],
  ["timeout", 'its unit differs between tools: write "timeoutMs"'],
  ["http_headers", 'did you mean "headers"?'],
  ["requestInit", 'did you mean "headers"?'],
  ["includeTools", 'did you mean "allowedTools"?'],
  ["envFile", "files of variables are not read: set them in the sidecar's environment"],
  ["autoApprove", "whether a tool may be called is a matter of permissions"],
  ["alwaysAllow", "whether a tool may be called is a matter of permissions"],
  ["disabledTools", 'write "allowedTools" instead'],
  ["excludeTools", 'write "allowedTools" instead'],
]);

const ALL: ReadonlySet<string> = new Set(Object.values(SHAPES).flatMap(({ shape }) => Object.keys(shape)));

/** Null: it means something. */
export function ignoredKey(key: string, kind: Kind): string | null {
  const own = Object.keys(SHAPES[kind].shape);
  if (own.includes(key)) return null;
  if (ALL.has(key)) return `ignored: a server of type ${kind} has no ${key}`;
  const advice = otherName(key, own);
  return advice === null ? "ignored: this means nothing here" : `ignored: ${advice}`;
}

/** What a key that is not known may have been meant to say; null: nobody can tell. */
export const otherName = (key: string, known: readonly string[]): string | null =>
  ELSEWHERE.get(key) ?? nearAdvice(key, known);

export function nearAdvice(key: string, known: readonly string[]): string | null {
  const most = key.length < 5 ? 1 : 2;
  const near = known.find((other) => distance(key.toLowerCase(), other.toLowerCase()) <= most);
  return near === undefined ? null : `did you mean "${near}"?`;
}

/** How many letters have to be added, taken away, replaced or swapped with the next one; above 2 it may say more than there are. */
function distance(a: string, b: string): number {
  if (Math.abs(a.length - b.length) > 2) return 3;
  let [before, above]: [number[], number[]] = [[], [...Array(b.length + 1).keys()]];
  for (let i = 1; i <= a.length; i++) {
    const row = [i];
    for (let j = 1; j <= b.length; j++) {
      const differs = a[i - 1] === b[j - 1] ? 0 : 1;
      const swapped = i > 1 && j > 1 && a[i - 1] === b[j - 2] && a[i - 2] === b[j - 1];
      row.push(
        Math.min(
          (above[j] ?? 0) + 1,
          (row[j - 1] ?? 0) + 1,
          (above[j - 1] ?? 0) + differs,
          swapped ? (before[j - 2] ?? 0) + 1 : 3,
        ),
      );
    }
    [before, above] = [above, row];
  }
  return above[b.length] ?? 3;
}
