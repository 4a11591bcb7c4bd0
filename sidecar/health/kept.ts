/**
 * `make`, but simultaneous callers share one run, and what it came to is kept for `lifeMs`: however often
 * strangers ask, the work is done at most once in that time. A failure is not kept.
 */
export function kept<T>(make: () => Promise<T>, lifeMs: number, now: () => number): () => Promise<T> {
  let running: Promise<T> | null = null;
  let last: { value: T; atMs: number } | null = null;
  const isFresh = (atMs: number) => {
    const ageMs = now() - atMs;
    // Less than nothing: the clock was set back.
    return ageMs >= 0 && ageMs < lifeMs;
  };
  return async () => {
    if (last && isFresh(last.atMs)) return last.value;
    running ??= make()
      .then((value) => {
        last = { value, atMs: now() };
        return value;
      })
      .finally(() => {
        running = null;
      });
    return running;
  };
}
