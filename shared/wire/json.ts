/** JSON that comes from outside. */
import { LIMITS } from "../limits.ts";

/** Whether a value that was parsed is nested deeper than we pass on. */
export const isTooDeep = (value: unknown): boolean => isDeeper(value, LIMITS.jsonDepth);

/** JSON, but more than is taken. */
export class NestedTooDeep extends SyntaxError {
  readonly value: unknown;

  constructor(value: unknown) {
    super(`nested deeper than ${LIMITS.jsonDepth} levels`);
    this.name = "NestedTooDeep";
    this.value = value;
  }
}

/**
 * What can be read can be written again: `JSON.parse` takes any nesting, `JSON.stringify` fails at some thousand levels.
 * @throws SyntaxError when it is no JSON; NestedTooDeep
 */
export function parseJson(text: string): unknown {
  const value: unknown = JSON.parse(text);
  // Each level takes two characters, so that most texts need no look.
  if (text.length > 2 * LIMITS.jsonDepth && isTooDeep(value)) throw new NestedTooDeep(value);
  return value;
}

function isDeeper(value: unknown, levels: number): boolean {
  if (typeof value !== "object" || value === null) return false;
  if (levels === 0) return true;
  const parts: readonly unknown[] = Array.isArray(value) ? value : Object.values(value);
  for (const part of parts) if (isDeeper(part, levels - 1)) return true;
  return false;
}
