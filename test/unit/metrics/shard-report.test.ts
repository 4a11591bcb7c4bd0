import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { ShardReport } from "../../../worker/hive/feed.ts";
import { HiveMetrics } from "../../../worker/hive/hive-metrics.ts";
import { ShardReporter } from "../../../worker/session/shard-report.ts";
import { ManualClock } from "../../support/manual-clock.ts";

const FRAMES = "hivegate_gateway_frames_sent_total";
const SESSIONS = 'hivegate_gateway_sessions{mode="normal"}';

function setUp() {
  const clock = new ManualClock();
  const reports: ShardReport[] = [];
  const shard = { frames: 0, sessions: 0, hasFeed: true };
  const reporter = new ShardReporter({
    clock,
    counts: () => [[FRAMES, shard.frames]],
    gauges: () => [[SESSIONS, shard.sessions]],
    send(report) {
      if (shard.hasFeed) reports.push(report);
      return shard.hasFeed;
    },
  });
  return { clock, reports, shard, reporter };
}

describe("a shard's reports", () => {
  it("H10 P6 come a while after something happened, at most every 10 s, and leave no timer behind", () => {
    const { clock, reports, shard, reporter } = setUp();
    expect(clock.waiting).toBe(0);
    const startMs = clock.now();
    const atMs: number[] = [];
    for (let frame = 1; frame <= 300; frame++) {
      shard.frames++;
      reporter.noted();
      const before = reports.length;
      clock.advance(100);
      if (reports.length > before) atMs.push(clock.now() - startMs);
    }
    expect(atMs).toEqual([2_000, 12_000, 22_000]);
    clock.advance(10_000);
    expect(reports).toHaveLength(4);
    expect(reports.reduce((sum, { added }) => sum + (added[FRAMES] ?? 0), 0)).toBe(300);
    expect(clock.waiting).toBe(0);
  });

  it("H10 are spared when nothing that counts has changed", () => {
    const { clock, reports, shard, reporter } = setUp();
    shard.sessions = 3;
    reporter.noted();
    clock.advance(2_000);
    reporter.noted();
    clock.advance(20_000);
    expect(reports).toEqual([{ type: "report", added: {}, gauges: { [SESSIONS]: 3 } }]);
    reporter.startOver();
    clock.advance(20_000);
    expect(reports).toHaveLength(2);
  });

  it("H10 add up to what was counted, whatever becomes of feeds, shards and their memory", () => {
    const step = fc.constantFrom("count", "note", "wait", "lose feed", "get feed", "forget");
    fc.assert(
      fc.property(fc.array(step, { maxLength: 60 }), (steps) => {
        const hive = new HiveMetrics();
        let counted = 0;
        let told = 0;
        let now = setUp();
        const deliver = () => {
          for (const report of now.reports.splice(0)) {
            told += report.added[FRAMES] ?? 0;
            hive.heard("a", report);
          }
        };
        for (const each of steps) {
          if (each === "count") {
            now.shard.frames++;
            counted++;
            now.reporter.noted();
          } else if (each === "note") now.reporter.noted();
          else if (each === "wait") now.clock.advance(3_000);
          else if (each === "lose feed") now.shard.hasFeed = false;
          else if (each === "get feed") {
            now.shard.hasFeed = true;
            now.reporter.startOver();
          } else {
            // A shard hibernates when it has no timer, so it has told what it could.
            if (now.clock.waiting > 0 || !now.shard.hasFeed) continue;
            now = setUp();
          }
          deliver();
          expect(hive.samples().get(FRAMES)).toBe(told);
        }
        now.shard.hasFeed = true;
        now.reporter.startOver();
        now.clock.advance(20_000);
        deliver();
        expect(hive.samples().get(FRAMES)).toBe(counted);
      }),
    );
  });
});

describe("what a hive tells of its shards", () => {
  const report = (frames: number, sessions: number): ShardReport => ({
    ...{ type: "report", added: { [FRAMES]: frames }, gauges: { [SESSIONS]: sessions } },
  });

  it("H10 adds counters up over shards that come and go, and gauges of those that are there", () => {
    const hive = new HiveMetrics();
    hive.heard("a", report(10, 3));
    hive.heard("b", report(5, 2));
    hive.heard("a", report(1, 4));
    expect(hive.samples().get(FRAMES)).toBe(16);
    expect(hive.samples().get(SESSIONS)).toBe(6);
    hive.forget("a");
    expect(hive.samples().get(FRAMES)).toBe(16);
    expect(hive.samples().get(SESSIONS)).toBe(2);
  });
});
