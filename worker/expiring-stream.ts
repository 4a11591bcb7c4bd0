/** Long answers: they end with the token that they were asked for with, and the client comes back with a fresh one. */

/** What a timer can hold. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/** Aborted when the token has expired, or the client has gone. */
export const untilExpiry = (gone: AbortSignal, expiresMs: number, nowMs: number): AbortSignal =>
  AbortSignal.any([gone, AbortSignal.timeout(Math.min(expiresMs - nowMs, LONGEST_TIMEOUT_MS))]);

/**
 * Hands on what comes, behind `first`, until the signal: then it ends, as if no more came. A body that is handed on as it
 * is would not heed the signal any more.
 */
export function endingWith(signal: AbortSignal, first?: string): TransformStream<Uint8Array, Uint8Array> {
  return new TransformStream({
    start(controller) {
      if (first !== undefined) controller.enqueue(new TextEncoder().encode(first));
      signal.addEventListener("abort", () => controller.terminate(), { once: true });
    },
    transform: (chunk, controller) => controller.enqueue(chunk),
  });
}
