/** How a body that was passed on ended. */
export type BodyEnd = "done" | "cancelled" | { broken: unknown };

export type WatchedBodyOptions = {
  /** Comes before all else. */
  first?: string;
  /** For how long it is passed on at most: then it ends, as if no more came. */
  lifeMs: number;
  /** Called once, with the last piece that came. */
  onEnd?(end: BodyEnd, last: Uint8Array | null): void;
};

/** What a timer can hold. */
const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * A stream passed on as it comes. Whoever stops reading it cancels it at its source: on workerd when the next piece
 * comes, for it looks after its client only then.
 */
export function watchedBody(
  body: ReadableStream<Uint8Array>,
  { first, lifeMs, onEnd }: WatchedBodyOptions,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  let isOver = false;
  let last: Uint8Array | null = null;
  let stopTimer = () => {};
  const ended = (end: BodyEnd) => {
    isOver = true;
    stopTimer();
    onEnd?.(end, last);
  };
  return new ReadableStream<Uint8Array>({
    start(controller) {
      if (first !== undefined) controller.enqueue(new TextEncoder().encode(first));
      const expire = () => {
        ended("done");
        controller.close();
        reader.cancel().catch(() => {});
      };
      const timer = setTimeout(expire, Math.max(0, Math.min(lifeMs, LONGEST_TIMEOUT_MS)));
      stopTimer = () => clearTimeout(timer);
    },
    async pull(controller) {
      try {
        const read = await reader.read();
        // Expired, or cancelled, meanwhile.
        if (isOver) return;
        if (!read.done) {
          last = read.value;
          return controller.enqueue(last);
        }
        ended("done");
        controller.close();
      } catch (error) {
        if (isOver) return;
        ended({ broken: error });
        controller.error(error);
      }
    },
    cancel(reason) {
      ended("cancelled");
      return reader.cancel(reason);
    },
  });
}
