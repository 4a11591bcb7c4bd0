/** How a request went, as its answer's head says. */
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
