/** How a request went: as its answer's head says, or the error that it ended with. */
import { type HivegateError, isOurFault } from "../../shared/errors.ts";
import { OUTCOME_HEADER } from "../../shared/protocol/tools.ts";
import { CACHE_HEADER } from "./cache-response.ts";
import type { ToolEvent } from "./events.ts";

export type Outcome = Pick<ToolEvent, "outcome" | "code" | "cache">;

/** `sidecar`: its own headers; `answer`: those that the cache has marked. Of a stream only its beginning is known. */
export function outcomeIn(sidecar: Headers, answer: Headers): Outcome {
  const said = sidecar.get(OUTCOME_HEADER);
  const code = said === null ? null : Number(said) || null;
  const marked = answer.get(CACHE_HEADER);
  const cache = marked === "miss" || marked === "joined" ? marked : null;
  return { outcome: said === null ? "ok" : "error", code, cache };
}

export function outcomeOf(error: HivegateError): Outcome {
  // Whoever does not want the answer any more has neither done nor met with anything wrong.
  if (error.code === "cancelled") return { outcome: "cancelled", code: null, cache: null };
  return { outcome: isOurFault(error) ? "error" : "refused", code: error.code, cache: null };
}
