/** Replaces `${NAME}` and `${NAME:-default}` by what variables hold. */
// biome-ignore-all lint/suspicious/noTemplateCurlyInString: that is how variables are written here
import type { Path } from "./text.ts";

/** What is wrong, and where in the entry. Nothing of a value is in the message: it may be a secret. */
export type EntryProblem = Missing & { path: Path };
/** `unset`: the variable that is not set, where that is all that is wrong. */
type Missing = { message: string; unset?: string };

/** The value of a variable, or why it may not be used: `{ message }`. Null: it is not set. */
export type Variable = (name: string) => string | null | { message: string };

/** `$${`, which stands for `${`, or a place for a variable, to its brace or the text's end. */
const PLACE = /\$\$\{|\$\{([^}]*)(\}?)/g;
/** `env:` is how Cursor and VS Code say it. */
const INSIDE = /^(?:env:)?([A-Za-z_]\w*)(?::-(.*))?$/s;

const EXPECTED = "expected ${NAME} or ${NAME:-default} with a variable's name; for ${ itself write $${";

/** The text with its variables replaced; what they hold is taken as it is, whatever it looks like. */
export function expandText(text: string, variable: Variable): string | Missing {
  const problems: Missing[] = [];
  const expanded = text.replace(PLACE, (whole, inside: string | undefined, brace: string | undefined) => {
    if (inside === undefined) return "${";
    const value = brace === "" ? { message: EXPECTED } : valueFor(inside, variable);
    if (typeof value === "string") return value;
    problems.push(value);
    return whole;
  });
  return problems[0] ?? expanded;
}

function valueFor(inside: string, variable: Variable): string | Missing {
  const [, name, otherwise] = INSIDE.exec(inside) ?? [];
  // What looks like a place within a default is a mistake: its brace would end the outer one.
  if (name === undefined || otherwise?.includes("${")) return { message: EXPECTED };
  const value = variable(name);
  if (value !== null) return value;
  return otherwise ?? { message: `the variable ${name} is not set, and there is no default`, unset: name };
}

/** All texts in a value, at any depth; names of fields stay as they are. */
export function expandAll(value: unknown, variable: Variable): { value: unknown } | EntryProblem {
  const problems: EntryProblem[] = [];
  const walk = (part: unknown, path: Path): unknown => {
    if (typeof part === "string") {
      const expanded = expandText(part, variable);
      if (typeof expanded === "string") return expanded;
      problems.push({ ...expanded, path });
    }
    if (Array.isArray(part)) return part.map((item, index) => walk(item, [...path, index]));
    if (typeof part === "object" && part !== null)
      return Object.fromEntries(Object.entries(part).map(([key, item]) => [key, walk(item, [...path, key])]));
    return part;
  };
  const expanded = walk(value, []);
  return problems[0] ?? { value: expanded };
}
