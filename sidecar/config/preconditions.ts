/** Which version a request is about, as RFC 9110 (13.1) says it. */
import { HivegateError } from "../../shared/errors.ts";
import type { Expected } from "./configs.ts";

export type Conditions = { ifMatch: string | undefined; ifNoneMatch: string | undefined };

export const etagOf = (revision: number): string => `"${revision}"`;

/**
 * What a change expects to find. `current`: the revision that is there; null: none is.
 * @throws HivegateError `precondition_required`, `precondition_failed`, `invalid_request`
 */
export function expectedOf({ ifMatch, ifNoneMatch }: Conditions, current: number | null): Expected {
  if (ifNoneMatch !== undefined && holdsNone(ifNoneMatch, current) === false)
    throw new HivegateError("precondition_failed");
  if (ifMatch !== undefined) {
    // Comparison is strong here: what is only weakly the same is another version.
    const isMeant =
      ifMatch.trim() === "*" || tagsIn(ifMatch).some(({ weak, tag }) => !weak && tag === String(current));
    if (current === null || !isMeant) throw new HivegateError("precondition_failed");
    return current;
  }
  if (current === null) return "none";
  if (ifNoneMatch === undefined) throw new HivegateError("precondition_required");
  return current;
}

/** Whether who asks has this version already. */
export const isKnown = (ifNoneMatch: string | undefined, revision: number): boolean =>
  ifNoneMatch !== undefined && !holdsNone(ifNoneMatch, revision);

const holdsNone = (ifNoneMatch: string, current: number | null): boolean =>
  current === null ||
  (ifNoneMatch.trim() !== "*" && !tagsIn(ifNoneMatch).some(({ tag }) => tag === String(current)));

/** Whatever is between quotes, commas too. */
const TAG = /\s*(W\/)?"([\x21\x23-\x7e\x80-\xff]*)"\s*(?:,|$)/y;

/** @throws HivegateError `invalid_request` */
function tagsIn(list: string): { weak: boolean; tag: string }[] {
  const tags = [];
  TAG.lastIndex = 0;
  while (TAG.lastIndex < list.length) {
    const match = TAG.exec(list);
    if (!match) throw new HivegateError("invalid_request", 'Expected ETags as they were given: "…", "…".');
    tags.push({ weak: match[1] !== undefined, tag: match[2] ?? "" });
  }
  return tags;
}
