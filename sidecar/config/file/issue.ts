/** What zod found wrong, in words for whoever wrote the entry. */
import type { z } from "zod";
import type { EntryProblem } from "./expand.ts";
import type { Path } from "./text.ts";

type Issue = z.core.$ZodIssue;

/**
 * The first problem with `written`. Of the ways in which something may be written, the one that was followed furthest is
 * meant. What is missing is looked for where it should be.
 */
export function problemOf(issues: readonly Issue[], written: unknown): EntryProblem {
  const problem = firstOf(issues, []);
  const field = problem.path.at(-1);
  const isMissing = typeof field === "string" && at(written, problem.path) === undefined;
  return isMissing ? { message: `expected a field "${field}"`, path: problem.path.slice(0, -1) } : problem;
}

function firstOf(issues: readonly Issue[], above: Path): EntryProblem {
  const [issue] = issues;
  if (!issue) return { message: "expected something else", path: above };
  const path = [...above, ...issue.path];
  switch (issue.code) {
    case "invalid_type":
      return { message: ours(issue) ?? `expected ${NAMES[issue.expected] ?? issue.expected}`, path };
    case "unrecognized_keys":
      return { message: "expected no field of this name", path: [...path, issue.keys[0] ?? ""] };
    case "invalid_key":
      return { message: firstOf(issue.issues, []).message, path };
    case "invalid_union":
      return furthest(issue, path) ?? { message: issue.message, path };
    default:
      return { message: issue.message, path };
  }
}

const NAMES: Partial<Record<string, string>> = {
  ...{ string: "text in double quotes", array: "a list", boolean: "true or false" },
  ...{ record: "an object", object: "an object", int: "a whole number", number: "a number" },
};

/** What the schema says itself is better than what can be said of any value. */
const ours = ({ message }: Issue): string | null => (message.startsWith("Invalid input") ? null : message);

function furthest(issue: Extract<Issue, { code: "invalid_union" }>, path: Path): EntryProblem | null {
  const inner = issue.errors.filter(([first]) => first && first.path.length > 0);
  const [best] = inner.toSorted(([a], [b]) => (b?.path.length ?? 0) - (a?.path.length ?? 0));
  return best ? firstOf(best, path) : null;
}

const at = (value: unknown, path: Path): unknown =>
  path.reduce<unknown>(
    (inner, step) =>
      typeof inner === "object" && inner !== null && Object.hasOwn(inner, step)
        ? Reflect.get(inner, step)
        : undefined,
    value,
  );
