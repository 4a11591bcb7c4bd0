/**
 * `make`, but simultaneous callers share one run, and what it came to is kept for `lifeMs`: however often
 * strangers ask, the work is done at most once in that time. A failure is not kept.
 */
export function kept<T>(make: () => Promise<T>, lifeMs: number, now: () => number): () => Promise<T> {
  let running: Promise<T> | null = null;
  let last: { value: T; untilMs: number } | null = null;
  return async () => {
    if (last && now() < last.untilMs) return last.value;
    running ??= make()
      .then((value) => {
        last = { value, untilMs: now() + lifeMs };
        return value;
      })
      .finally(() => {
        running = null;
      });
    return running;
  };
}
