/** A body that is drawn at its reader's pace from something that is kept: a slow reader costs no memory. */
import type { Clock } from "../../shared/clock.ts";

export type PulledStreamPorts = {
  /** What comes next, if there is anything now. `over`: nothing will come any more. What it throws breaks the body. */
  next(): Uint8Array | "nothing yet" | "over";
  /** Called once: the reader has gone, or has everything that will come. */
  left(): void;
  clock: Clock;
  /** After so long without anything to say a comment is sent, which shows that the connection lives. */
  keepAliveMs: number;
};

const KEEP_ALIVE = new TextEncoder().encode(": keep-alive\n\n");

/** Call `wake` whenever `next` may have something. */
export function pulledStream(ports: PulledStreamPorts): { body: ReadableStream<Uint8Array>; wake(): void } {
  let isOpen = true;
  let wake = (): void => {};

  const leave = (): void => {
    if (!isOpen) return;
    isOpen = false;
    wake();
    ports.left();
  };
  const nextOrLeave = () => {
    try {
      return ports.next();
    } catch (thrown) {
      leave();
      throw thrown;
    }
  };
  const somethingNew = (): Promise<"woken" | "silent"> =>
    new Promise((resolve) => {
      const cancel = ports.clock.after(ports.keepAliveMs, () => resolve("silent"));
      wake = () => {
        cancel();
        resolve("woken");
      };
    });
  const pull = async (controller: ReadableStreamDefaultController<Uint8Array>): Promise<void> => {
    while (isOpen) {
      // Nothing is awaited between looking and waiting, so no wake-up is missed.
      const next = nextOrLeave();
      if (next === "over") {
        leave();
        controller.close();
      } else if (next !== "nothing yet") {
        controller.enqueue(next);
        return;
      } else if ((await somethingNew()) === "silent" && isOpen) {
        controller.enqueue(KEEP_ALIVE);
        return;
      }
    }
  };
  const body = new ReadableStream<Uint8Array>({ pull, cancel: leave }, { highWaterMark: 0 });
  return { body, wake: () => wake() };
}
