import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { Pace, type PaceLimits } from "../../../shared/pressure/pace.ts";

const LIMITS: PaceLimits = {
  lateBytes: 1_000,
  lostBytes: 4_000,
  lostAfterMs: 60_000,
  probeEveryBytes: 400,
  slowerAfterMs: 2_000,
  fasterAfterMs: 10_000,
  steps: 2,
  probes: 4,
};

const bytes = fc.integer({ min: 0, max: 600 });
const step = fc.oneof(
  { weight: 6, arbitrary: fc.record({ does: fc.constant("spend" as const), bytes }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("send" as const), bytes }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("look" as const) }) },
  { weight: 2, arbitrary: fc.record({ does: fc.constant("read" as const) }) },
);

describe("how far a reader is behind", () => {
  it("S5 counts every byte that was sent, looked at or not", () => {
    fc.assert(
      fc.property(fc.array(step, { maxLength: 200, size: "max" }), (steps) => {
        const pace = new Pace(LIMITS, 0);
        const probes: { id: string; sent: number }[] = [];
        let sent = 0;
        let read = 0;
        for (const [i, each] of steps.entries()) {
          if (each.does === "spend" && pace.spend(each.bytes)) sent += each.bytes;
          if (each.does === "look") pace.hasRoom(null, i);
          if (each.does === "send") {
            sent += each.bytes;
            if (pace.sent(each.bytes)) {
              probes.push({ id: `${i}`, sent });
              pace.probed(`${i}`, i);
            }
          }
          if (each.does === "read") {
            const answered = probes.shift();
            if (answered && pace.acknowledged(answered.id, i)) read = answered.sent;
          }
          expect(pace.unreadBytes(null)).toBe(sent - read);
        }
      }),
    );
  });

  it("S5 lets nothing pass without a look that would make a reader late, whether its runtime tells or not", () => {
    const buffered = fc.option(fc.integer({ min: 0, max: 2_000 }));
    fc.assert(
      fc.property(buffered, fc.array(bytes, { maxLength: 40, size: "max" }), (waits, pieces) => {
        const pace = new Pace(LIMITS, 0);
        pace.sent(700);
        pace.hasRoom(waits, 0);
        let passed = 0;
        for (const piece of pieces) if (pace.spend(piece)) passed += piece;
        const unread = waits ?? 700;
        expect(passed).toBeLessThanOrEqual(Math.max(0, LIMITS.lateBytes - unread));
      }),
    );
  });

  it("S5 calls for a look when a probe is due", () => {
    const pace = new Pace(LIMITS, 0);
    pace.hasRoom(null, 0);
    let looks = 0;
    let probes = 0;
    for (let i = 0; i < 100; i++) {
      if (pace.spend(50)) continue;
      looks++;
      pace.hasRoom(0, i);
      if (!pace.sent(50)) continue;
      probes++;
      pace.probed(`${i}`, i);
      pace.hasRoom(0, i);
    }
    expect(probes).toBe(Math.floor((100 * 50) / 450));
    expect(looks).toBe(probes);
  });
});
