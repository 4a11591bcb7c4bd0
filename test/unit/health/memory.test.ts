import { afterEach, beforeEach, expect, it, vi } from "vitest";
import { MemoryWatch } from "../../../sidecar/health/memory.ts";
import { recordingLog } from "../../support/recording-log.ts";

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

it("S6 memory above the limit is logged once, and that it is below again", () => {
  const { log, lines } = recordingLog();
  let rss_bytes = 1;
  const watch = new MemoryWatch({ measure: () => ({ rss_bytes, heap_used_bytes: 1 }), log, limitBytes: 10 });
  const after = (bytes: number) => {
    rss_bytes = bytes;
    vi.advanceTimersByTime(60_000);
    return lines.length;
  };
  expect([5, 11, 12, 3, 4].map(after)).toEqual([0, 1, 1, 2, 2]);
  expect(watch.memory).toEqual({ rss_bytes: 4, heap_used_bytes: 1 });
  watch.close();
  expect(vi.getTimerCount()).toBe(0);
});
