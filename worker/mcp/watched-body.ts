/** How a body that was passed on ended. */
export type BodyEnd = "done" | "cancelled" | "broken";

const LONGEST_TIMEOUT_MS = 2 ** 31 - 1;

/**
 * A stream passed on as it comes, for `lifeMs` at most: then it ends, as if no more came. Whoever stops reading it
 * cancels it at its source: on workerd when the next piece comes, for it looks after its client only then. `onEnd` is
 * called once.
 */
export function watchedBody(
  body: ReadableStream<Uint8Array>,
  lifeMs: number,
  onEnd: (end: BodyEnd) => void,
): ReadableStream<Uint8Array> {
  const reader = body.getReader();
  // Whoever waits for more is told then that there is none.
  const expire = () => void reader.cancel().catch(() => {});
  const timer = setTimeout(expire, Math.min(lifeMs, LONGEST_TIMEOUT_MS));
  let isOver = false;
  const ended = (end: BodyEnd) => {
    isOver = true;
    clearTimeout(timer);
    onEnd(end);
  };
  return new ReadableStream<Uint8Array>({
    async pull(controller) {
      try {
        const read = await reader.read();
        // Cancelled meanwhile.
        if (isOver) return;
        if (!read.done) return controller.enqueue(read.value);
        ended("done");
        controller.close();
      } catch (error) {
        ended("broken");
        controller.error(error);
      }
    },
    cancel(reason) {
      ended("cancelled");
      return reader.cancel(reason);
    },
  });
}
