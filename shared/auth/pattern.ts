/**
 * Patterns over names: `*` stands for any characters, also none, and nothing else is special. Upper and lower case
 * differ. Matching takes time in proportion to the name and the pattern, whatever they hold: no regular expression is
 * made of what somebody wrote.
 */
export type Pattern = {
  fits(name: string): boolean;
  /** Whether some name that begins with `prefix` fits. */
  fitsSomethingUnder(prefix: string): boolean;
};

/** A longer name fits no pattern but `*` alone: where patterns deny something there must be no such names. */
const NAME_CHARS = 1_000;

export function patternOf(text: string): Pattern {
  const [head = "", ...rest] = text.split("*");
  const tail = rest.pop();
  if (tail === undefined) {
    return { fits: (name) => name === text, fitsSomethingUnder: (prefix) => text.startsWith(prefix) };
  }
  const all = text.length === rest.length + 1;
  return {
    fits: (name) => all || (name.length <= NAME_CHARS && fitsParts(name, head, rest, tail)),
    fitsSomethingUnder: (prefix) => head.startsWith(prefix) || prefix.startsWith(head),
  };
}

/** Each part where it first stands behind the one before: no other place could be better for those that follow. */
function fitsParts(name: string, head: string, parts: readonly string[], tail: string): boolean {
  if (!name.startsWith(head)) return false;
  let at = head.length;
  for (const part of parts) {
    const found = name.indexOf(part, at);
    if (found === -1) return false;
    at = found + part.length;
  }
  return name.length - tail.length >= at && name.endsWith(tail);
}

/** Whether a name fits one of them. */
export function anyOf(patterns: readonly string[]): Pattern {
  const compiled = patterns.map(patternOf);
  return {
    fits: (name) => compiled.some((pattern) => pattern.fits(name)),
    fitsSomethingUnder: (prefix) => compiled.some((pattern) => pattern.fitsSomethingUnder(prefix)),
  };
}
