/** How a request went: as its answer's head says, or the error that it ended with. */
import { type HivegateError, isOurFault } from "../../shared/errors.ts";
import { OUTCOME_COMMENT, OUTCOME_HEADER } from "../../shared/protocol/tools.ts";
import { CACHE_HEADER } from "./cache-response.ts";
import type { ToolEvent } from "./events.ts";

export type Outcome = Pick<ToolEvent, "outcome" | "code" | "cache">;

/** `sidecar`: its own headers; `answer`: those that the cache has marked. Of a stream this is but its beginning. */
export function outcomeIn(sidecar: Headers, answer: Headers): Outcome {
  const said = sidecar.get(OUTCOME_HEADER);
  const marked = answer.get(CACHE_HEADER);
  const cache = marked === "miss" || marked === "joined" ? marked : null;
  return said === null ? { outcome: "ok", code: null, cache } : failed(said, cache);
}

/** What a stream says behind its end; null: nothing went wrong. */
export function outcomeBehind(last: Uint8Array, cache: Outcome["cache"]): Outcome | null {
  const said = OUTCOME_COMMENT.exec(decoder.decode(last.subarray(-LONGEST_COMMENT)))?.[1];
  return said === undefined ? null : failed(said, cache);
}

/** That a tool failed is its own word, and has no code. */
const failed = (said: string, cache: Outcome["cache"]): Outcome => ({
  outcome: "error",
  code: Number(said) || null,
  cache,
});

const decoder = new TextDecoder();
const LONGEST_COMMENT = 64;

export function outcomeOf(error: HivegateError): Outcome {
  // Whoever does not want the answer any more has neither done nor met with anything wrong.
  if (error.code === "cancelled") return { outcome: "cancelled", code: null, cache: null };
  return { outcome: isOurFault(error) ? "error" : "refused", code: error.code, cache: null };
}
