/**
 * Finds values in a JSON text without parsing it, so that one can be replaced and all others stay as they were, to
 * the digit. It follows strings and brackets alone: what is accepted here need not be JSON.
 */
export type Span = { start: number; end: number };

export const NOT_FOUND = -1;

const QUOTE = 0x22;
const BACKSLASH = 0x5c;
const COMMA = 0x2c;
const COLON = 0x3a;
const OPEN_BRACE = 0x7b;
const CLOSE_BRACE = 0x7d;
const OPEN_BRACKET = 0x5b;
const CLOSE_BRACKET = 0x5d;

/** Calls `visit` for each member of the object that begins at `at`. Where the object ends; `NOT_FOUND` if it is none. */
export function scanObject(
  text: string,
  at: number,
  visit: (name: string, start: number, end: number) => void,
): number {
  if (text.charCodeAt(at) !== OPEN_BRACE) return NOT_FOUND;
  let i = skipSpace(text, at + 1);
  if (text.charCodeAt(i) === CLOSE_BRACE) return i + 1;
  for (;;) {
    if (text.charCodeAt(i) !== QUOTE) return NOT_FOUND;
    const nameEnd = skipString(text, i);
    if (nameEnd === NOT_FOUND) return NOT_FOUND;
    const name = stringIn(text, i, nameEnd);
    i = skipSpace(text, nameEnd);
    if (name === null || text.charCodeAt(i) !== COLON) return NOT_FOUND;
    const start = skipSpace(text, i + 1);
    const end = skipValue(text, start);
    if (end === NOT_FOUND) return NOT_FOUND;
    visit(name, start, end);
    i = skipSpace(text, end);
    const next = text.charCodeAt(i);
    if (next === CLOSE_BRACE) return i + 1;
    if (next !== COMMA) return NOT_FOUND;
    i = skipSpace(text, i + 1);
  }
}

/** Calls `visit` for each value of the array that begins at `at`. Where the array ends; `NOT_FOUND` if it is none. */
export function scanArray(text: string, at: number, visit: (start: number, end: number) => void): number {
  if (text.charCodeAt(at) !== OPEN_BRACKET) return NOT_FOUND;
  let i = skipSpace(text, at + 1);
  if (text.charCodeAt(i) === CLOSE_BRACKET) return i + 1;
  for (;;) {
    const end = skipValue(text, i);
    if (end === NOT_FOUND) return NOT_FOUND;
    visit(i, end);
    i = skipSpace(text, end);
    const next = text.charCodeAt(i);
    if (next === CLOSE_BRACKET) return i + 1;
    if (next !== COMMA) return NOT_FOUND;
    i = skipSpace(text, i + 1);
  }
}

/** The value under these names, one inside the other; null when it is not there. The last one of a name counts. */
export function findValue(text: string, at: number, path: readonly string[]): Span | null {
  let found: Span = { start: at, end: at };
  for (const wanted of path) {
    let inside: Span | null = null;
    scanObject(text, found.start, (name, start, end) => {
      if (name === wanted) inside = { start, end };
    });
    if (!inside) return null;
    found = inside;
  }
  return found;
}

/** The text with other values in these places, which are in order and do not overlap. */
export function replaced(text: string, changes: readonly (Span & { by: string })[], within?: Span): string {
  let result = "";
  let at = within?.start ?? 0;
  for (const { start, end, by } of changes) {
    result += text.slice(at, start) + by;
    at = end;
  }
  return result + text.slice(at, within?.end ?? text.length);
}

/** What the string between the quotes at `start` and before `end` says; null when it is none. */
export function stringIn(text: string, start: number, end: number): string | null {
  if (text.charCodeAt(start) !== QUOTE) return null;
  const raw = text.slice(start + 1, end - 1);
  if (!raw.includes("\\")) return raw;
  try {
    return JSON.parse(`"${raw}"`);
  } catch {
    return null;
  }
}

export function skipSpace(text: string, at: number): number {
  let i = at;
  for (;;) {
    const c = text.charCodeAt(i);
    if (c !== 0x20 && c !== 0x0a && c !== 0x0d && c !== 0x09) return i;
    i++;
  }
}

function skipValue(text: string, at: number): number {
  const first = text.charCodeAt(at);
  if (first === QUOTE) return skipString(text, at);
  if (first === OPEN_BRACE || first === OPEN_BRACKET) return skipNested(text, at);
  let i = at;
  while (isPlain(text.charCodeAt(i))) i++;
  return i > at ? i : NOT_FOUND;
}

/** Of a number or a word. */
const isPlain = (c: number): boolean =>
  (c >= 0x30 && c <= 0x39) ||
  (c >= 0x61 && c <= 0x7a) ||
  c === 0x2d ||
  c === 0x2b ||
  c === 0x2e ||
  c === 0x45;

function skipNested(text: string, at: number): number {
  let depth = 0;
  for (let i = at; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c === QUOTE) {
      const end = skipString(text, i);
      if (end === NOT_FOUND) return NOT_FOUND;
      i = end - 1;
    } else if (c === OPEN_BRACE || c === OPEN_BRACKET) depth++;
    else if ((c === CLOSE_BRACE || c === CLOSE_BRACKET) && --depth === 0) return i + 1;
  }
  return NOT_FOUND;
}

/** A quote ends a string unless an odd number of backslashes stands before it. */
function skipString(text: string, at: number): number {
  for (let quote = text.indexOf('"', at + 1); quote !== -1; quote = text.indexOf('"', quote + 1)) {
    let backslashes = 0;
    while (text.charCodeAt(quote - 1 - backslashes) === BACKSLASH) backslashes++;
    if (backslashes % 2 === 0) return quote + 1;
  }
  return NOT_FOUND;
}
