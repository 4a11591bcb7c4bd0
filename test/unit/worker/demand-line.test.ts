import { expect, it } from "vitest";
import { DemandLine } from "../../../worker/hive/demand-line.ts";
import { ManualClock } from "../../support/manual-clock.ts";

it("S1 tells a stream what is wanted though a request about the one before never ends", () => {
  const told: [string, number | null][] = [];
  const line = new DemandLine({
    clock: new ManualClock(),
    demand(reader, intervalMs) {
      told.push([reader, intervalMs]);
      return new Promise(() => {});
    },
    log: () => {},
  });
  line.open("first", null);
  line.want(100);
  line.close();
  line.open("second", null);
  line.want(100);
  expect(told).toEqual([
    ["first", 100],
    ["second", 100],
  ]);
});
