import { describe, expect, it } from "vitest";
import { readAnswer } from "../../../../worker/mcp/answer.ts";
import { eventStream } from "../edge-setup.ts";

/** Says something, and then nothing until it breaks with the signal. */
const heldUntil = (signal: AbortSignal): Response =>
  eventStream(
    new ReadableStream({
      start(controller) {
        controller.enqueue(Buffer.from(": begun\n\n"));
        signal.addEventListener("abort", () => controller.error(signal.reason));
      },
    }),
  );

describe("the answer to the gateway's own call", () => {
  it.each([
    ["in time", new DOMException("too long", "TimeoutError"), "timeout"],
    ["before its client left", undefined, "cancelled"],
  ])("T8 did not come whole %s, though it had begun", async (_, reason, code) => {
    const call = new AbortController();
    const answer = readAnswer(heldUntil(call.signal), call.signal);
    call.abort(reason);
    await expect(answer).rejects.toMatchObject({ code });
  });

  it("T8 breaks off", async () => {
    const broken = new ReadableStream({ start: (controller) => controller.error(new Error("hang up")) });
    const { signal } = new AbortController();
    await expect(readAnswer(eventStream(broken), signal)).rejects.toMatchObject({
      code: "sidecar_unreachable",
    });
  });

  it.each(["", "<html>", "{}"])("T8 is none: %s", async (text) => {
    const { signal } = new AbortController();
    await expect(readAnswer(new Response(text), signal)).rejects.toMatchObject({ code: "mcp_failed" });
  });
});
