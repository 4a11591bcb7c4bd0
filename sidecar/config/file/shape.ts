import type { z } from "zod";
import { type EntryProblem, expandAll } from "./expand.ts";
import { problemOf } from "./issue.ts";
import { kindOf } from "./kind.ts";
import { type Kind, SHAPES } from "./schema.ts";

/** Of an entry whose variables are not replaced yet: which kind it is of, and its fields that mean something. */
export type Shape = { kind: Kind; fields: z.infer<(typeof SHAPES)[Kind]> };

/** What a file's entry says of this, the store and the API have beside `config`. */
const BESIDE: ReadonlyMap<string, string> = new Map([
  ["enabled", "enabled"],
  ["disabled", "enabled"],
  ["agentNames", "agent_names"],
  ["allowedTools", "allowed_tools"],
]);

/** Of `config` as it is kept: with one of these fields in it there would be two that say it. */
export function shapeOfKept(config: Readonly<Record<string, unknown>>): Shape | EntryProblem {
  const field = [...BESIDE.keys()].find((name) => Object.hasOwn(config, name));
  if (field === undefined) return shapeOf(config);
  return { message: `this is said beside "config": ${BESIDE.get(field)}`, path: [field] };
}

/** Variables are written as they should be where this is not null; what they hold is another matter. */
export function shapeOf(entry: Readonly<Record<string, unknown>>): Shape | EntryProblem {
  const kind = kindOf(entry);
  if (typeof kind === "object") return kind;
  const parsed = SHAPES[kind].safeParse(entry);
  if (!parsed.success) return problemOf(parsed.error.issues, entry);
  const written = expandAll(parsed.data, () => "");
  return "message" in written ? written : { kind, fields: parsed.data };
}
