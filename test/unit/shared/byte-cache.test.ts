import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ByteCache } from "../../../shared/pressure/byte-cache.ts";

const LIMIT = 100;

const step = fc.record({
  key: fc.constantFrom("a", "b", "c", "d", "e"),
  what: fc.constantFrom("get", "set", "delete"),
  bytes: fc.integer({ min: 1, max: LIMIT + 10 }),
  lifeMs: fc.integer({ min: 0, max: 5 }),
});

describe("a cache bounded by bytes", () => {
  it("T3 S6 holds no more than its limit, and what was used last", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const cache = new ByteCache<number>(LIMIT);
        /** The same by hand, the longest unused first. */
        let model: { key: string; value: number; bytes: number; untilMs: number }[] = [];
        const rest = (key: string) => model.filter((kept) => kept.key !== key);
        for (const [nowMs, { key, what, bytes, lifeMs }] of steps.entries()) {
          const held = model.find((kept) => kept.key === key);
          if (what === "get") {
            const live = held && held.untilMs > nowMs ? held : undefined;
            expect(cache.get(key, nowMs)).toBe(live?.value);
            if (held) model = live ? [...rest(key), live] : rest(key);
          } else if (what === "delete") {
            cache.delete(key);
            model = rest(key);
          } else {
            const untilMs = nowMs + lifeMs;
            cache.set(key, nowMs, bytes, untilMs);
            model = bytes > LIMIT ? rest(key) : [...rest(key), { key, value: nowMs, bytes, untilMs }];
            while (total(model) > LIMIT) model.shift();
          }
          expect(cache.bytes).toBe(total(model));
          expect(cache.size).toBe(model.length);
          const live = model.filter(({ untilMs }) => untilMs > nowMs).map(({ value }) => value);
          expect([...cache.values(nowMs)]).toEqual(live);
        }
      }),
    );
  });
});

const total = (kept: readonly { bytes: number }[]): number => kept.reduce((sum, { bytes }) => sum + bytes, 0);
