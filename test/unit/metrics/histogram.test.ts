import fc from "fast-check";
import { expect, it } from "vitest";
import { Histogram } from "../../../shared/metrics/histogram.ts";

it("H10 a histogram counts every value once, and in each bucket that it fits in", () => {
  const bounds = [0.1, 1, 10];
  fc.assert(
    fc.property(fc.array(fc.double({ min: 0, max: 20, noNaN: true })), (values) => {
      const histogram = new Histogram(bounds);
      for (const value of values) histogram.observe(value);
      const samples = new Map(histogram.samples("s"));
      for (const bound of bounds)
        expect(samples.get(`s_bucket{le="${bound}"}`)).toBe(values.filter((value) => value <= bound).length);
      expect(samples.get('s_bucket{le="+Inf"}')).toBe(values.length);
      expect(samples.get("s_count")).toBe(values.length);
      expect(samples.get("s_sum")).toBeCloseTo(values.reduce((sum, value) => sum + value, 0));
    }),
  );
});
