import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { ewma } from "../../../shared/metrics/ewma.ts";
import { QuantileSketch } from "../../../shared/metrics/quantiles.ts";

const durations = fc.array(fc.double({ min: 0.01, max: 86_400_000, noNaN: true }), {
  minLength: 1,
  maxLength: 500,
});
const quantile = fc.double({ min: 0, max: 1, noNaN: true });

const sketchOf = (values: readonly number[]): QuantileSketch => {
  const sketch = new QuantileSketch();
  for (const value of values) sketch.observe(value);
  return sketch;
};
const exact = (values: readonly number[], share: number): number =>
  values.toSorted((one, other) => one - other)[Math.max(1, Math.ceil(share * values.length)) - 1] ??
  Number.NaN;

describe("quantiles of durations", () => {
  it("T9 are within 1 % of the true ones", () => {
    fc.assert(
      fc.property(durations, quantile, (values, share) => {
        const truth = exact(values, share);
        const found = sketchOf(values).quantileMs(share) ?? Number.NaN;
        expect(Math.abs(found - truth)).toBeLessThanOrEqual(truth * 0.01 * (1 + 1e-9));
      }),
    );
  });

  it("T9 add up: of two halves they are those of the whole, and what was stored is what comes back", () => {
    fc.assert(
      fc.property(durations, durations, quantile, (some, others, share) => {
        const merged = sketchOf(some);
        merged.merge(new QuantileSketch(JSON.parse(JSON.stringify(sketchOf(others).saved()))));
        const whole = sketchOf([...some, ...others]);
        expect(merged.quantileMs(share)).toBe(whole.quantileMs(share));
        expect(merged.count).toBe(some.length + others.length);
      }),
    );
  });

  it("S6 T9 take no more room than there are classes, whatever comes", () => {
    const sketch = new QuantileSketch();
    for (let value = 1e-6; value < 1e12; value *= 1.005) sketch.observe(value);
    expect(sketch.saved().classes.length).toBeLessThanOrEqual(1_150);
    expect(sketch.quantileMs(1)).toBeCloseTo(86_400_000, -7);
  });

  it("T9 are unknown before there is anything, and nothing takes less than no time", () => {
    expect(new QuantileSketch().quantileMs(0.5)).toBeNull();
    expect(sketchOf([0, 0, 0, 8]).quantileMs(0.5)).toBe(0);
  });

  it("T9 come as a summary in seconds", () => {
    const samples = new Map(sketchOf([0, 1_000]).samples("took", { tool: 'a"b' }, [0.5]));
    expect([...samples.keys()]).toEqual([
      'took{tool="a\\"b",quantile="0.5"}',
      'took_sum{tool="a\\"b"}',
      'took_count{tool="a\\"b"}',
    ]);
    expect([...samples.values()]).toEqual([0, 1, 2]);
  });
});

describe("a moving average", () => {
  it("T9 begins with the first value, and goes a tenth of the way to each further one", () => {
    expect(ewma(null, 40, 0.1)).toBe(40);
    expect(ewma(40, 140, 0.1)).toBe(50);
  });
});
