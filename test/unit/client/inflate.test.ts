import { expect, it, onTestFinished, vi } from "vitest";
import { InOrder, textOf } from "../../../shared/client/inflate.ts";

function deflated(text: string): Promise<ArrayBuffer> {
  return new Response(new Blob([text]).stream().pipeThrough(new CompressionStream("deflate"))).arrayBuffer();
}

/** What is thrown with nobody there to catch it, which is where a platform tells of it. */
function uncaught(): unknown[] {
  const thrown: unknown[] = [];
  const queue = queueMicrotask;
  const spy = vi.spyOn(globalThis, "queueMicrotask").mockImplementation((task) =>
    queue(() => {
      try {
        task();
      } catch (error) {
        thrown.push(error);
      }
    }),
  );
  onTestFinished(() => spy.mockRestore());
  return thrown;
}

it("U2 S5 hands every frame on, though whoever got one of them threw, and does not hide what that threw", async () => {
  const thrown = uncaught();
  const frames = await Promise.all(["a", "b", "c"].map(deflated));
  const inOrder = new InOrder();
  const got: string[] = [];
  const failure = new Error("a listener's own");
  for (const frame of [...frames, "d"])
    inOrder.push(
      () => textOf(frame),
      (text) => {
        got.push(text);
        if (text !== "d") throw failure;
      },
    );
  await expect.poll(() => got).toEqual(["a", "b", "c", "d"]);
  expect(thrown).toEqual([failure, failure, failure]);
});
