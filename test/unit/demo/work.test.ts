import { createHash } from "node:crypto";
import fc from "fast-check";
import { describe, expect, it } from "vitest";
import { hashJob, type Job, jobOf, primesJob } from "../../../sidecar/demo/work.ts";

const units = (job: Job) => Array.from({ length: job.units }, (_, unit) => unit);
const done = (job: Job) => job.combine(units(job).map((unit) => job.run(unit)));

/** Another way to the same numbers: the sieve of Eratosthenes. */
function sieve(below: number): number {
  const composite = new Uint8Array(below);
  let count = 0;
  for (let n = 2; n < below; n++) {
    if (composite[n]) continue;
    count++;
    for (let multiple = n * n; multiple < below; multiple += n) composite[multiple] = 1;
  }
  return count;
}

describe("the work of the demo swarm", () => {
  it("counts primes right, however the range is cut", () => {
    fc.assert(
      fc.property(fc.integer({ min: 0, max: 60_000 }), (below) => {
        expect(done(primesJob(below))).toEqual({ below, primes: sieve(below) });
      }),
      { numRuns: 30 },
    );
  });

  it("counts the primes below five million", () => {
    expect(done(jobOf("count primes below 5000000"))).toEqual({ below: 5_000_000, primes: 348_513 });
  });

  it.each([
    ["count primes below 7", 3],
    ["Count  PRIMES up to 7", 4],
    ["  count primes up to 1,000.\n", 168],
    ["count primes below 10_000", 1229],
    ["count primes below 0", 0],
  ])("understands %j", (task, primes) => {
    expect(done(jobOf(task))).toMatchObject({ primes });
  });

  it.each([
    "count primes below -5",
    "count primes below five",
    "please count primes below 7",
    "count primes",
  ])("takes %j for a text to hash", (task) => {
    expect(jobOf(task).run(0)).toMatch(/^[0-9a-f]{64}$/);
  });

  it("S6 refuses to count further than the limit, and says what the limit is", () => {
    expect(jobOf("count primes below 100000000").units).toBe(400);
    expect(() => jobOf("count primes below 100000001")).toThrow(/at most/);
    expect(() => jobOf(`count primes below ${"9".repeat(1_000)}`)).toThrow("100000000");
  });

  it("S6 reads a hostile text in no time", () => {
    const begunMs = performance.now();
    jobOf(`count primes below 5${" ".repeat(60_000)}x`);
    jobOf(`count primes below ${"5,".repeat(30_000)}x`);
    jobOf(`count${" ".repeat(60_000)}`);
    expect(performance.now() - begunMs).toBeLessThan(500);
  });

  it("hashes a text as many times as it says", () => {
    const sha256 = (data: string | Buffer) => createHash("sha256").update(data).digest();
    const chain = (unit: number) => sha256(sha256(sha256(`${unit}:päper`))).toString("hex");
    expect(done(hashJob("päper", { units: 2, rounds: 3 }))).toEqual({
      sha256: sha256(chain(0) + chain(1)).toString("hex"),
      rounds: 6,
    });
  });
});
