import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { chanceOfErrors, compareErrors, compareTimes } from "../../../shared/config/compare.ts";
import { seededRandom } from "../../bench/rig/random.ts";

type Spread = (random: () => number) => number;

const normal = (random: () => number) =>
  Math.sqrt(-2 * Math.log(1 - random())) * Math.cos(2 * Math.PI * random());

/** Each as times are found: about a millisecond, with what makes comparing hard. */
const SPREADS: Record<string, Spread> = {
  "log-normal": (random) => Math.exp(0.5 * normal(random)),
  "very wide log-normal": (random) => Math.exp(normal(random)),
  "a tail without a mean": (random) => (1 - random()) ** -1,
  "half from a cache": (random) => (random() < 0.5 ? 0.2 : 5) * (1 + 0.1 * random()),
  "few values, as of a coarse clock": (random) => Math.ceil(3 * random()),
};

const samples = (count: number, spread: Spread, random: () => number) =>
  Array.from({ length: count }, () => spread(random));

/** How many of `rounds` comparisons end in an alarm. */
function alarms(rounds: number, count: number, spread: Spread, factor: number): number {
  const random = seededRandom(42);
  let alarms = 0;
  for (let round = 0; round < rounds; round++) {
    const before = samples(count, spread, random);
    const after = samples(count, (draw) => factor * spread(draw), random);
    if (compareTimes(before, after).verdict === "slower") alarms++;
  }
  return alarms;
}

describe("whether a path is slower", () => {
  for (const [name, spread] of Object.entries(SPREADS)) {
    it(`C5 raises no alarm in 99 of 100 comparisons of equal paths: ${name}`, () => {
      expect(alarms(2_000, 30, spread, 1)).toBeLessThan(20);
      expect(alarms(400, 300, spread, 1)).toBeLessThan(4);
    });
  }

  it("C5 raises no alarm in 99 of 100 comparisons where it is exactly 20 % slower", () => {
    const spread: Spread = (random) => Math.exp(0.5 * normal(random));
    expect(alarms(2_000, 50, spread, 1.2)).toBeLessThan(20);
    expect(alarms(300, 1_000, spread, 1.2)).toBeLessThan(3);
  });

  it("C5 finds 40 % more in 99 of 100 comparisons with 1,200 samples that vary much", () => {
    const spread: Spread = (random) => Math.exp(0.5 * normal(random));
    expect(alarms(400, 1_200, spread, 1.4)).toBeGreaterThan(396);
  });

  it("C5 finds 40 % more with 120 samples that vary little, and twice as much with 50", () => {
    const steady: Spread = (random) => Math.exp(0.15 * normal(random));
    expect(alarms(1_000, 120, steady, 1.4)).toBeGreaterThan(990);
    expect(alarms(1_000, 50, steady, 2)).toBeGreaterThan(990);
  });

  it("C5 is not misled by a few very slow samples, however slow", () => {
    fc.assert(
      fc.property(
        fc.integer({ min: 0, max: 40 }),
        fc.double({ min: 1, max: 1e6, noNaN: true }),
        (few, ms) => {
          const random = seededRandom(few);
          const steady: Spread = (draw) => 1 + 0.1 * draw();
          const after = samples(100, steady, random).map((time, n) => (n < few ? ms : time));
          expect(compareTimes(samples(100, steady, random), after).verdict).toBe("fine");
        },
      ),
    );
  });

  it("C5 says nothing of too few samples, on either side", () => {
    const many = Array.from({ length: 100 }, () => 1);
    const few = Array.from({ length: 29 }, () => 100);
    expect(compareTimes(many, few)).toEqual({ verdict: "too_few", ratio: null });
    expect(compareTimes(few, many)).toEqual({ verdict: "too_few", ratio: null });
    expect(compareTimes([], [])).toEqual({ verdict: "too_few", ratio: null });
  });

  it("C5 takes no notice of what is below its floor, and gives the ratio all the same", () => {
    const of = (ms: number) => Array.from({ length: 100 }, () => ms);
    expect(compareTimes(of(0.02), of(0.06))).toEqual({ verdict: "fine", ratio: 3 });
    expect(compareTimes(of(0.02), of(0.08)).verdict).toBe("slower");
    expect(compareTimes(of(0), of(0.01))).toEqual({ verdict: "fine", ratio: null });
    expect(compareTimes(of(0), of(10))).toEqual({ verdict: "slower", ratio: null });
  });

  it("C5 never takes a path for slower that became faster, nor both ways at once", () => {
    const times = fc.array(fc.double({ min: 0, max: 1e4, noNaN: true }), { minLength: 30, maxLength: 80 });
    fc.assert(
      fc.property(times, times, (one, other) => {
        const verdicts = [compareTimes(one, other), compareTimes(other, one)].map(({ verdict }) => verdict);
        expect(verdicts).not.toEqual(["slower", "slower"]);
        expect(
          compareTimes(
            one,
            one.map((ms) => ms / 2),
          ).verdict,
        ).toBe("fine");
      }),
    );
  });
});

describe("whether a path fails more", () => {
  it("C6 knows the chances of small counts exactly", () => {
    // Of 10 calls 3 fail; by chance all of them among the 3 after: 1 of the 120 choices of 3 of 10.
    expect(chanceOfErrors({ calls: 7, errors: 0 }, { calls: 3, errors: 3 })).toBeCloseTo(1 / 120, 4);
    expect(chanceOfErrors({ calls: 7, errors: 3 }, { calls: 3, errors: 0 })).toBeCloseTo(1, 4);
  });

  it("C6 tells the two apart when it is sure, and says when it cannot be", () => {
    expect(compareErrors({ calls: 1_000, errors: 0 }, { calls: 30, errors: 3 })).toEqual({ verdict: "more" });
    expect(compareErrors({ calls: 1_000, errors: 0 }, { calls: 30, errors: 1 })).toEqual({ verdict: "fine" });
    expect(compareErrors({ calls: 1_000, errors: 100 }, { calls: 100, errors: 12 })).toEqual({
      verdict: "fine",
    });
    expect(compareErrors({ calls: 100, errors: 50 }, { calls: 100, errors: 0 })).toEqual({ verdict: "fine" });
    expect(compareErrors({ calls: 0, errors: 0 }, { calls: 100, errors: 100 })).toEqual({
      verdict: "too_few",
    });
    expect(compareErrors({ calls: 100, errors: 0 }, { calls: 0, errors: 0 })).toEqual({ verdict: "too_few" });
  });

  it("C6 raises no alarm in 99 of 100 comparisons of paths that fail alike, and finds one that fails a fifth more", () => {
    const random = seededRandom(7);
    const alarms = (rate: number) => {
      let count = 0;
      for (let round = 0; round < 1_000; round++) {
        const errors = (share: number) =>
          Array.from({ length: 200 }, random).filter((drawn) => drawn < share).length;
        const before = { calls: 200, errors: errors(0.02) };
        if (compareErrors(before, { calls: 200, errors: errors(rate) }).verdict === "more") count++;
      }
      return count;
    };
    expect(alarms(0.02)).toBeLessThan(10);
    expect(alarms(0.22)).toBeGreaterThan(990);
  });
});
