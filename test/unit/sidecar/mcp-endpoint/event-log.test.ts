import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { LIMITS } from "../../../../shared/limits.ts";
import { EventBudget, EventLog } from "../../../../sidecar/mcp/endpoint/event-log.ts";

const LARGE = "x".repeat(LIMITS.mcpSessionEventBytes - 1_000);

describe("events that are kept", () => {
  it("S6 are no more than there is room for in all, however many sessions have one each", () => {
    const budget = new EventBudget();
    const logs = Array.from({ length: 300 }, () => new EventLog(budget));
    for (const log of logs) log.append("r1", LARGE);
    expect(budget.bytes).toBeLessThanOrEqual(LIMITS.mcpEventBytes);
    expect(budget.bytes).toBeGreaterThan(LIMITS.mcpEventBytes - LIMITS.mcpSessionEventBytes);
    expect(logs.reduce((sum, { bytes }) => sum + bytes, 0)).toBe(budget.bytes);
    // Those that nothing was said to for longest made room.
    expect([logs[0]?.has("r1"), logs.at(-1)?.has("r1")]).toEqual([false, true]);
  });

  it("S6 of one session that is spoken to are not pushed out by those of many that are not", () => {
    const budget = new EventBudget();
    const spoken = new EventLog(budget);
    for (let n = 0; n < 300; n++) {
      spoken.append("all", `${n}`);
      new EventLog(budget).append("r1", LARGE);
    }
    expect(spoken.after("all", 0)).toHaveLength(300);
  });

  it("S6 count as many bytes as they take, whatever the alphabet", () => {
    const budget = new EventBudget();
    const log = new EventLog(budget);
    log.append("all", "蜂".repeat(LIMITS.mcpSessionEventBytes / 2));
    expect([log.bytes, log.has("all")]).toEqual([0, false]);
    log.append("all", "蜂".repeat(1_000));
    expect(log.bytes).toBeGreaterThan(3_000);
  });

  it("S6 are known to be there as long as they are", () => {
    const channels = ["all", "r1", "r2"] as const;
    const step = fc.record({
      channel: fc.constantFrom(...channels),
      chars: fc.nat(LIMITS.mcpSessionEventBytes / 4),
    });
    fc.assert(
      fc.property(fc.array(step, { maxLength: 20 }), (steps) => {
        const budget = new EventBudget();
        const log = new EventLog(budget);
        for (const { channel, chars } of steps) log.append(channel, "x".repeat(chars));
        expect(log.bytes).toBeLessThanOrEqual(LIMITS.mcpSessionEventBytes);
        for (const channel of channels) expect(log.has(channel)).toBe(log.after(channel, 0).length > 0);
        log.clear();
        expect([log.bytes, budget.bytes]).toEqual([0, 0]);
      }),
    );
  });
});
