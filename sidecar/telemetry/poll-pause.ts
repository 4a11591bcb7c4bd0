/** No client sees more than 60 pictures a second, however often a server calls. */
export const SHORTEST_INTERVAL_MS = 16;
/** However seldom clients want news, they should not be much older than this. */
export const LONGEST_INTERVAL_MS = 10_000;
/** A server that failed, and whose circuit is closed, is asked again after this at most. */
const FAILED_MS = 1_000;

/** How a poll went. */
export type Polled = {
  tookMs: number;
  /** Nobody answered; the circuits let a call through in so many milliseconds. */
  failed: { retryInMs: number } | null;
  /** Nothing new was told, and the server would have said if there were. */
  isQuiet: boolean;
};

/**
 * Milliseconds from the end of one poll to the next. A pause is at least as long as the poll before it took: a
 * slow server is busy with us at most half of its time. A poll that seems to have taken hours was not slow: the
 * machine slept, or its clock was set. `isWoken`: the server called in between.
 */
export function pauseMs(polled: Polled, intervalMs: number, isWoken: boolean): number {
  const shortestMs = Math.min(LONGEST_INTERVAL_MS, Math.max(SHORTEST_INTERVAL_MS, polled.tookMs));
  return isWoken ? shortestMs : Math.max(shortestMs, wantedMs(polled, intervalMs));
}

function wantedMs({ failed, isQuiet }: Polled, intervalMs: number): number {
  if (failed) return failed.retryInMs > 0 ? failed.retryInMs : Math.min(intervalMs, FAILED_MS);
  return isQuiet ? LONGEST_INTERVAL_MS : intervalMs;
}
