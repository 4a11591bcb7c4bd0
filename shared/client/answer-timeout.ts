import { LIMITS } from "../limits.ts";

/** How long an answer is waited for: longer than the gateway waits for its sidecar, so that its own word comes first. */
export const ANSWER_TIMEOUT_MS = LIMITS.sidecarTimeoutMs + 5_000;
