import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { type BodyEnd, watchedBody } from "../../../worker/watched-body.ts";

const LIFE_MS = 1_000;

/** A source that a test writes to, and what became of it. */
function watched(lifeMs = LIFE_MS) {
  let source: ReadableStreamDefaultController<Uint8Array> | undefined;
  const seen: { cancelled: boolean; ends: BodyEnd[] } = { cancelled: false, ends: [] };
  const body = new ReadableStream<Uint8Array>({
    start: (controller) => {
      source = controller;
    },
    cancel: () => {
      seen.cancelled = true;
    },
  });
  const reader = watchedBody(body, { lifeMs, onEnd: (end) => void seen.ends.push(end) }).getReader();
  return { reader, seen, source: () => source };
}

describe("a stream that is passed on", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => void vi.useRealTimers());

  it("T1 comes as it came, and ends as it ended", async () => {
    const { reader, seen, source } = watched();
    source()?.enqueue(Uint8Array.of(1));
    expect(await reader.read()).toEqual({ done: false, value: Uint8Array.of(1) });
    source()?.close();
    expect(await reader.read()).toMatchObject({ done: true });
    expect(seen).toEqual({ cancelled: false, ends: ["done"] });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("T1 is cancelled at its source when nobody reads it any more", async () => {
    const { reader, seen } = watched();
    const waiting = reader.read();
    await reader.cancel();
    expect(await waiting).toMatchObject({ done: true });
    expect(seen).toEqual({ cancelled: true, ends: ["cancelled"] });
    expect(vi.getTimerCount()).toBe(0);
  });

  it("S8 ends with its time", async () => {
    const { reader, seen } = watched();
    const read = reader.read();
    await vi.advanceTimersByTimeAsync(LIFE_MS);
    expect(await read).toMatchObject({ done: true });
    expect(seen).toEqual({ cancelled: true, ends: ["done"] });
  });

  it("T1 breaks where it broke", async () => {
    const { reader, seen, source } = watched();
    source()?.error(new Error("gone"));
    await expect(reader.read()).rejects.toThrow("gone");
    expect(seen.ends).toEqual([{ broken: new Error("gone") }]);
  });

  it("S8 ends at once where its time was over before it began", async () => {
    const { reader, seen } = watched(-1_000);
    const read = reader.read();
    await vi.advanceTimersByTimeAsync(0);
    expect(await read).toMatchObject({ done: true });
    expect(seen).toEqual({ cancelled: true, ends: ["done"] });
  });
});
